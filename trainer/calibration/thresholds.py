"""Where the lines of warning and alarm are placed."""

from __future__ import annotations

from agent.inference.arrays import ScoreArray
from agent.inference.scoring import Threshold, Thresholds
from trainer.settings import ErrorLine, Method


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
