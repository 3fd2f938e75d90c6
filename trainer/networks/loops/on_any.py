"""Batch by batch with Keras' own steps, on whatever backend it runs."""

from __future__ import annotations

from collections.abc import Callable

import keras

from agent.inference.arrays import FloatArray
from trainer.networks.loops import Learning

Run = Callable[[FloatArray], float]


def loop(model: keras.Model, optimizer: keras.optimizers.Optimizer, learning: Learning) -> tuple[Run, Run]:
    """Return what learns and what only checks; see ``Loop``."""
    # Without a compiler: to write a network of this size in machine code takes longer than to train it.
    model.compile(optimizer, learning.loss, jit_compile=False)

    def mean_loss(step: Callable[[FloatArray, FloatArray], float], features: FloatArray) -> float:
        model.reset_metrics()
        loss = 0.0
        for start in range(0, len(features), learning.batch_size):
            batch = features[start : start + learning.batch_size]
            loss = float(step(batch, batch))  # over all batches since the reset
        return loss

    return (
        lambda features: mean_loss(model.train_on_batch, features),
        lambda features: mean_loss(model.test_on_batch, features),
    )
