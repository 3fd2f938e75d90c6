"""Alerts held against what is known of a recording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.config.alarm import AlarmPolicy
from agent.inference.detector import open_detector
from agent.inference.scoring import Level
from agent.judging.alarm import Episode, Transition
from agent.judging.alert import Change, Rule
from trainer.benchmark.events import EventFigures, Observed, count_events, event_lines, observe

BEGINS = tuple(range(0, 400, 10))
LENGTH, RATE_HZ = 20, 10.0


def alert(raised: int, cleared: int | None, *, alarm: int | None = None) -> Episode:
    """An alert that begins as a warning, and may become an alarm; all numbers are windows."""
    steps = [(raised, Transition(Change.RAISED, Level.WARNING, Rule.K_OF_N, 3))]
    if alarm == raised:
        steps = []
    if alarm is not None:
        steps.append((alarm, Transition(Change.ESCALATED, Level.ALARM, Rule.K_OF_N, 3)))
    return Episode(tuple(steps), cleared)


def counted(*alerts: Episode, defects: Any = ((100, 150),), ignored: Any = ()) -> EventFigures:
    return count_events("pump", Observed(alerts, BEGINS, LENGTH, RATE_HZ), defects, ignored)


def test_the_delay_ends_with_the_window_that_makes_it_an_alarm() -> None:
    # Window 10 holds rows 100 to 119, window 12 ends with row 139: the alarm comes at row 140.
    assert counted(alert(10, 14, alarm=12)) == EventFigures("pump", 1, (4.0,), 0, 0)


def test_a_warning_finds_no_defect_and_is_not_false_there() -> None:
    assert counted(alert(10, 14)) == EventFigures("pump", 1, (), 0, 0)


def test_an_alarm_that_is_there_already_has_no_delay() -> None:
    assert counted(alert(5, 20, alarm=6)).delays_s == (0.0,)


def test_an_alarm_that_ended_before_is_false_and_finds_nothing() -> None:
    assert counted(alert(1, 3, alarm=2)) == EventFigures("pump", 1, (), 1, 0)


def test_what_meets_nothing_known_is_false() -> None:
    figures = counted(alert(0, 2), alert(20, 22, alarm=20), alert(30, None), ignored=[(300, 310)])
    assert (figures.false_alarms, figures.false_warnings) == (1, 1)  # the last one is still open at its rows


def test_each_defect_has_its_own_delay() -> None:
    figures = counted(alert(2, 5, alarm=3), alert(30, 35, alarm=31), defects=[(20, 60), (290, 340)])
    assert figures.delays_s == (3.0, 4.0)
    assert event_lines([figures]) == (
        "  pump, alerts: 2 of 2 defects found after 3.00, 4.00 s; 0 false at alarm, 0 at warning level"
    )


def test_a_healthy_recording_has_false_alerts_only() -> None:
    assert event_lines([counted(alert(2, 5, alarm=3), defects=())]) == (
        "  pump, alerts: 1 false at alarm, 0 at warning level"
    )


def test_alerts_are_those_of_the_gateway(make_bundle: Callable[..., Path], make_source: Any) -> None:
    # Windows of 64, hop 32, of a detector that is healthy at 1 g.
    detector, _ = open_detector(make_bundle(axes=("x",)))
    samples = np.tile(np.array([1.0, -1.0], np.float32), 800)
    samples[640:960] *= 10.0
    observed = observe(detector, make_source(samples[:, np.newaxis], rate_hz=800.0).recording, AlarmPolicy())
    assert len(observed.alerts) == 1
    figures = count_events("pump", observed, [(640, 960)], [])
    # Two windows that hold loud rows: the second one that does ends 32 or 64 rows after the first of them.
    assert list(figures.delays_s) == pytest.approx([64 / 800])
    begin, end = observed.lifetime(observed.alerts[0])
    assert begin <= 640
    assert end >= 960
