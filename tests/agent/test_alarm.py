"""The alarm rule, score by score."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.alarm import Alarm, AlarmPolicy, Change, Transition
from agent.inference.scoring import Level, Threshold, Thresholds

LINES = Thresholds(Threshold(2.0, "rate"), Threshold(4.0, "rate"))


def changes(scores: list[float], policy: AlarmPolicy | None = None) -> list[Transition | None]:
    alarm = Alarm(LINES, policy or AlarmPolicy(k=2, n=3, hysteresis=0.1))
    return [alarm.update(score) for score in scores]


def test_one_bad_window_is_no_alert() -> None:
    assert changes([0.0, 9.0, 0.0, 0.0, 9.0, 0.0, 0.0]) == [None] * 7


def test_two_of_three_raise() -> None:
    assert changes([9.0, 0.0, 9.0])[-1] == Transition(Change.RAISED, Level.ALARM)


def test_a_warning_escalates_once() -> None:
    result = changes([3.0, 3.0, 5.0, 5.0, 5.0])
    assert result == [
        None,
        Transition(Change.RAISED, Level.WARNING),
        None,
        Transition(Change.ESCALATED, Level.ALARM),
        None,
    ]


def test_it_clears_after_n_quiet_windows_and_names_the_highest_level() -> None:
    result = changes([5.0, 5.0, 0.0, 0.0, 0.0])
    assert result[1] == Transition(Change.RAISED, Level.ALARM)
    assert result[2:] == [None, None, Transition(Change.CLEARED, Level.ALARM)]


def test_a_score_that_hovers_at_the_line_is_one_alert() -> None:
    result = [change for change in changes([2.1, 1.95] * 50) if change is not None]
    assert result == [Transition(Change.RAISED, Level.WARNING)]


def test_just_inside_the_hysteresis_does_not_clear() -> None:
    assert changes([3.0, 3.0, 1.81, 1.81, 1.81])[2:] == [None, None, None]
    assert changes([3.0, 3.0, 1.79, 1.79, 1.79])[-1] == Transition(Change.CLEARED, Level.WARNING)


def test_it_goes_on_with_the_level_of_an_alert_left_open() -> None:
    alarm = Alarm(LINES, AlarmPolicy(), Level.ALARM)
    assert alarm.update(9.0) is None
    assert [alarm.update(0.0) for _ in range(3)][-1] == Transition(Change.CLEARED, Level.ALARM)


def test_k_above_n_is_refused() -> None:
    with pytest.raises(ValueError, match="can never happen"):
        AlarmPolicy(k=4, n=3)


@given(
    st.lists(st.floats(-5, 50), max_size=200),
    st.integers(1, 6).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))),
)
def test_an_alert_is_raised_before_it_escalates_and_both_before_it_clears(
    scores: list[float], rule: tuple[int, int]
) -> None:
    policy = AlarmPolicy(k=rule[0], n=rule[1])
    level = Level.NORMAL
    for change in filter(None, changes(scores, policy)):
        if change.change is Change.RAISED:
            assert level is Level.NORMAL
        elif change.change is Change.ESCALATED:
            assert (level, change.level) == (Level.WARNING, Level.ALARM)
        else:
            assert change.level is level is not Level.NORMAL
        level = Level.NORMAL if change.change is Change.CLEARED else change.level
