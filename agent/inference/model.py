"""The TFLite runtime: features in, reconstruction out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.errors import ModelError
from agent.inference.arrays import FloatArray

STACK = 32
"""Windows that a graph takes at once, if it can take several and there are so many."""

_INT8_MIN, _INT8_MAX = np.float32(-128), np.float32(127)
_ABSENT = -1
_STACK_TOLERANCE = 1e-4
"""Float kernels may add up in another order for several windows."""


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

    def stored(self, values: FloatArray) -> npt.NDArray[np.int8] | FloatArray:
        """Return values as the graph takes them, same shape; beyond its integers' range they saturate."""
        if not self.quantized:
            return np.ascontiguousarray(values)
        steps = values * self._steps_per_unit
        steps += self.zero
        np.rint(steps, out=steps)
        np.maximum(steps, _INT8_MIN, out=steps)
        np.minimum(steps, _INT8_MAX, out=steps)
        return steps.astype(np.int8, order="C")

    def read(self, stored: npt.NDArray[np.int8] | FloatArray, into: FloatArray) -> None:
        """Write what the graph gives into an array of numbers of the same shape."""
        into[...] = stored
        if self.quantized:
            into -= self.zero
            into *= self.scale

    @cached_property
    def _steps_per_unit(self) -> np.float32:
        return np.float32(1.0) / self.scale


class _Graph:
    """A graph with its tensors allocated for so many windows at once."""

    def __init__(self, content: bytes, rows: int | None = None) -> None:
        """Load the graph and give its input the shape (rows, ...); ``rows`` of None takes it as it is.

        Raises:
            ModelError: If there is no runtime, or it refuses the graph.
        """
        interpreter_class, self.runtime = _runtime()
        try:
            self._interpreter = interpreter_class(model_content=content, num_threads=1)
            if rows is not None:
                put = self._interpreter.get_input_details()[0]
                self._interpreter.resize_tensor_input(put["index"], (rows, *put["shape"][1:]))
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError(f"{self.runtime} refuses the model: {reason}") from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"expected one input and one output, found {len(inputs)} and {len(outputs)}")
        self.input, self.output = _Port.of(inputs[0]), _Port.of(outputs[0])

    def run(self, stored: npt.NDArray[np.int8] | FloatArray, into: FloatArray) -> None:
        """Write the reconstruction of as many windows as there are rows; both of shape (n_windows, ...)."""
        self._interpreter.set_tensor(self.input.index, stored)
        self._interpreter.invoke()
        self.output.read(self._interpreter.get_tensor(self.output.index), into)

    @property
    def takes_several(self) -> bool:
        """False if several windows at once might crash the runtime.

        The layers that tflite-runtime 2.14 may not survive on ARM are left to one window at a time, and so is
        a runtime that does not tell its operators.
        """
        operators = getattr(self._interpreter, "_get_ops_details", None)
        if operators is None:
            return False
        layers = [list(op["inputs"]) for op in operators() if op["op_name"] == "FULLY_CONNECTED"]
        return all(len(inputs) > 2 and inputs[2] != _ABSENT for inputs in layers)


class TFLiteModel:
    """One autoencoder graph with one input and one output.

    Not for several threads at once.
    """

    def __init__(self, content: bytes) -> None:
        """Load the graph and allocate its tensors.

        Args:
            content: The ``.tflite`` file.

        Raises:
            ModelError: If there is no runtime, or it refuses the graph.
        """
        self._content = content
        self._single = _Graph(content)
        self.runtime = self._single.runtime
        """Name and version."""

    @property
    def quantized(self) -> bool:
        """True if the graph takes integers."""
        return self._single.input.quantized

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one window's features, without the batch."""
        return self._single.input.shape[1:]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of one window's reconstruction, without the batch."""
        return self._single.output.shape[1:]

    @property
    def stacks(self) -> bool:
        """True if the graph takes ``STACK`` windows at once; found out when first asked."""
        return self._stack is not None

    def reconstruct(self, features: FloatArray) -> FloatArray:
        """Return the reconstruction of each window's features.

        Args:
            features: Shape (n_windows, *shape).

        Returns:
            Shape (n_windows, *output_shape).
        """
        stored = self._single.input.stored(features)
        result = np.empty((len(features), *self.output_shape), np.float32)
        done = 0
        if len(features) >= STACK and self._stack is not None:
            for done in range(STACK, len(features) + 1, STACK):
                self._stack.run(stored[done - STACK : done], result[done - STACK : done])
        for window in range(done, len(features)):
            self._single.run(stored[window : window + 1], result[window : window + 1])
        return result

    @cached_property
    def _stack(self) -> _Graph | None:
        """The graph for several windows at once; None if it cannot do that, or gives other numbers then."""
        if not self._single.takes_several:
            return None
        try:
            stack = _Graph(self._content, STACK)
        except ModelError:
            return None
        if stack.output.shape != (STACK, *self.output_shape):
            return None
        return stack if self._agrees(stack) else None

    def _agrees(self, stack: _Graph) -> bool:
        """Try a stack of noise: a shape that was fixed somewhere inside may mix the windows up."""
        noise = np.random.default_rng(0).standard_normal((STACK, *self.shape)).astype(np.float32)
        stored = self._single.input.stored(noise)
        together, alone = np.empty((2, STACK, *self.output_shape), np.float32)
        try:
            stack.run(stored, together)
        except (ValueError, RuntimeError):
            return False
        for window in range(STACK):
            self._single.run(stored[window : window + 1], alone[window : window + 1])
        return bool(np.allclose(together, alone, rtol=_STACK_TOLERANCE, atol=_STACK_TOLERANCE))
