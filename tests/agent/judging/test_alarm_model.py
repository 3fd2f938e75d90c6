"""The alarm against a plain model of its rules, while the rules change and the daemon restarts."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agent.config.alarm import AlarmPolicy
from agent.inference.manifest import Manifest
from agent.inference.scoring import Level, Threshold, Thresholds
from agent.inference.window import WindowSpec
from agent.judging.alarm import Alarm, Transition
from agent.judging.alert import Change, Rule

POLICIES = st.integers(1, 5).flatmap(
    lambda n: st.builds(
        AlarmPolicy,
        k=st.integers(1, n),
        n=st.just(n),
        hysteresis=st.sampled_from([0.0, 0.25, 1.0]),
        persistence_hours=st.just(0.0),
    )
)
LINES = st.sampled_from([(2.0, 4.0), (1.0, 4.0), (4.0, 4.0), (0.0, 8.0)])


class Scale:
    """Scores without a time base: there is no evidence over windows."""

    window = WindowSpec(64, 64)
    rate_hz = None
    wander = 0.0
    thresholds = Thresholds(Threshold(2.0, "rate"), Threshold(4.0, "rate"))


class AlarmModel(RuleBasedStateMachine):
    """Scores, new rules and restarts in any order."""

    @initialize(policy=POLICIES)
    def begin(self, policy: AlarmPolicy) -> None:
        self.alarm = Alarm(Scale(), policy)
        self.policy = policy
        self.lines = (2.0, 4.0)
        self.scores: list[float] = []
        self.level = Level.NORMAL
        self.last: Transition | None = None

    @rule(score=st.sampled_from([-1.0, 0.0, 0.5, 1.5, 2.0, 3.0, 4.0, 9.0]))
    def hear(self, score: float) -> None:
        self.scores = [*self.scores, score][-self.policy.n :]
        change = self.alarm.update(score)
        reached = self._reached()
        if reached > self.level:
            kind = Change.RAISED if self.level is Level.NORMAL else Change.ESCALATED
            assert change == Transition(kind, reached, Rule.K_OF_N, self.policy.n)
            self.level, self.last = reached, change
        elif self.level is not Level.NORMAL and self._quiet():
            assert self.last is not None
            assert change == replace(self.last, change=Change.CLEARED)
            self.level, self.last = Level.NORMAL, None
        else:
            assert change is None

    def _reached(self) -> Level:
        warning, alarm = self.lines
        for level, line in ((Level.ALARM, alarm), (Level.WARNING, warning)):
            if len([score for score in self.scores if score >= line]) >= self.policy.k:
                return level
        return Level.NORMAL

    def _quiet(self) -> bool:
        below = self.lines[0] * (1 - self.policy.hysteresis)  # no line of these is negative
        return len(self.scores) == self.policy.n and all(score < below for score in self.scores)

    @rule(lines=LINES, policy=POLICIES)
    def adjust(self, lines: tuple[float, float], policy: AlarmPolicy) -> None:
        self.alarm.adjust(Thresholds(Threshold(lines[0], "set"), Threshold(lines[1], "set")), policy)
        self.lines, self.policy = lines, policy
        self.scores = self.scores[-policy.n :]

    @rule()
    def restart(self) -> None:
        """What happened last to an open alert is kept; the scores are not."""
        thresholds = self.alarm.thresholds
        self.alarm = Alarm(Scale(), self.policy, thresholds, self.last)
        self.scores = []

    @invariant()
    def the_level_is_the_models(self) -> None:
        assert self.alarm.level is self.level

    @invariant()
    def without_a_time_base_there_is_no_evidence(self) -> None:
        assert self.alarm.evidence is None


AlarmModel.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAlarmModel = AlarmModel.TestCase


class TestQuiet:
    """The line below which a window is quiet: warning less a part of its size."""

    LINES: ClassVar = [(2.0, 0.1, 1.8), (2.0, 0.0, 2.0), (-1.0, 0.5, -1.5), (0.0, 1.0, 0.0), (4.0, 1.0, 0.0)]

    @pytest.mark.parametrize(("warning", "hysteresis", "line"), LINES)
    def test_it_lies_below_the_warning_line(self, warning: float, hysteresis: float, line: float) -> None:
        assert AlarmPolicy(hysteresis=hysteresis).quiet_below(warning) == pytest.approx(line)


def test_what_single_windows_raised_is_told_so_though_evidence_would_do(level_manifest: Manifest) -> None:
    """Both rules reach the level in the same window: the plainer reason is given."""
    manifest = replace(level_manifest, window=WindowSpec(64, 64), rate_hz=100.0)
    alarm = Alarm(manifest, AlarmPolicy(k=2, n=3, persistence_hours=1.0))
    changes = [change for change in map(alarm.update, [9.0] * 20) if change]
    assert changes == [Transition(Change.RAISED, Level.ALARM, Rule.K_OF_N, 3)]


def test_one_change_of_the_rules_may_end_an_alert_with_the_next_window() -> None:
    alarm = Alarm(Scale(), AlarmPolicy(k=1, n=3, persistence_hours=0.0))
    raised = alarm.update(3.0)
    assert raised == Transition(Change.RAISED, Level.WARNING, Rule.K_OF_N, 3)
    alarm.adjust(Scale.thresholds, AlarmPolicy(k=1, n=1, persistence_hours=0.0))
    assert alarm.level is Level.WARNING
    assert alarm.update(0.0) == replace(raised, change=Change.CLEARED)
