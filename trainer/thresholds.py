"""Where the lines of warning and alarm are placed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np

from agent.inference.arrays import ScoreArray
from agent.inference.scoring import Threshold, Thresholds, score_from_rate
from trainer.errors import MethodError

MethodKind = Literal["sigma", "error-sigma", "percentile", "rate"]

ErrorLine = Callable[[float], float]
"""Returns the score of a window whose network's error lies so many standard deviations above its mean."""

_EXAMPLES = "write sigma:3, percentile:99.5 or rate:0.005"


@dataclass(frozen=True)
class Method:
    """How a line is derived from healthy windows."""

    kind: MethodKind
    """``sigma``: mean + value x standard deviation of the healthy windows' scores; ``error-sigma``: the same
    of the network's errors, or of their Mahalanobis distances; ``percentile``: of the scores; ``rate``: the
    score that this fraction of healthy windows reaches, by the calibration."""
    value: float

    def __str__(self) -> str:
        return f"{self.kind}:{self.value:g}"

    def line(self, scores: ScoreArray, error_line: ErrorLine | None = None) -> float:
        """Return the line on the scale of the calibrated score.

        Args:
            scores: Calibrated scores of healthy windows, shape (n_windows,).
            error_line: For ``error-sigma``.

        Raises:
            MethodError: If the method needs the network's errors, and they are not there.
        """
        if self.kind == "error-sigma":
            if error_line is None:
                raise MethodError(f"'{self}' is for fit, where the network's healthy errors are known")
            return error_line(self.value)
        if self.kind == "rate":
            return score_from_rate(self.value)
        if self.kind == "percentile":
            return float(np.percentile(scores, self.value))
        return float(scores.mean() + self.value * scores.std())


def parse_method(text: str) -> Method:
    """Return the method that a text such as ``rate:0.001`` stands for.

    Raises:
        MethodError: If it stands for none, or its value is out of range.
    """
    kind, _, number = text.partition(":")
    if kind not in get_args(MethodKind):
        raise MethodError(f"'{text}' is no threshold method; {_EXAMPLES}")
    try:
        value = float(number)
    except ValueError:
        raise MethodError(f"'{text}': '{number}' is no number; {_EXAMPLES}") from None
    low, high = {"percentile": (0.0, 100.0), "rate": (1e-12, 0.5)}.get(kind, (0.0, 100.0))
    if not low <= value <= high:
        raise MethodError(f"'{text}': {kind} takes {low:g} to {high:g}; {_EXAMPLES}")
    return Method(cast(MethodKind, kind), value)


def place(
    warning: Method, alarm: Method, scores: ScoreArray, error_line: ErrorLine | None = None
) -> Thresholds:
    """Return the two lines; an alarm line below the warning line is lifted to it.

    Args:
        warning: How the warning line is derived.
        alarm: How the alarm line is derived.
        scores: Calibrated scores of healthy windows, shape (n_windows,).
        error_line: For ``error-sigma``.

    Raises:
        MethodError: If a method needs the network's errors, and they are not there.
    """
    lower, upper = (float(f"{method.line(scores, error_line):.6g}") for method in (warning, alarm))
    if upper < lower:
        return Thresholds(Threshold(lower, str(warning)), Threshold(lower, f"{alarm}, lifted to {warning}"))
    return Thresholds(Threshold(lower, str(warning)), Threshold(upper, str(alarm)))
