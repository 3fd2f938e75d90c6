"""What the finished detector does on windows it has never seen, and what quantization took from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from scipy.stats import beta

from agent.inference.arrays import FloatArray
from agent.inference.detector import raw_scores
from agent.inference.model import TFLiteModel
from agent.inference.reconstruction import ReconstructionPart
from agent.inference.scoring import Level
from trainer.errors import ConversionError
from trainer.system.quiet import diverted_output

CONFIDENCE = 0.95

MIN_CORRELATION = 0.9
"""Below it the quantized scores share less than four fifths of their variance with the float ones."""


@dataclass(frozen=True)
class FalseAlarms:
    """How often windows of a healthy machine reach a level or a higher one."""

    level: str
    windows: int
    alarms: int
    independent: int
    """Independent windows among them, rounded down."""
    upper_limit: float
    """Upper 95 % confidence limit of the false-alarm rate (Clopper-Pearson) over the independent windows."""


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


def count_false_alarms(levels: Sequence[Level], level: Level, independent: float) -> FalseAlarms:
    """Count the windows at or above a level.

    Args:
        levels: Of each held-out window.
        level: The one to count.
        independent: Number of independent windows among them.
    """
    alarms = sum(found >= level for found in levels)
    n_independent = max(int(independent), 1)
    limit = upper_limit(alarms / len(levels) * n_independent, n_independent)
    return FalseAlarms(str(level), len(levels), alarms, n_independent, limit)


def upper_limit(events: float, trials: int) -> float:
    """Return the upper 95 % confidence limit of a probability.

    Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 26 (1934), one-sided.

    Args:
        events: How often it happened; overlapping windows give fractions.
        trials: Out of how many.
    """
    if events >= trials:
        return 1.0
    return float(beta.ppf(CONFIDENCE, events + 1, trials - events))


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
        windows: Shape (n_windows, length, n_axes).

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
