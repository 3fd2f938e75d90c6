"""What quantization took from a network: its errors on the same windows, beside those of its float32 twin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from agent.inference.arrays import FloatArray
from agent.inference.detector import raw_scores
from agent.inference.model import TFLiteModel
from agent.inference.reconstruction import ReconstructionPart
from trainer.errors import ConversionError
from trainer.system.quiet import diverted_output

MIN_CORRELATION = 0.9
"""Below it the quantized scores share less than four fifths of their variance with the float ones."""


@dataclass(frozen=True)
class Fidelity:
    """The reconstruction scores of the graph that ships against those of its float32 twin."""

    correlation: float
    """Pearson's, of the worst axis."""
    largest_difference: float
    """Of any window and axis, as a part of the axis' median float32 score."""

    @property
    def faithful(self) -> bool:
        """True if the quantized graph may ship."""
        return self.correlation >= MIN_CORRELATION


def refuse_unfaithful(name: str, fidelity: Fidelity, others: Mapping[str, Fidelity]) -> NoReturn:
    """Refuse a quantization, and say which ones pass.

    Raises:
        ConversionError: Always.
    """
    passing = [other for other, theirs in others.items() if theirs.faithful]
    raise ConversionError(
        f"{name} loses too much: its scores correlate with those of float32 by {fidelity.correlation:.2f} "
        f"only; choose --quantize {' or '.join(passing)}"
    )


def compare(part: ReconstructionPart, shipped: bytes, exact: bytes, windows: FloatArray) -> Fidelity:
    """Score windows with the graph that ships and with its float32 twin, on the gateway's runtime.

    Args:
        part: The part, with or without tails.
        shipped: The quantized graph.
        exact: The float32 graph.
        windows: In g, of shape (n_windows, length, n_axes).

    Raises:
        ModelError: If the runtime refuses a graph.
        WindowError: If a score is not finite.
    """
    with diverted_output():  # the runtime announces its delegate
        models = [TFLiteModel(graph) for graph in (shipped, exact)]
    scores, expected = (
        raw_scores([part], {part.model: model}, windows)[0].astype(np.float64) for model in models
    )
    correlations = [np.corrcoef(a, b)[0, 1] for a, b in zip(scores.T, expected.T, strict=True)]
    difference = np.abs(scores - expected) / np.median(expected, axis=0)
    return Fidelity(float(min(correlations)), float(difference.max()))
