"""Training: the autoencoder learns to reproduce healthy windows, and stops when it no longer gets better."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from trainer.errors import TrainingError
from trainer.models import ARCHITECTURES, NetworkSettings, build_model, shipped_model, solve_model
from trainer.quiet import load_tensorflow

if TYPE_CHECKING:
    import keras

FloatArray = npt.NDArray[np.float32]

Loss = Literal["mse", "mae"]

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
    loss: Loss = "mse"
    """Mean squared or mean absolute error of the reconstructed features."""


@dataclass(frozen=True)
class Trained:
    """A trained network."""

    model: keras.Model
    """The Keras model to convert, with the weights of the best epoch."""
    parameters: int
    epochs: int
    """Epochs run."""
    best_epoch: int
    loss: float
    """Error of reconstruction, with the divergence of a vae, on the training windows over the best epoch."""
    validation_loss: float
    """On the validation windows, after it; without dropout and sampling."""


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
    """Train an autoencoder, or solve it if its architecture has a closed form.

    Args:
        features: Of the training windows, shape (n_windows, *shape).
        validation: Of the validation windows, likewise.
        network: What it looks like.
        settings: How it is trained.
        on_epoch: Told of the progress.

    Raises:
        TrainingError: If the loss is no longer finite.
        ChoiceError: If the network cannot be built for features of this shape.
    """
    load_tensorflow()
    import keras

    keras.utils.clear_session()  # Keras' running numbers end up in the graph
    keras.utils.set_random_seed(settings.seed)
    if ARCHITECTURES[network.architecture].closed_form:
        return _solved(features, validation, network, settings, on_epoch)
    model = build_model(network, (features.shape[1], features.shape[2]))
    best, epochs = _run(model, features, validation, settings, on_epoch)
    model.set_weights(best.weights)
    shipped = shipped_model(network, model)
    return Trained(shipped, _parameters(model), epochs, best.epoch, best.loss, best.validation_loss)


def _solved(
    features: FloatArray,
    validation: FloatArray,
    network: NetworkSettings,
    settings: TrainingSettings,
    on_epoch: EpochCallback,
) -> Trained:
    model = solve_model(network, features, validation)
    _, check = _epoch_functions(model, settings)
    loss, validation_loss = _finite(check(features)), _finite(check(validation))
    on_epoch(validation_loss)
    return Trained(model, _parameters(model), 1, 1, loss, validation_loss)


def _parameters(model: keras.Model) -> int:
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


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

    magnitude = tf.square if settings.loss == "mse" else tf.abs

    def total_loss(features: tf.Tensor, training: bool) -> tf.Tensor:
        error = tf.reduce_mean(magnitude(model(features, training=training) - features))
        return tf.add_n([error, *model.losses])

    def check(features: tf.Tensor) -> tf.Tensor:
        return total_loss(features, training=False)

    def learn(features: tf.Tensor) -> tf.Tensor:
        total = 0.0
        for start in tf.range(0, tf.shape(features)[0], settings.batch_size):
            batch = features[start : start + settings.batch_size]
            with tf.GradientTape() as tape:
                loss = total_loss(batch, training=True)
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            total += loss * tf.cast(tf.shape(batch)[0], tf.float32)
        return total / tf.cast(tf.shape(features)[0], tf.float32)

    return tf.function(learn), tf.function(check)


def _finite(loss: float) -> float:
    if not math.isfinite(loss):
        raise TrainingError("training diverges: the loss is no longer finite; lower --learning-rate")
    return float(loss)
