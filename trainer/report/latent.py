"""What an autoencoder keeps of a window: the numbers in its bottleneck, read from the graph that ships.

A TFLite graph does not say which of its tensors is the code. But a bottleneck has two properties that can be
computed: everything on the way from input to output passes through it, and it holds fewer numbers than what
is reconstructed. The smallest tensor of that kind is taken, unless it is the input in another layout. A
network without a bottleneck, such as a stack of LSTM layers, has none; its reconstruction is then looked at.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from agent.inference.arrays import FloatArray, ScoreArray
from agent.inference.features import Features, PatchFeatures
from trainer.system.quiet import diverted_output

_RUNTIMES = ("tflite_runtime.interpreter", "ai_edge_litert.interpreter")
"""In the order in which a gateway takes them."""

_LAYOUT = {"RESHAPE", "TRANSPOSE", "EXPAND_DIMS", "SQUEEZE", "QUANTIZE", "DEQUANTIZE"}
"""Operations that leave the numbers as they are."""


@dataclass(frozen=True)
class Codes:
    """Some numbers for each of several windows, from inside a network, shape (n_windows, n_codes)."""

    values: ScoreArray
    """Shape (n_windows, n_numbers)."""
    description: str
    """What they are, in words."""


@dataclass(frozen=True)
class Plane:
    """The two directions in which codes differ most, and the windows there, shape (n_windows, 2)."""

    points: ScoreArray
    """Position of each window along both, shape (n_windows, 2)."""
    shares: tuple[float, float]
    """Of the variance, that lies along each."""


def latent_codes(graph: bytes, kind: Features, features: FloatArray) -> Codes:
    """Return what the network keeps of each window.

    Args:
        graph: The bytes of the ``.tflite`` file.
        kind: What the network is given.
        features: As ``kind`` makes them, shape (n_windows, *shape).
    """
    interpreter = _open(graph)
    given, output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    shapes = {tensor["index"]: tensor["shape"] for tensor in interpreter.get_tensor_details()}
    found = bottleneck(interpreter._get_ops_details(), given["index"], output["index"], shapes)
    detail = next(
        tensor
        for tensor in interpreter.get_tensor_details()
        if tensor["index"] == (output["index"] if found is None else found)
    )
    values = [_run(interpreter, given, detail, one) for one in features]
    if found is None:
        caption = "the network has no bottleneck, so this is what it reconstructs"
        return Codes(np.stack([value.ravel() for value in values]), caption)
    if isinstance(kind, PatchFeatures):
        n_codes = values[0].shape[-1]
        caption = (
            f"mean and standard deviation of the {n_codes} numbers of the bottleneck over a window's patches"
        )
        return Codes(np.stack([_moments(value.reshape(-1, n_codes)) for value in values]), caption)
    caption = f"the {values[0].size} numbers of the bottleneck"
    return Codes(np.stack([value.ravel() for value in values]), caption)


def bottleneck(
    operations: Sequence[Mapping[str, Any]], given: int, output: int, shapes: Mapping[int, Sequence[int]]
) -> int | None:
    """Return the smallest tensor through which all paths go and that is smaller than the output.

    A tensor lies on all paths if as many lead to it, times those from it to the output, as lead from input to
    output. Of several equally small ones the first is taken; None if there is none.

    Args:
        operations: In an order in which they can be computed: kind (``op_name``), and the tensors that each
            takes (``inputs``) and gives (``outputs``).
        given: The input's tensor.
        output: The output's tensor.
        shapes: Of the tensors; weights and others that depend on no input may be among them.
    """
    forward = {given: 1}
    for operation in operations:
        paths = sum(forward.get(int(tensor), 0) for tensor in operation["inputs"])
        forward.update({int(tensor): paths for tensor in operation["outputs"] if paths})
    backward = {output: 1}
    for operation in reversed(operations):
        paths = sum(backward.get(int(tensor), 0) for tensor in operation["outputs"])
        for tensor in map(int, operation["inputs"]):
            backward[tensor] = backward.get(tensor, 0) + paths
    every, unchanged = forward.get(output, 0), _unchanged(operations, given)
    narrow = [
        tensor
        for tensor, paths in forward.items()
        if paths * backward.get(tensor, 0) == every
        and tensor not in unchanged
        and _count(shapes[tensor]) < _count(shapes[output])
    ]
    return min(narrow, key=lambda tensor: _count(shapes[tensor]), default=None)


def principal_plane(values: ScoreArray) -> Plane:
    """Return the first two principal components of rows, shape (n_rows, n_numbers); 0 if there are none."""
    centred = values - values.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    points = np.zeros((len(values), 2))
    kept = min(2, len(singular))
    points[:, :kept] = left[:, :kept] * singular[:kept]
    total = float(np.square(singular).sum())
    first, second = (np.square(np.append(singular, [0.0, 0.0])[:2]) / total).tolist() if total else (0.0, 0.0)
    return Plane(points, (first, second))


def _unchanged(operations: Sequence[Mapping[str, Any]], given: int) -> set[int]:
    """Return the input and the tensors that are the input in another layout."""
    same = {given}
    for operation in operations:
        if operation["op_name"] in _LAYOUT and same & set(map(int, operation["inputs"])):
            same.update(map(int, operation["outputs"]))
    return same


def _open(graph: bytes) -> Any:  # noqa: ANN401 - the runtimes have no types
    runtime = _runtime()
    # A delegate would keep what is inside the graph to itself.
    plain = runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with diverted_output():
        interpreter = runtime.Interpreter(
            model_content=graph,
            num_threads=1,
            experimental_op_resolver_type=plain,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
    return interpreter


def _runtime() -> ModuleType:
    for name in _RUNTIMES[:-1]:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return importlib.import_module(_RUNTIMES[-1])


def _run(
    interpreter: Any,  # noqa: ANN401
    given: Mapping[str, Any],
    wanted: Mapping[str, Any],
    features: FloatArray,
) -> ScoreArray:
    """Return a tensor as real numbers, in its own shape, after the graph has run on one window's features."""
    stored = features[np.newaxis]
    if given["dtype"] is np.int8:
        scale, zero = given["quantization"]
        stored = np.clip(np.rint(stored / scale + zero), -128, 127).astype(np.int8)
    interpreter.set_tensor(given["index"], stored)
    interpreter.invoke()
    value: ScoreArray = interpreter.get_tensor(wanted["index"]).astype(np.float64)
    scale, zero = wanted["quantization"]
    return (value - zero) * scale if scale else value


def _moments(codes: ScoreArray) -> ScoreArray:
    return np.concatenate((codes.mean(axis=0), codes.std(axis=0)))


def _count(shape: Sequence[int]) -> int:
    return int(np.prod(shape))
