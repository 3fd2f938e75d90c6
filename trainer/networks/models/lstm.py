"""Recurrent autoencoders: stacked LSTM layers, and an encoder and decoder with a bottleneck between.

Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9 (1997); the encoder-decoder with
the target sequence reversed is that of Malhotra et al., "LSTM-based encoder-decoder for multi-sensor anomaly
detection", ICML Anomaly Detection Workshop 2016.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import keras
from keras import layers

from trainer.networks.models import unrolled

if TYPE_CHECKING:
    from trainer.settings import NetworkSettings


@keras.saving.register_keras_serializable(package="judder")
class Reversed(keras.Layer):  # type: ignore[misc]  # Keras has no types
    """Turns a sequence over. A bare operation would bring Keras' running numbers into the graph."""

    def call(self, sequence: keras.KerasTensor) -> keras.KerasTensor:
        """Return the sequence from its last step to its first, shape (n_windows, n_steps, n_axes)."""
        return keras.ops.flip(sequence, axis=1)


def build(settings: NetworkSettings, shape: tuple[int, int]) -> keras.Model:
    """Return an untrained model.

    ``lstm`` is a stack of layers that all return sequences, ``lstm-bottleneck`` the encoder that keeps its
    last state only and the decoder that unfolds it from the last step to the first; both end in a linear
    layer over the axes. Turning the output over is the same as a reversed target, and the gateway need not
    know.

    Args:
        settings: Units of the layers and dropout.
        shape: Shape of one window's features.
    """
    return _network(settings, shape, unroll=False, use_cudnn="auto")


def shipped(settings: NetworkSettings, model: keras.Model) -> keras.Model:
    """Return the twin with the same weights whose steps are laid out one by one, if that is short enough.

    A loop of TFLite runs in floating point only: TensorFlow 2.19 has no int8 for it. Dropout is left out,
    because what remains of it keeps the converter from int8, too.

    Args:
        settings: What the network looks like.
        model: The trained model.
    """
    shape = model.input_shape[1:]
    settings = replace(settings, dropout=0.0)
    twin = _network(settings, shape, unroll=unrolled(settings, shape[0]), use_cudnn=False)
    twin.set_weights(model.get_weights())
    return twin


def _network(
    settings: NetworkSettings, shape: tuple[int, int], unroll: bool, use_cudnn: bool | str
) -> keras.Model:
    def layer(units: int, name: str, sequences: bool = True) -> layers.LSTM:
        return layers.LSTM(
            units,
            return_sequences=sequences,
            dropout=settings.dropout,
            unroll=unroll,
            use_cudnn=use_cudnn,
            name=name,
        )

    bottleneck = settings.architecture == "lstm-bottleneck"
    features = keras.Input(shape, name="features")
    x = features
    for index, units in enumerate(settings.units):
        last = index == len(settings.units) - 1
        x = layer(units, f"encoder_{index}", sequences=not (bottleneck and last))(x)
    if bottleneck:
        x = layers.RepeatVector(shape[0], name="repeat")(x)
        for index, units in enumerate(reversed(settings.units)):
            x = layer(units, f"decoder_{index}")(x)
    # A convolution over one step is Dense(n_axes) at each of them, and TFLite always gives it a bias.
    x = layers.Conv1D(shape[1], 1, name="output")(x)
    if bottleneck:
        x = Reversed(name="reversed")(x)
    return keras.Model(features, x, name="lstm")
