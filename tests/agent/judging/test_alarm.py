"""The alarm rules, score by score."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.alarm import AlarmPolicy
from agent.inference.manifest import Manifest
from agent.inference.scoring import Level, Threshold, Thresholds
from agent.inference.window import WindowSpec
from agent.judging.alarm import Alarm, Episode, Transition, episodes
from agent.judging.alert import Change, Rule

LINES = Thresholds(Threshold(2.0, "rate"), Threshold(4.0, "rate"))
SINGLE = AlarmPolicy(k=2, n=3, hysteresis=0.1, persistence_hours=0.0)
"""Judges by single windows only."""
PERSISTENT = AlarmPolicy()

SCORES = st.lists(st.floats(-5, 50), max_size=200)
RULES = st.integers(1, 6).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n)))

Changes = Callable[..., list[Transition | None]]


@pytest.fixture(scope="session")
def manifest(level_manifest: Manifest) -> Manifest:
    """Windows of 0.64 s, four of which overlap; warning at 2, alarm at 4."""
    return replace(level_manifest, thresholds=LINES, window=WindowSpec(64, 16), rate_hz=100.0)


@pytest.fixture(scope="session")
def changes(manifest: Manifest) -> Changes:
    """What an alarm answers to scores."""

    def answers(scores: list[float], policy: AlarmPolicy = SINGLE) -> list[Transition | None]:
        alarm = Alarm(manifest, policy)
        return [alarm.update(score) for score in scores]

    return answers


def single(change: Change, level: Level) -> Transition:
    """A change by the rule of 2 in 3."""
    return Transition(change, level, Rule.K_OF_N, 3)


def test_one_bad_window_is_no_alert(changes: Changes) -> None:
    assert changes([0.0, 9.0, 0.0, 0.0, 9.0, 0.0, 0.0]) == [None] * 7


def test_two_of_three_raise(changes: Changes) -> None:
    assert changes([9.0, 0.0, 9.0])[-1] == single(Change.RAISED, Level.ALARM)


def test_a_warning_escalates_once(changes: Changes) -> None:
    assert changes([3.0, 3.0, 5.0, 5.0, 5.0]) == [
        None,
        single(Change.RAISED, Level.WARNING),
        None,
        single(Change.ESCALATED, Level.ALARM),
        None,
    ]


def test_it_clears_after_n_quiet_windows_and_names_the_highest_level(changes: Changes) -> None:
    result = changes([5.0, 5.0, 0.0, 0.0, 0.0])
    assert result[1] == single(Change.RAISED, Level.ALARM)
    assert result[2:] == [None, None, single(Change.CLEARED, Level.ALARM)]


def test_a_score_that_hovers_at_the_line_is_one_alert(changes: Changes) -> None:
    result = [change for change in changes([2.1, 1.95] * 50) if change is not None]
    assert result == [single(Change.RAISED, Level.WARNING)]


def test_just_inside_the_hysteresis_does_not_clear(changes: Changes) -> None:
    assert changes([3.0, 3.0, 1.81, 1.81, 1.81])[2:] == [None, None, None]
    assert changes([3.0, 3.0, 1.79, 1.79, 1.79])[-1] == single(Change.CLEARED, Level.WARNING)


@pytest.mark.parametrize("policy", [SINGLE, PERSISTENT])
def test_it_goes_on_with_the_level_of_an_alert_left_open(manifest: Manifest, policy: AlarmPolicy) -> None:
    alarm = Alarm(manifest, policy, open_alert=single(Change.ESCALATED, Level.ALARM))
    assert alarm.update(9.0) is None
    assert [alarm.update(0.0) for _ in range(3)][-1] == single(Change.CLEARED, Level.ALARM)


def test_k_above_n_and_hours_that_promise_too_little_are_refused() -> None:
    with pytest.raises(ValueError, match="can never happen"):
        AlarmPolicy(k=4, n=3)
    with pytest.raises(ValueError, match="1 h or more, or 0 to turn it off"):
        AlarmPolicy(persistence_hours=0.5)


@given(SCORES, RULES, st.sampled_from([0.0, 1.0, 720.0]))
def test_an_alert_is_raised_before_it_escalates_and_both_before_it_clears(
    changes: Changes, scores: list[float], rule: tuple[int, int], hours: float
) -> None:
    policy = AlarmPolicy(k=rule[0], n=rule[1], persistence_hours=hours)
    level = Level.NORMAL
    for change in filter(None, changes(scores, policy)):
        if change.change is Change.RAISED:
            assert level is Level.NORMAL
        elif change.change is Change.ESCALATED:
            assert (level, change.level) == (Level.WARNING, Level.ALARM)
        else:
            assert change.level is level is not Level.NORMAL
        level = Level.NORMAL if change.change is Change.CLEARED else change.level


@given(SCORES, RULES)
def test_without_persistence_the_levels_are_those_of_k_in_n(
    manifest: Manifest, scores: list[float], rule: tuple[int, int]
) -> None:
    k, n = rule
    alarm = Alarm(manifest, AlarmPolicy(k, n, persistence_hours=0.0))
    newest: deque[float] = deque(maxlen=n)
    level = Level.NORMAL
    for score in scores:
        newest.append(score)
        ranked = sorted(newest, reverse=True)
        kth = ranked[k - 1] if len(ranked) >= k else -1e9
        level = max(level, Level.ALARM if kth >= 4.0 else Level.WARNING if kth >= 2.0 else Level.NORMAL)
        if len(newest) == n and ranked[0] < 1.8:
            level = Level.NORMAL
        alarm.update(score)
        assert alarm.level is level


@given(SCORES)
def test_persistence_takes_no_alert_away(manifest: Manifest, scores: list[float]) -> None:
    by_windows, by_both = Alarm(manifest, SINGLE), Alarm(manifest, PERSISTENT)
    for score in scores:
        by_windows.update(score)
        by_both.update(score)
        assert by_both.level >= by_windows.level


def test_a_weak_defect_that_persists_warns_then_alarms_though_no_window_does(changes: Changes) -> None:
    # 0.1642 nats a window at a score of 1.8; 12.7293 nats warn and 15.0319 alarm.
    result = changes([1.8] * 100, PERSISTENT)
    assert [(index, change) for index, change in enumerate(result) if change] == [
        (77, Transition(Change.RAISED, Level.WARNING, Rule.PERSISTENCE, 78)),
        (91, Transition(Change.ESCALATED, Level.ALARM, Rule.PERSISTENCE, 92)),
    ]


def test_it_clears_when_the_evidence_has_gone(changes: Changes) -> None:
    result = changes([1.75] * 200 + [0.0] * 60, PERSISTENT)
    (cleared,) = [index for index, change in enumerate(result) if change and change.change is Change.CLEARED]
    # ln(1/2 + 1/2 exp(-1.65)) / 4 = -0.1294 a healthy window; from 15.0319 to 3/4 of 12.7293 in 42.4.
    assert cleared == 200 + 42
    assert result[cleared] == Transition(Change.CLEARED, Level.ALARM, Rule.PERSISTENCE, 100)


def test_an_alarm_that_single_windows_have_raised_ends_with_them(changes: Changes) -> None:
    result = changes([9.0] * 500 + [0.0] * 3, PERSISTENT)
    assert result[1] == single(Change.RAISED, Level.ALARM)
    assert result[-1] == single(Change.CLEARED, Level.ALARM)


def test_persistence_goes_on_after_a_restart(manifest: Manifest) -> None:
    left_open = Transition(Change.RAISED, Level.WARNING, Rule.PERSISTENCE, 78)
    alarm = Alarm(manifest, PERSISTENT, open_alert=left_open)
    assert [alarm.update(1.8) for _ in range(13)] == [None] * 13
    assert alarm.update(1.8) is None
    assert alarm.update(1.8) == Transition(Change.ESCALATED, Level.ALARM, Rule.PERSISTENCE, 93)


def test_whoever_raises_the_warning_line_says_what_is_healthy(manifest: Manifest) -> None:
    raised = Thresholds(Threshold(3.0, "set by me"), Threshold(5.0, "set by me"))
    alarm = Alarm(manifest, PERSISTENT, raised)
    assert [alarm.update(1.8) for _ in range(300)] == [None] * 300
    assert alarm.evidence == 0.0
    result = [alarm.update(2.8) for _ in range(78)]
    assert result[-1] == Transition(Change.RAISED, Level.WARNING, Rule.PERSISTENCE, 78)


def test_a_machine_that_is_known_to_wander_is_given_more_room(manifest: Manifest) -> None:
    alarm = Alarm(replace(manifest, wander=0.5), PERSISTENT)  # 2 x 0.5 instead of 0.35
    assert [alarm.update(1.74) for _ in range(300)] == [None] * 300
    result = [alarm.update(1.8 + 0.65) for _ in range(78)]
    assert result[1] == single(Change.RAISED, Level.WARNING)
    assert alarm.evidence == pytest.approx(1.0, abs=0.01)


def test_a_lower_warning_line_leaves_the_promise_of_persistence(manifest: Manifest) -> None:
    lowered = Thresholds(Threshold(1.9, "set by me"), Threshold(5.0, "set by me"))
    alarm = Alarm(manifest, PERSISTENT, lowered)
    assert [alarm.update(1.8) for _ in range(77)] == [None] * 77
    assert alarm.update(1.8) is not None


def test_the_evidence_outlives_a_change_of_the_rules_but_not_its_end(manifest: Manifest) -> None:
    alarm = Alarm(manifest, PERSISTENT)
    for _ in range(70):
        alarm.update(1.8)
    assert alarm.evidence == pytest.approx(0.9031, abs=1e-4)  # 70 x 0.164227 / 12.7293
    alarm.adjust(LINES, AlarmPolicy(persistence_hours=7.2))  # ln 100 nats less
    change = alarm.update(1.8)
    assert change == Transition(Change.RAISED, Level.ALARM, Rule.PERSISTENCE, 71)
    alarm.adjust(LINES, SINGLE)
    assert alarm.evidence is None
    quiet = [alarm.update(1.7) for _ in range(3)]
    assert quiet == [None, None, Transition(Change.CLEARED, Level.ALARM, Rule.PERSISTENCE, 71)]
    alarm.adjust(LINES, PERSISTENT)
    assert alarm.evidence == 0.0


def test_without_a_sample_rate_there_is_no_time_and_no_persistence(manifest: Manifest) -> None:
    alarm = Alarm(replace(manifest, rate_hz=None), PERSISTENT)
    assert [alarm.update(1.8) for _ in range(500)] == [None] * 500


def test_episodes_are_alerts_from_raised_to_cleared(manifest: Manifest) -> None:
    scores = [0.0, 3.0, 3.0, 5.0, 5.0, 0.0, 0.0, 0.0, 3.0, 3.0]
    first, second = episodes(scores, Alarm(manifest, SINGLE))
    assert (first.raised, first.cleared, first.last.level) == (2, 7, Level.ALARM)
    assert first.reached(Level.WARNING) == (2, single(Change.RAISED, Level.WARNING))
    assert first.reached(Level.ALARM) == (4, single(Change.ESCALATED, Level.ALARM))
    assert second == Episode(((9, single(Change.RAISED, Level.WARNING)),), None)
    assert second.reached(Level.ALARM) is None
    assert episodes([], Alarm(manifest, SINGLE)) == []
