"""From scores to a level: k of n windows, evidence over windows, hysteresis; the changes worth telling."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from agent.config.alarm import AlarmPolicy
from agent.inference.scoring import Level, Thresholds
from agent.inference.window import WindowSpec
from agent.judging.alert import Change, Rule
from agent.judging.drift_evidence import DriftEvidence, EvidenceLines, excused


@dataclass(frozen=True)
class Transition:
    """A change of level."""

    change: Change
    level: Level
    """The level reached; for a cleared alert the highest that it had."""
    rule: Rule
    """What gave it that level."""
    windows: int
    """Windows that the rule looked at: n, or those since the evidence began."""


class Scale(Protocol):
    """What an alarm must know of the scores that it is fed; a bundle's ``Manifest`` says it."""

    @property
    def thresholds(self) -> Thresholds:
        """The lines of the two levels."""
        ...

    @property
    def window(self) -> WindowSpec:
        """The windows that are scored, one every hop."""
        ...

    @property
    def rate_hz(self) -> float | None:
        """Sample rate; without it there is no evidence over windows, for it has no time."""
        ...

    @property
    def wander(self) -> float:
        """See ``Manifest.wander``."""
        ...


class Alarm:
    """The alarm of one sensor: feed it scores, it answers when the level changes.

    An alert keeps its highest level until it clears: a machine that hovers between warning and alarm is one
    alert, not many. It clears when the last n windows are quiet and the evidence over windows supports none.

    Args:
        scale: Of the scores: the manifest of the bundle that makes them.
        policy: The rules.
        thresholds: Those that a person has set in place of the bundle's. Whoever raises the warning line
            says that the machine is healthy up to there: the evidence over windows starts that much higher.
        open_alert: What last happened to the alert that was open when the daemon stopped.

    Attributes:
        thresholds: In force now.
        policy: In force now.
    """

    def __init__(
        self,
        scale: Scale,
        policy: AlarmPolicy,
        thresholds: Thresholds | None = None,
        open_alert: Transition | None = None,
    ) -> None:
        self._scale = scale
        self._reached = open_alert
        self._recent: deque[float] = deque()
        self._drift: DriftEvidence | None = None
        self.adjust(thresholds or scale.thresholds, policy)

    @property
    def level(self) -> Level:
        """The level now."""
        return self._reached.level if self._reached else Level.NORMAL

    @property
    def evidence(self) -> float | None:
        """Evidence over windows, as a part of what raises a warning; None if that rule is off."""
        if self._drift is None:
            return None
        return self._drift.evidence / self._drift.lines.warning

    def adjust(self, thresholds: Thresholds, policy: AlarmPolicy) -> None:
        """Change what makes a level; the level stays until the next window says otherwise."""
        self.thresholds = thresholds
        self.policy = policy
        self._recent = deque(self._recent, maxlen=policy.n)
        warning = thresholds.of(Level.WARNING)
        self._quiet_below = policy.quiet_below(warning)
        raised_by = max(warning - self._scale.thresholds.of(Level.WARNING), 0.0)
        self._excused = excused(self._scale.wander) + raised_by
        self._drift = self._adjusted_drift()

    def update(self, score: float) -> Transition | None:
        """Take the next window's score and return what changed, if anything.

        Args:
            score: Finite; higher is more abnormal.
        """
        self._recent.append(score)
        quiet = self._is_quiet()
        drifted = self._drift_level(score, quiet)
        supported = max(self._supported_level(), drifted)
        if supported > self.level:
            return self._reach(supported)
        if self._reached is not None and quiet and drifted is Level.NORMAL:
            cleared = replace(self._reached, change=Change.CLEARED)
            self._reached = None
            return cleared
        return None

    def _reach(self, level: Level) -> Transition:
        change = Change.RAISED if self._reached is None else Change.ESCALATED
        if self._drift is None or self._supported_level() >= level:
            self._reached = Transition(change, level, Rule.K_OF_N, self.policy.n)
        else:
            self._reached = Transition(change, level, Rule.PERSISTENCE, self._drift.windows)
        return self._reached

    def _supported_level(self) -> Level:
        for level in (Level.ALARM, Level.WARNING):
            threshold = self.thresholds.of(level)
            if sum(score >= threshold for score in self._recent) >= self.policy.k:
                return level
        return Level.NORMAL

    def _is_quiet(self) -> bool:
        return len(self._recent) == self.policy.n and max(self._recent) < self._quiet_below

    def _drift_level(self, score: float, quiet: bool) -> Level:
        """Return the level that the evidence over windows supports.

        During an alarm the evidence rests until it is quiet: there is nothing left to raise, and an alarm
        that single windows have raised ends with them.
        """
        if self._drift is None:
            return Level.NORMAL
        if self.level is Level.ALARM and not quiet:
            return self._drift.level
        return self._drift.update(score - self._excused)

    def _adjusted_drift(self) -> DriftEvidence | None:
        """Return the evidence so far, on the lines of the policy."""
        hours, rate_hz, window = self.policy.persistence_hours, self._scale.rate_hz, self._scale.window
        if hours == 0.0 or rate_hz is None:
            return None
        lines = EvidenceLines.of(hours, window, rate_hz)
        if self._drift is not None:
            self._drift.lines = lines
            return self._drift
        if self._reached is not None and self._reached.rule is Rule.PERSISTENCE:
            return DriftEvidence(lines, window, self._reached.level, self._reached.windows)
        return DriftEvidence(lines, window)


@dataclass(frozen=True)
class Episode:
    """The life of an alert, by the numbers of its windows."""

    steps: tuple[tuple[int, Transition], ...]
    """When it was raised, and escalated if it was."""
    cleared: int | None
    """None if it is still open at the end."""

    @property
    def raised(self) -> int:
        """Window that raised it."""
        return self.steps[0][0]

    @property
    def last(self) -> Transition:
        """The step to its highest level."""
        return self.steps[-1][1]

    def reached(self, level: Level) -> tuple[int, Transition] | None:
        """Return the window and the step that reached a level or a higher one, if any did."""
        return next((step for step in self.steps if step[1].level >= level), None)


def episodes(scores: Iterable[float], alarm: Alarm) -> list[Episode]:
    """Return the alerts that a sensor's alarm makes of the scores of consecutive windows."""
    found: list[Episode] = []
    steps: tuple[tuple[int, Transition], ...] = ()
    for window, score in enumerate(scores):
        transition = alarm.update(score)
        if transition is None:
            continue
        if transition.change is Change.CLEARED:
            found.append(Episode(steps, window))
            steps = ()
        else:
            steps = (*steps, (window, transition))
    return [*found, Episode(steps, None)] if steps else found
