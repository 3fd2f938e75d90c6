"""From Keras to TFLite: int8, float16, dynamic or float32, and a graph that no gateway stumbles over."""

from __future__ import annotations

import tempfile
import textwrap
import time
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import numpy.typing as npt

from agent.errors import ModelError
from agent.inference.model import TFLiteModel
from trainer.errors import ConversionError
from trainer.quiet import diverted_output

if TYPE_CHECKING:
    import keras
    from tensorflow.lite.python import schema_py_generated as schema

FloatArray = npt.NDArray[np.float32]

Quantization = Literal["int8", "float16", "float32", "dynamic"]
QUANTIZATIONS: tuple[Quantization, ...] = get_args(Quantization)

REPRESENTATIVES = 500
"""Windows that int8 takes its ranges from."""
_TIMED = 50
_ABSENT = -1
_REASON_LENGTH = 300  # the converter's messages run to pages
# Far below any healthy feature (their deviation is 1), and far above half an int8 step of a bias.
_BIAS_NUDGE = 1e-3


def convert(model: keras.Model, quantization: Quantization, representatives: FloatArray) -> bytes:
    """Return the model as a TFLite graph for one window at a time.

    Args:
        model: A trained Keras model.
        quantization: ``int8`` is full integer, input and output included; ``dynamic`` has int8 weights and
            computes with floats outside.
        representatives: Features of training windows, from which int8 takes its ranges, shape
            (n_windows, *shape).

    Raises:
        ConversionError: If the converter fails, or its graph would crash a gateway or be refused by it.
    """
    from tensorflow.lite.python.convert_phase import ConverterError

    _nudge_biases(model)
    try:
        with diverted_output(), tempfile.TemporaryDirectory() as folder:
            content = _converted(model, quantization, representatives, folder)
    except (ConverterError, ValueError, RuntimeError) as error:
        reason = textwrap.shorten(str(error), _REASON_LENGTH, placeholder=" ...")
        raise ConversionError(f"the converter cannot make the model {quantization}: {reason}") from error
    check_graph(content)
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


def check_graph(content: bytes) -> None:
    """Refuse a graph with a fully connected layer that has several rows and no bias.

    tflite-runtime 2.14 on ARM ends with a segmentation fault there, if the weights are int8 per channel; on
    x86 nothing is to be seen. The converter drops a bias that is all zeros. With a single row, as in each
    step of an unrolled LSTM, there is no danger.

    Args:
        content: The ``.tflite`` file.

    Raises:
        ConversionError: If there is such a layer.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    graph = schema.Model.GetRootAs(content, 0)
    for subgraph in map(graph.Subgraphs, range(graph.SubgraphsLength())):
        for operator in map(subgraph.Operators, range(subgraph.OperatorsLength())):
            code = graph.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
            if code == schema.BuiltinOperator.FULLY_CONNECTED and _crashes(
                subgraph, operator.InputsAsNumpy()
            ):
                raise ConversionError(
                    "the converted graph has a fully connected layer without a bias, which crashes "
                    "tflite-runtime on ARM; give every Dense layer a bias that is not zero"
                )


def _crashes(subgraph: schema.SubGraph, inputs: npt.NDArray[np.int32]) -> bool:
    if len(inputs) > 2 and inputs[2] != _ABSENT:
        return False
    n_rows: int = np.prod(subgraph.Tensors(inputs[0]).ShapeAsNumpy()[:-1])
    return n_rows != 1


def _check_runtime(content: bytes, quantization: Quantization) -> None:
    try:
        with diverted_output():  # the runtime announces its delegate
            TFLiteModel(content)
    except ModelError as error:
        others = " or ".join(name for name in QUANTIZATIONS if name != quantization)
        raise ConversionError(
            f"{error}; {quantization} does not suit this network, try --quantize {others}"
        ) from error


def _nudge_biases(model: keras.Model) -> None:
    for layer in model.layers:
        weights = layer.get_weights()
        if len(weights) == 2 and np.abs(weights[1]).max() < _BIAS_NUDGE:
            weights[1][0] = _BIAS_NUDGE
            layer.set_weights(weights)


def _converted(
    model: keras.Model, quantization: Quantization, representatives: FloatArray, folder: str
) -> bytes:
    import keras
    import tensorflow as tf

    # A fixed batch of 1 leaves plain RESHAPEs in the graph. A saved model on disk, because conversion from
    # concrete functions silently leaves the variables of a Keras 3 model unfrozen.
    window = keras.InputSpec(shape=(1, *model.input_shape[1:]), dtype="float32", name="features")
    model.export(folder, format="tf_saved_model", input_signature=[window], verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    if quantization != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization == "int8":
        step = -(-len(representatives) // REPRESENTATIVES)
        converter.representative_dataset = lambda: ([one[np.newaxis]] for one in representatives[::step])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        # The new quantizer lays out an unrolled LSTM in another way each time, the old one always the same.
        recurrent = any(isinstance(layer, keras.layers.LSTM) for layer in model.layers)
        converter.experimental_new_quantizer = not recurrent
    if quantization == "dynamic":
        # With weights per channel it would be FULLY_CONNECTED version 12, which tflite-runtime 2.14 lacks.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return bytes(converter.convert())
