"""Many batches of an epoch as one TensorFlow graph."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from agent.inference.arrays import FloatArray
from trainer.networks.loops import Learning

Run = Callable[[FloatArray], float]

_BATCHES = 64
"""Batches a call: Python sees Ctrl-C between calls only, and an epoch may take minutes."""


def loop(model: keras.Model, optimizer: keras.optimizers.Optimizer, learning: Learning) -> tuple[Run, Run]:
    """Return what learns and what only checks; see ``Loop``."""
    magnitude = tf.square if learning.loss == "mse" else tf.abs

    def total_loss(batch: tf.Tensor, training: bool) -> tf.Tensor:
        error = tf.reduce_mean(magnitude(model(batch, training=training) - batch))
        return tf.add_n([error, *model.losses])

    def step(batch: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = total_loss(batch, training=True)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    def over_batches(one: Callable[[tf.Tensor], tf.Tensor]) -> Run:
        def stretch(features: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
            def after(start: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                batch = features[start : start + learning.batch_size]
                total += one(batch) * tf.cast(tf.shape(batch)[0], tf.float32)
                return start + learning.batch_size, total

            count = tf.shape(features)[0]
            return tf.while_loop(lambda start, _: start < count, after, (0, total))[1]

        # Without a signature each other number of windows would be another graph.
        signature = [tf.TensorSpec(model.input_shape, tf.float32), tf.TensorSpec((), tf.float32)]
        graph = tf.function(stretch, input_signature=signature, autograph=False)
        length = _BATCHES * learning.batch_size

        def epoch(features: FloatArray) -> float:
            total = tf.constant(0.0)
            for start in range(0, len(features), length):
                total = graph(features[start : start + length], total)
            return float(total / tf.cast(len(features), tf.float32))

        return epoch

    return over_batches(step), over_batches(lambda batch: total_loss(batch, training=False))
