"""Training: the autoencoder learns to reproduce healthy windows, and stops when it no longer gets better."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trainer.errors import TrainingError
from trainer.models import NetworkSettings, build_model
from trainer.quiet import load_tensorflow

if TYPE_CHECKING:
    import keras

FloatArray = npt.NDArray[np.float32]

EpochCallback = Callable[[float], None]
"""Called after each epoch with the validation loss."""


@dataclass(frozen=True)
class TrainingSettings:
    """How the network is trained."""

    epochs: int = 200
    """At most."""
    patience: int = 10
    """Epochs without a better validation loss after which training stops; the best weights are kept."""
    batch_size: int = 64
    learning_rate: float = 1e-3
    """Of Adam (Kingma and Ba 2015)."""
    seed: int = 0
    """Same seed and machine, same weights."""


@dataclass(frozen=True)
class Trained:
    """A trained network."""

    model: keras.Model
    """The Keras model, with the weights of its best epoch."""
    parameters: int
    epochs: int
    """Epochs run."""
    best_epoch: int
    loss: float
    """Mean squared error on the features of the training windows, over the best epoch."""
    validation_loss: float
    """The same on those of the validation windows, after it."""


@dataclass(frozen=True)
class _Snapshot:
    epoch: int
    loss: float
    validation_loss: float
    weights: list[FloatArray]


def train(
    features: FloatArray,
    validation: FloatArray,
    network: NetworkSettings,
    settings: TrainingSettings,
    on_epoch: EpochCallback,
) -> Trained:
    """Train an autoencoder on the mean squared error.

    Args:
        features: Of the training windows, shape (n_windows, *shape).
        validation: Of the validation windows, likewise.
        network: What it looks like.
        settings: How it is trained.
        on_epoch: Told of the progress.

    Raises:
        TrainingError: If the loss is no longer finite.
    """
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(settings.seed)
    model = build_model(network, (features.shape[1], features.shape[2]))
    best, epochs = _run(model, features, validation, settings, on_epoch)
    model.set_weights(best.weights)
    return Trained(model, model.count_params(), epochs, best.epoch, best.loss, best.validation_loss)


def _run(
    model: keras.Model,
    features: FloatArray,
    validation: FloatArray,
    settings: TrainingSettings,
    on_epoch: EpochCallback,
) -> tuple[_Snapshot, int]:
    learn, check = _epoch_functions(model, settings)
    shuffler = np.random.default_rng(settings.seed)
    best: _Snapshot | None = None
    for epoch in range(1, settings.epochs + 1):
        loss = _finite(learn(features[shuffler.permutation(len(features))]))
        validation_loss = _finite(check(validation))
        on_epoch(validation_loss)
        if best is None or validation_loss < best.validation_loss:
            best = _Snapshot(epoch, loss, validation_loss, model.get_weights())
        elif epoch - best.epoch >= settings.patience:
            break
    assert best is not None
    return best, epoch


def _epoch_functions(
    model: keras.Model, settings: TrainingSettings
) -> tuple[Callable[[FloatArray], float], Callable[[FloatArray], float]]:
    """Return what learns from all batches once, and what only computes the loss; both give the mean loss.

    Keras' own ``fit`` feeds one batch at a time, which takes many times as long as networks of this size.
    """
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.Adam(settings.learning_rate)
    optimizer.build(model.trainable_variables)

    def check(features: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.square(model(features) - features))

    def learn(features: tf.Tensor) -> tf.Tensor:
        total = 0.0
        for start in tf.range(0, tf.shape(features)[0], settings.batch_size):
            batch = features[start : start + settings.batch_size]
            with tf.GradientTape() as tape:
                loss = check(batch)
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            total += loss * tf.cast(tf.shape(batch)[0], tf.float32)
        return total / tf.cast(tf.shape(features)[0], tf.float32)

    return tf.function(learn), tf.function(check)


def _finite(loss: float) -> float:
    if not math.isfinite(loss):
        raise TrainingError("training diverges: the loss is no longer finite; lower --learning-rate")
    return float(loss)
