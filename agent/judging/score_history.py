"""The scores of one sensor: the newest for statistics, and what has come since the last summary."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import NamedTuple

SCORES_KEPT = 1000
"""The newest scores, of which quantiles are told."""


class Scored(NamedTuple):
    """A window's score."""

    at: datetime
    """UTC time of the window's last sample."""
    score: float


@dataclass(frozen=True)
class ScoreSample:
    """Scores for statistics."""

    newest: tuple[float, ...]
    """At most ``SCORES_KEPT``."""
    count: int
    """Windows scored since the daemon started."""
    total: float
    """Sum of their scores."""


class ScoreHistory:
    """Written by the detector's thread, read by any.

    Attributes:
        last: The newest score, or None before the first and while the last is out of date.
        count: Windows scored since the daemon started.
    """

    def __init__(self) -> None:
        self.last: Scored | None = None
        self.count = 0
        self._lock = Lock()
        self._newest: deque[float] = deque(maxlen=SCORES_KEPT)
        self._unread: list[Scored] = []
        self._total = 0.0

    def add(self, at: datetime, score: float) -> None:
        """Keep the score of the window whose last sample is from ``at``, UTC."""
        with self._lock:
            self.last = Scored(at, score)
            self._newest.append(score)
            self._unread.append(self.last)
            self.count += 1
            self._total += score

    def outdate(self) -> None:
        """Take the last score for one of the past: nothing has come since that could be judged."""
        self.last = None

    def sample(self) -> ScoreSample:
        """Return the newest scores, and the sum of all."""
        with self._lock:
            return ScoreSample(tuple(self._newest), self.count, self._total)

    def take(self) -> list[Scored]:
        """Return the scores since the last call, in the order of their windows."""
        with self._lock:
            taken, self._unread = self._unread, []
        return taken
