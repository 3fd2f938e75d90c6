"""The dense autoencoder: the whole window, or the whole spectrum, at once through a bottleneck."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

if TYPE_CHECKING:
    from trainer.settings import NetworkSettings


def build(settings: NetworkSettings, shape: tuple[int, int]) -> keras.Model:
    """Return an untrained model: Flatten, Dense with each of ``units``, linear Dense, Reshape.

    Args:
        settings: Layer sizes, activation and dropout.
        shape: Shape of one window's features.
    """
    # Layers are named, because Keras' own running numbers would end up in the graph.
    features = keras.Input(shape, name="features")
    x = layers.Flatten(name="flatten")(features)
    for index, units in enumerate(settings.units):
        x = layers.Dense(units, activation=settings.activation, name=f"hidden_{index}")(x)
        if settings.dropout:
            x = layers.Dropout(settings.dropout, name=f"dropout_{index}")(x)
    x = layers.Dense(shape[0] * shape[1], name="output")(x)
    return keras.Model(features, layers.Reshape(shape, name="reconstruction")(x), name="dense")
