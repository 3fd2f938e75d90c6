"""From scores to a level: k of n windows, hysteresis, and the changes worth telling."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from agent.decode import Range
from agent.inference.scoring import Level, Thresholds


class Change(StrEnum):
    """What happened to an alert."""

    RAISED = "raised"
    ESCALATED = "escalated"
    CLEARED = "cleared"


@dataclass(frozen=True)
class AlarmPolicy:
    """How many windows make a level, and how quiet it must be to end it."""

    k: Annotated[int, Range(1, 1000, "windows")] = 2
    """Windows at or above a threshold, out of the last ``n``, that make its level."""
    n: Annotated[int, Range(1, 1000, "windows")] = 3
    """Windows looked at; also the quiet ones in a row that clear an alert."""
    hysteresis: Annotated[float, Range(0.0, 1.0)] = 0.1
    """A window is quiet below the warning threshold less this fraction of it."""

    def __post_init__(self) -> None:
        if self.k > self.n:
            raise ValueError(f"k = {self.k} of n = {self.n} windows can never happen; k must not exceed n")


@dataclass(frozen=True)
class Transition:
    """A change of level."""

    change: Change
    level: Level
    """The level reached; for a cleared alert the highest that it had."""


class Alarm:
    """The alarm of one sensor: feed it scores, it answers when the level changes.

    An alert keeps its highest level until it clears: a machine that hovers between warning and alarm is one
    alert, not many.
    """

    def __init__(self, thresholds: Thresholds, policy: AlarmPolicy, level: Level = Level.NORMAL) -> None:
        """Start at a level: that of the alert that was open when the daemon stopped, or normal."""
        self._recent: deque[float] = deque()
        self.level = level
        self.adjust(thresholds, policy)

    def adjust(self, thresholds: Thresholds, policy: AlarmPolicy) -> None:
        """Change what makes a level; the level stays until the next window says otherwise."""
        self.thresholds = thresholds
        self._policy = policy
        self._recent = deque(self._recent, maxlen=policy.n)
        warning = thresholds.of(Level.WARNING)
        self._quiet_below = warning - policy.hysteresis * abs(warning)

    def update(self, score: float) -> Transition | None:
        """Take the next window's score and return what changed, if anything.

        Args:
            score: Finite; higher is more abnormal.
        """
        self._recent.append(score)
        supported = self._supported_level()
        if supported > self.level:
            change = Change.RAISED if self.level is Level.NORMAL else Change.ESCALATED
            self.level = supported
            return Transition(change, supported)
        if self.level is not Level.NORMAL and self._is_quiet():
            highest, self.level = self.level, Level.NORMAL
            return Transition(Change.CLEARED, highest)
        return None

    def _supported_level(self) -> Level:
        for level in (Level.ALARM, Level.WARNING):
            threshold = self.thresholds.of(level)
            if sum(score >= threshold for score in self._recent) >= self._policy.k:
                return level
        return Level.NORMAL

    def _is_quiet(self) -> bool:
        return len(self._recent) == self._policy.n and max(self._recent) < self._quiet_below
