"""The convolutional autoencoder: every layer halves the length, its mirror doubles it again.

The decoder computes two steps side by side and lays them one after the other (Shi et al., "Real-time single
image and video super-resolution using an efficient sub-pixel convolutional neural network", CVPR 2016), so
the graph needs no transposed convolution, which the oldest runtime does not run in every mode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from trainer.errors import ChoiceError

if TYPE_CHECKING:
    from trainer.settings import NetworkSettings


def build(settings: NetworkSettings, shape: tuple[int, int]) -> keras.Model:
    """Return an untrained model; lengths that cannot be halved so often are padded with zeros and cut again.

    Args:
        settings: Filters of the encoder's layers, kernel, activation and dropout.
        shape: Shape of one window's features.

    Raises:
        ChoiceError: If the window is shorter than the layers' halvings.
    """
    steps, n_axes = shape
    halvings = 2 ** len(settings.units)
    if steps < halvings:
        raise ChoiceError(
            f"conv with {len(settings.units)} layers halves {steps} steps to nothing; "
            "choose a longer --window or fewer --units"
        )
    padding = -steps % halvings
    features = keras.Input(shape, name="features")
    x = layers.ZeroPadding1D((0, padding), name="pad")(features) if padding else features
    for index, filters in enumerate(settings.units):
        x = layers.Conv1D(
            filters,
            settings.kernel,
            strides=2,
            padding="same",
            activation=settings.activation,
            name=f"encoder_{index}",
        )(x)
        if settings.dropout:
            x = layers.Dropout(settings.dropout, name=f"dropout_{index}")(x)
    # The decoder mirrors the encoder; its last layer is linear, as features have no bounds.
    widths = (*settings.units[-2::-1], n_axes)
    for index, filters in enumerate(widths):
        activation = None if index == len(widths) - 1 else settings.activation
        x = _doubled(x, filters, settings.kernel, activation, index)
    x = layers.Cropping1D((0, padding), name="cut")(x) if padding else x
    return keras.Model(features, x, name="conv")


def _doubled(
    x: keras.KerasTensor, filters: int, kernel: int, activation: str | None, index: int
) -> keras.KerasTensor:
    name = f"decoder_{index}"
    pairs = layers.Conv1D(2 * filters, kernel, padding="same", activation=activation, name=name)(x)
    return layers.Reshape((2 * x.shape[1], filters), name=f"{name}_steps")(pairs)
