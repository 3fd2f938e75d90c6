"""How often healthy windows are flagged, with the limit of what so few of them can prove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import beta

from agent.inference.scoring import Level

CONFIDENCE = 0.95


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


def count_false_alarms(levels: Sequence[Level], level: Level, independent: float) -> FalseAlarms:
    """Count the windows at or above a level.

    Args:
        levels: Of each held-out window, shape (n_windows,).
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
