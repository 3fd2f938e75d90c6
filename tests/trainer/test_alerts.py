"""Alerts after the fact are the alerts of the gateway."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.alarm import Alarm, AlarmPolicy
from agent.inference.scoring import Level, Threshold, Thresholds
from trainer.alerts import Alert, AlertRule, find_alerts

SCORES = st.lists(st.sampled_from([0.0, 1.7, 1.9, 2.0, 2.5, 3.0, 4.0]), max_size=30)


def test_two_of_three_raise_and_three_quiet_ones_clear() -> None:
    scores = np.array([2.0, 0.0, 2.0, 0.0, 1.9, 0.0, 0.0, 0.0, 2.0, 2.0])
    alerts = find_alerts(scores, 2.0, 1.8, AlertRule())
    assert alerts == [Alert(2, 7), Alert(9, 10)]


def test_no_windows_no_alerts() -> None:
    assert find_alerts(np.empty(0), 2.0, 1.8, AlertRule()) == []


@given(SCORES, st.integers(1, 4), st.integers(0, 3))
def test_they_are_open_when_those_of_the_gateway_are(scores: list[float], k: int, more: int) -> None:
    thresholds = Thresholds(Threshold(2.0, "x"), Threshold(3.0, "x"))
    rule = AlertRule(k, k + more)
    gateway = Alarm(thresholds, AlarmPolicy(rule.k, rule.n, rule.hysteresis))
    levels = []
    for score in scores:
        gateway.update(score)
        levels.append(gateway.level)
    for level in (Level.WARNING, Level.ALARM):
        active = np.zeros(len(scores), bool)
        for alert in find_alerts(np.array(scores), thresholds.of(level), rule.quiet_below(2.0), rule):
            active[alert.raised : alert.cleared] = True
        assert active.tolist() == [found >= level for found in levels]
