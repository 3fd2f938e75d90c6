"""When scores make an alarm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from agent.decode import Range


@dataclass(frozen=True)
class AlarmPolicy:
    """How many windows make a level, and how quiet it must be to end it."""

    k: Annotated[int, Range(1, 1000, "windows")] = 2
    """Windows at or above a threshold, out of the last ``n``, that make its level."""
    n: Annotated[int, Range(1, 1000, "windows")] = 3
    """Windows looked at; also the quiet ones in a row that clear an alert."""
    hysteresis: Annotated[float, Range(0.0, 1.0)] = 0.1
    """A window is quiet below the warning threshold less this fraction of it."""
    persistence_hours: Annotated[float, Range(0.0, 1e6, "h")] = 720.0
    """Mean time between false warnings by evidence over windows, 1 or more; 0 turns that rule off."""

    def __post_init__(self) -> None:
        if self.k > self.n:
            raise ValueError(f"k = {self.k} of n = {self.n} windows can never happen; k must not exceed n")
        if 0.0 < self.persistence_hours < 1.0:
            raise ValueError(
                f"persistence_hours = {self.persistence_hours:g}: give 1 h or more, or 0 to turn it off"
            )

    def quiet_below(self, warning: float) -> float:
        """Return the score below which a window is quiet, from the warning threshold."""
        return warning - self.hysteresis * abs(warning)
