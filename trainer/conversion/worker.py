"""The process that converts: TensorFlow and its converter, away from the one that trains.

Training may run on another backend, of which there is one per process; and the converter, in C++, may take
its process along, which raises no exception. ``conversion.converter`` starts this module and speaks to it in
lines of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
import numpy.typing as npt

from trainer.errors import ConversionError
from trainer.system.quiet import diverted_output, load_tensorflow

if TYPE_CHECKING:
    import keras
    from tensorflow.lite.python import schema_py_generated as schema


MODEL, REPRESENTATIVES, GRAPH = "model.keras", "representatives.npy", "model.tflite"
"""Files in the folder that a request names."""

_ABSENT = -1
_REASON_LENGTH = 300  # the converter's messages run to pages
# Far below any healthy feature (their deviation is 1), and far above half an int8 step of a bias.
_BIAS_NUDGE = 1e-3


@dataclass(frozen=True)
class DenseLayer:
    """A fully connected layer of a graph, as far as ``check_graph`` looks at it."""

    has_bias: bool
    """The converter drops a bias that is all zeros."""
    weight_scales: int
    """Of its quantized weights: one for all, or one per channel; 0 of floats."""


def main() -> None:
    """Convert what each line of standard input asks for, until it ends."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as answers, diverted_output():
        load_tensorflow()
        for line in sys.stdin:
            _answer(json.loads(line), answers)


def _answer(request: dict[str, Any], answers: TextIO) -> None:
    try:
        _convert(Path(request["folder"]), request["quantization"])
        error = None
    except ConversionError as failure:
        error = str(failure)
    answers.write(json.dumps({"error": error}) + "\n")
    answers.flush()


def _convert(folder: Path, quantization: str) -> None:
    from tensorflow.lite.python.convert_phase import ConverterError

    try:
        content = _converted(folder, quantization, per_channel=quantization != "dynamic")
        if quantization == "int8" and crash_on_arm(dense_layers(content)):
            content = _converted(folder, quantization, per_channel=False)
    except (ConverterError, ValueError, TypeError, RuntimeError, MemoryError) as error:
        reason = textwrap.shorten(str(error), _REASON_LENGTH, placeholder=" ...")
        raise ConversionError(f"the converter cannot make the model {quantization}: {reason}") from error
    check_graph(content)
    (folder / GRAPH).write_bytes(open_batch(content))


def check_graph(content: bytes) -> None:
    """Refuse a graph that would crash tflite-runtime 2.14 on ARM; nothing is to be seen of that on x86.

    Args:
        content: The bytes of the ``.tflite`` file.

    Raises:
        ConversionError: If there is such a layer.
    """
    if crash_on_arm(dense_layers(content)):
        raise ConversionError(
            "the graph has a fully connected layer without a bias, which crashes tflite-runtime on ARM; give "
            "every Dense layer a bias that is not zero, or its weights one scale"
        )


def crash_on_arm(layers: Iterable[DenseLayer]) -> bool:
    """Return whether tflite-runtime 2.14 might not survive one of the layers on ARM."""
    return any(layer.weight_scales > 1 and not layer.has_bias for layer in layers)


def dense_layers(content: bytes) -> Iterator[DenseLayer]:
    """Yield the fully connected layers of a graph.

    Args:
        content: The bytes of the ``.tflite`` file.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    graph = schema.Model.GetRootAs(content, 0)
    for subgraph in map(graph.Subgraphs, range(graph.SubgraphsLength())):
        for operator in map(subgraph.Operators, range(subgraph.OperatorsLength())):
            code = graph.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
            if code == schema.BuiltinOperator.FULLY_CONNECTED:
                yield _dense_layer(subgraph, operator.InputsAsNumpy())


def _dense_layer(subgraph: schema.SubGraph, inputs: npt.NDArray[np.int32]) -> DenseLayer:
    """Return a layer whose inputs are data, weights and, perhaps, a bias."""
    quantization = subgraph.Tensors(inputs[1]).Quantization()
    return DenseLayer(
        has_bias=len(inputs) > 2 and inputs[2] != _ABSENT,
        weight_scales=0 if quantization is None else quantization.ScaleLength(),
    )


def open_batch(content: bytes) -> bytes:
    """Return the graph with the first size of its RESHAPEs left open (-1), where it is the batch of 1.

    With a fixed 1 no runtime can resize the graph to several windows. One window is reshaped as before. The
    converter keeps equal constants once: a number that anything else reads, too, such as the step of a
    loop, is left alone.

    Args:
        content: The bytes of the ``.tflite`` file.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    writable = bytearray(content)
    graph = schema.Model.GetRootAs(writable, 0)
    shapes: set[int] = set()
    others: set[int] = set()
    for subgraph in map(graph.Subgraphs, range(graph.SubgraphsLength())):
        others.update(subgraph.Tensors(tensor).Buffer() for tensor in subgraph.OutputsAsNumpy())
        for operator in map(subgraph.Operators, range(subgraph.OperatorsLength())):
            code = graph.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
            for place, tensor in enumerate(operator.InputsAsNumpy()):
                if tensor != _ABSENT:
                    is_shape = code == schema.BuiltinOperator.RESHAPE and place == 1
                    (shapes if is_shape else others).add(subgraph.Tensors(tensor).Buffer())
    for stored in map(graph.Buffers, sorted(shapes - others)):
        if stored.DataLength():
            _open_first(stored.DataAsNumpy().view(np.int32))
    return bytes(writable)


def _open_first(shape: npt.NDArray[np.int32]) -> None:
    """Set the first size of a RESHAPE to -1, in place, if it is 1 and no other one is open."""
    if shape[0] == 1 and (shape[1:] > 0).all():
        shape[0] = _ABSENT


def _nudge_biases(model: keras.Model) -> None:
    for layer in model.layers:
        weights = layer.get_weights()
        if len(weights) == 2 and np.abs(weights[1]).max() < _BIAS_NUDGE:
            weights[1][0] = _BIAS_NUDGE
            layer.set_weights(weights)


def _converted(folder: Path, quantization: str, *, per_channel: bool) -> bytes:
    """Return the graph; ``per_channel`` gives the weights of dense layers a scale for each output."""
    import keras
    import tensorflow as tf

    from trainer.networks.models import load_model

    keras.utils.clear_session()
    model = load_model(folder / MODEL)
    _nudge_biases(model)
    # A fixed batch of 1 leaves plain RESHAPEs in the graph. A saved model on disk, because conversion from
    # concrete functions silently leaves the variables of a Keras 3 model unfrozen.
    window = keras.InputSpec(shape=(1, *model.input_shape[1:]), dtype="float32", name="features")
    saved = str(folder / "saved_model")
    model.export(saved, format="tf_saved_model", input_signature=[window], verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(saved)
    if quantization != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization == "int8":
        representatives = np.load(folder / REPRESENTATIVES, allow_pickle=False)
        converter.representative_dataset = lambda: ([one[np.newaxis]] for one in representatives)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        # The new quantizer lays out an unrolled LSTM in another way each time, the old one always the same.
        recurrent = any(isinstance(layer, keras.layers.LSTM) for layer in model.layers)
        converter.experimental_new_quantizer = not recurrent
    # Dynamic with weights per channel would be FULLY_CONNECTED version 12, which tflite-runtime 2.14 lacks.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = not per_channel
    return bytes(converter.convert())


if __name__ == "__main__":
    main()
