"""The variational autoencoder (Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
from keras import layers, ops

from trainer.errors import ChoiceError

if TYPE_CHECKING:
    from trainer.settings import NetworkSettings


@keras.saving.register_keras_serializable(package="judder")
class Sampling(keras.Layer):  # type: ignore[misc]  # Keras has no types
    """Draws a latent vector in training; passes the mean on otherwise, which is what the gateway runs.

    It adds the Kullback-Leibler divergence from the standard normal distribution as a loss. With
    the mean squared error over n features the sum is, but for a factor, the evidence lower bound of a decoder
    whose noise has the variance ``kl_weight``.
    """

    def __init__(
        self, kl_weight: float, warm_up_steps: int, n_features: int, name: str = "sampling", **options: object
    ) -> None:
        super().__init__(name=name, **options)
        self._given = {"kl_weight": kl_weight, "warm_up_steps": warm_up_steps, "n_features": n_features}
        self._weight = 2.0 * kl_weight / n_features
        self._warm_up_steps = max(warm_up_steps, 1)
        self._random = keras.random.SeedGenerator()
        self._step = self.add_weight(shape=(), initializer="zeros", trainable=False, name="step")

    def call(
        self, mean: keras.KerasTensor, log_variance: keras.KerasTensor, training: bool = False
    ) -> keras.KerasTensor:
        """Return latent vectors, shape (n_windows, latent)."""
        divergence = 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance, axis=1)
        warmth = self._warmth() if training else 1.0
        self.add_loss(self._weight * warmth * ops.mean(divergence))
        if not training:
            return mean
        noise = keras.random.normal(ops.shape(mean), seed=self._random)
        return mean + ops.exp(0.5 * log_variance) * noise

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, to save the model; see ``keras.Layer.get_config``."""
        return {**super().get_config(), **self._given}

    def _warmth(self) -> keras.KerasTensor:
        self._step.assign_add(1.0)
        return ops.minimum(self._step / self._warm_up_steps, 1.0)


@dataclass(frozen=True)
class Halves:
    """The two halves of a variational autoencoder, which share its weights."""

    encoder: keras.Model
    """Features to mean and log-variance, each of shape (n_windows, latent)."""
    decoder: keras.Model
    """Latent vectors to features."""


def build(settings: NetworkSettings, shape: tuple[int, int]) -> keras.Model:
    """Return an untrained model: dense encoder, mean and log-variance, sampling, mirrored decoder.

    Args:
        settings: Units of the encoder, of which the last is the latent size; activation, dropout, KL weight.
        shape: Shape of one window's features.

    Raises:
        ChoiceError: If there is no hidden layer before the latent one.
    """
    *hidden, latent = settings.units
    if not hidden:
        raise ChoiceError("vae needs a hidden layer and the latent size, such as --units 64,8")
    n_features = shape[0] * shape[1]
    features = keras.Input(shape, name="features")
    x = _stack(layers.Flatten(name="flatten")(features), hidden, settings, "encoder")
    mean = layers.Dense(latent, name="mean")(x)
    log_variance = layers.Dense(latent, name="log_variance")(x)
    sampling = Sampling(settings.kl_weight, settings.kl_warm_up_steps, n_features)
    x = _stack(sampling(mean, log_variance), hidden[::-1], settings, "decoder")
    x = layers.Dense(n_features, name="output")(x)
    return keras.Model(features, layers.Reshape(shape, name="reconstruction")(x), name="vae")


def halves(model: keras.Model) -> Halves:
    """Return encoder and decoder of a trained model, to export them beside the deterministic path.

    Args:
        model: What ``build`` returned.
    """
    mean, log_variance = model.get_layer("mean"), model.get_layer("log_variance")
    encoder = keras.Model(model.input, [mean.output, log_variance.output], name="encoder")
    latent = keras.Input((mean.units,), name="latent")
    x = latent
    for layer in model.layers[model.layers.index(model.get_layer("sampling")) + 1 :]:
        x = layer(x)
    return Halves(encoder, keras.Model(latent, x, name="decoder"))


def _stack(x: keras.KerasTensor, sizes: list[int], settings: NetworkSettings, name: str) -> keras.KerasTensor:
    for index, units in enumerate(sizes):
        x = layers.Dense(units, activation=settings.activation, name=f"{name}_{index}")(x)
        if settings.dropout:
            x = layers.Dropout(settings.dropout, name=f"{name}_dropout_{index}")(x)
    return x
