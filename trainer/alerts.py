"""The gateway's alerts, counted after the fact: k of n windows raise one, n quiet ones in a row clear it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ScoreArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class AlertRule:
    """How many windows make an alert; the defaults are the gateway's."""

    k: int = 2
    """Windows at or above the line, out of the last ``n``, that raise an alert."""
    n: int = 3
    """Windows looked at; also the quiet ones in a row that clear it."""
    hysteresis: float = 0.1
    """A window is quiet below the warning line less this fraction of it."""

    def quiet_below(self, warning: float) -> float:
        """Return the score below which a window is quiet, from the warning line."""
        return warning - self.hysteresis * abs(warning)


@dataclass(frozen=True)
class Alert:
    """An alert, by the numbers of its windows."""

    raised: int
    """Window that raised it."""
    cleared: int
    """Window that cleared it; the number of windows if it is still open at the end."""


def find_alerts(scores: ScoreArray, line: float, quiet_below: float, rule: AlertRule) -> list[Alert]:
    """Return the alerts that reach a line.

    Args:
        scores: Calibrated scores of consecutive windows, shape (n_windows,).
        line: Of the level that is looked for.
        quiet_below: See ``AlertRule.quiet_below``.
        rule: The rule.
    """
    if len(scores) == 0:
        return []
    raising = (_last(scores, rule.n, -np.inf) >= line).sum(axis=1) >= rule.k
    quiet = _last(scores, rule.n, np.inf).max(axis=1) < quiet_below
    alerts: list[Alert] = []
    raised: int | None = None
    for window, (rises, clears) in enumerate(zip(raising.tolist(), quiet.tolist(), strict=True)):
        if raised is None and rises:
            raised = window
        elif raised is not None and clears:
            alerts.append(Alert(raised, window))
            raised = None
    return alerts if raised is None else [*alerts, Alert(raised, len(scores))]


def _last(scores: ScoreArray, n: int, before: float) -> ScoreArray:
    """Return the last ``n`` scores at each window, shape (n_windows, n)."""
    padded = np.concatenate((np.full(n - 1, before), scores))
    return np.lib.stride_tricks.sliding_window_view(padded, n)
