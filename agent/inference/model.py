"""The TFLite runtime: features in, reconstruction out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.errors import ModelError

FloatArray = npt.NDArray[np.float32]

_INT8_MIN, _INT8_MAX = np.float32(-128), np.float32(127)


def _runtime() -> tuple[Callable[..., Any], str]:
    """Return the interpreter class of the installed runtime, and its name with version."""
    try:
        from tflite_runtime.interpreter import Interpreter

        return Interpreter, f"tflite-runtime {metadata.version('tflite-runtime')}"
    except ImportError:
        pass
    try:
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter, f"ai-edge-litert {metadata.version('ai-edge-litert')}"
    except ImportError as error:
        raise ModelError(
            "no TFLite runtime: install tflite-runtime (Python 3.11) or ai-edge-litert (3.12 and later)"
        ) from error


@dataclass(frozen=True)
class _Port:
    """An input or output of the graph, and how its integers map to numbers: real = scale (q - zero)."""

    index: int
    shape: tuple[int, ...]
    quantized: bool
    scale: np.float32
    zero: np.float32

    @classmethod
    def of(cls, detail: dict[str, Any]) -> _Port:
        quantized = detail["dtype"] is np.int8
        if not quantized and detail["dtype"] is not np.float32:
            raise ModelError(f"tensor '{detail['name']}' is {detail['dtype'].__name__}, not int8 or float32")
        scale, zero = detail["quantization"]
        if quantized and not scale > 0:
            raise ModelError(f"int8 tensor '{detail['name']}' carries no quantization scale")
        shape = tuple(int(size) for size in detail["shape"])
        return cls(detail["index"], shape, quantized, np.float32(scale), np.float32(zero))


class TFLiteModel:
    """One autoencoder graph with one input and one output of the same shape, batch size 1.

    Not for several threads at once.
    """

    def __init__(self, content: bytes) -> None:
        """Load the graph and allocate its tensors.

        Args:
            content: The ``.tflite`` file.

        Raises:
            ModelError: If there is no runtime, or it refuses the graph.
        """
        interpreter_class, self.runtime = _runtime()
        try:
            self._interpreter = interpreter_class(model_content=content, num_threads=1)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError(f"{self.runtime} refuses the model: {reason}") from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"expected one input and one output, found {len(inputs)} and {len(outputs)}")
        self._input, self._output = _Port.of(inputs[0]), _Port.of(outputs[0])

    @property
    def quantized(self) -> bool:
        """True if the graph takes integers."""
        return self._input.quantized

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one window's features, without the batch."""
        return self._input.shape[1:]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of one window's reconstruction, without the batch."""
        return self._output.shape[1:]

    def reconstruct(self, features: FloatArray) -> FloatArray:
        """Return the reconstruction of each window's features.

        Args:
            features: Shape (n_windows, *shape).

        Returns:
            Shape (n_windows, *output_shape).
        """
        port = self._input
        stored = _quantized(features, port) if port.quantized else np.ascontiguousarray(features)
        result = np.empty((len(features), *self.output_shape), np.float32)
        interpreter = self._interpreter
        for window in range(len(stored)):
            interpreter.set_tensor(port.index, stored[window : window + 1])
            interpreter.invoke()
            result[window] = interpreter.get_tensor(self._output.index)[0]
        if self._output.quantized:
            result -= self._output.zero
            result *= self._output.scale
        return result


def _quantized(features: FloatArray, port: _Port) -> npt.NDArray[np.int8]:
    """Return features as the graph's integers; what lies outside its range saturates."""
    steps = features * (np.float32(1.0) / port.scale)
    steps += port.zero
    np.rint(steps, out=steps)
    np.maximum(steps, _INT8_MIN, out=steps)
    np.minimum(steps, _INT8_MAX, out=steps)
    return steps.astype(np.int8, order="C")
