"""The scores of a while, summed up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent.inference.scoring import Level


@dataclass(frozen=True)
class ScoreSummary:
    """The scores of one sensor over a while; at least one window."""

    sensor: str
    start: datetime
    """UTC time of the first window's last sample."""
    end: datetime
    """UTC time of the last window's last sample."""
    windows: int
    score_max: float
    score_median: float
    level: Level
    """Level of the alarm at the end."""
    simulated: bool
