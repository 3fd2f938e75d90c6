"""From Keras to TFLite: int8, float16, dynamic or float32, and a graph that no gateway stumbles over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from agent.errors import ModelError
from agent.inference.arrays import FloatArray
from agent.inference.model import TFLiteModel
from trainer.conversion.converter import shared_converter
from trainer.errors import ConversionError
from trainer.networks.crossfit import REPRESENTATIVES, Network
from trainer.settings import QUANTIZATIONS, Quantization
from trainer.system.quiet import diverted_output

if TYPE_CHECKING:
    import keras


_TIMED = 50


def convert_network(network: Network, quantization: Quantization) -> bytes:
    """Return a trained network as the bytes of a TFLite graph; see ``convert``.

    Raises:
        ConversionError: If the converter fails, or its graph is not fit for gateways.
    """
    return convert(network.build(), quantization, network.representatives)


def convert(model: keras.Model, quantization: Quantization, representatives: FloatArray) -> bytes:
    """Return the model as a TFLite graph for one window, which a runtime may resize to several.

    Args:
        model: A trained Keras model, on whatever backend; a separate process converts it.
        quantization: ``int8`` is full integer, input and output included; ``dynamic`` has int8 weights and
            computes with floats outside.
        representatives: Features of training windows, from which int8 takes its ranges, shape
            (n_windows, *shape).

    Raises:
        ConversionError: If the converter fails or crashes, or its graph would crash a gateway or be refused
            by it.
    """
    step = -(-len(representatives) // REPRESENTATIVES)
    content = shared_converter().convert(model, quantization, representatives[::step])
    _check_runtime(content, quantization)
    return content


def time_per_window_us(model: TFLiteModel, features: FloatArray) -> float:
    """Return the microseconds that a graph takes per window on this machine, the median of a few.

    Args:
        model: The graph in the gateway's runtime.
        features: Of some windows, shape (n_windows, *shape).
    """
    times_ns = []
    for window in features[:_TIMED]:
        start_ns = time.perf_counter_ns()
        model.reconstruct(window[np.newaxis])
        times_ns.append(time.perf_counter_ns() - start_ns)
    return float(np.median(times_ns)) / 1000.0


def _check_runtime(content: bytes, quantization: Quantization) -> None:
    try:
        with diverted_output():  # the runtime announces its delegate
            TFLiteModel(content)
    except ModelError as error:
        others = " or ".join(name for name in QUANTIZATIONS if name != quantization)
        raise ConversionError(
            f"{error}; {quantization} does not suit this network, try --quantize {others}"
        ) from error
