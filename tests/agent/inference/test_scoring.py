"""Calibrated scores against values from tables of the normal distribution and from the formulas by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inference.scoring import (
    Level,
    Tail,
    Threshold,
    Thresholds,
    Vote,
    joined,
    rate_from_score,
    score_from_log_p,
    score_from_rate,
    sidak,
)

EXPONENTIAL = Tail(body=(0.0, 1.0, 2.0, 3.0), shape=0.0, scale=2.0)


@pytest.mark.parametrize(
    ("rate", "score"), [(0.5, 0.0), (0.0227501, 2.0), (0.01, 2.32635), (0.001, 3.09023), (1e-9, 5.99781)]
)
def test_scores_are_those_of_the_normal_table(rate: float, score: float) -> None:
    assert score_from_rate(rate) == pytest.approx(score, abs=1e-4)
    assert score_from_log_p(math.log(rate)) == pytest.approx(score, abs=1e-4)
    assert rate_from_score(score) == pytest.approx(rate, rel=1e-3)


def test_the_rate_of_a_high_score_is_not_rounded_to_nothing() -> None:
    # Q(10) = 7.619853e-24 (Abramowitz and Stegun, table 26.2).
    assert rate_from_score(10.0) == pytest.approx(7.619853e-24, rel=1e-6)


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 2.0])
def test_a_rate_outside_zero_and_one_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        score_from_rate(rate)


def test_an_impossible_probability_gives_a_finite_score() -> None:
    assert 30.0 < score_from_log_p(-1e9) < 40.0


def test_body_is_read_by_rank() -> None:
    assert math.exp(EXPONENTIAL.log_p(3.0)) == pytest.approx(0.1)
    assert math.exp(EXPONENTIAL.log_p(1.0)) == pytest.approx(0.7)
    assert math.exp(EXPONENTIAL.log_p(1.5)) == pytest.approx(0.55)


def test_what_is_below_all_healthy_scores_is_no_certainty() -> None:
    assert math.exp(EXPONENTIAL.log_p(-5.0)) == pytest.approx(0.999)


def test_exponential_tail() -> None:
    assert math.exp(EXPONENTIAL.log_p(5.0)) == pytest.approx(0.1 * math.exp(-1.0))


def test_heavy_tail_follows_the_pareto_formula() -> None:
    tail = Tail(body=(0.0, 1.0), shape=0.5, scale=1.0)
    assert math.exp(tail.log_p(3.0)) == pytest.approx(0.1 * (1 + 0.5 * 2.0) ** -2.0)


def test_bounded_tail_goes_on_along_its_tangent() -> None:
    # shape -0.5, scale 1: the support ends at an excess of 2; 0.9 of it is 1.8, where 1 + xi x = 0.1.
    tail = Tail(body=(0.0, 1.0), shape=-0.5, scale=1.0)
    assert math.exp(tail.log_p(1.0 + 1.8)) == pytest.approx(0.1 * 0.1**2)
    # d ln p / dx = -1 / (scale (1 + xi x)) = -10 there.
    assert tail.log_p(1.0 + 2.8) == pytest.approx(math.log(0.001) - 10.0)


@given(
    shape=st.floats(-0.5, 0.5),
    scale=st.floats(0.01, 10.0),
    first=st.floats(-10, 100),
    second=st.floats(-10, 100),
)
def test_a_higher_raw_score_is_never_more_probable(
    shape: float, scale: float, first: float, second: float
) -> None:
    tail = Tail(body=(0.0, 0.5, 0.5, 2.0), shape=shape, scale=scale)
    low, high = sorted((first, second))
    assert tail.log_p(low) >= tail.log_p(high) - 1e-12


@pytest.mark.parametrize("body", [(1.0,), (2.0, 1.0)])
def test_a_body_that_does_not_ascend_is_refused(body: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        Tail(body=body, shape=0.0, scale=1.0)


def test_a_tail_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match="scale"):
        Tail(body=(0.0, 1.0), shape=0.0, scale=0.0)


@pytest.mark.parametrize(("p", "count", "expected"), [(0.01, 3, 0.029701), (0.5, 2, 0.75), (1e-20, 4, 4e-20)])
def test_sidak(p: float, count: int, expected: float) -> None:
    assert math.exp(sidak(math.log(p), count)) == pytest.approx(expected, rel=1e-6)


@given(st.floats(-600, -0.001), st.integers(1, 12))
def test_sidak_never_makes_a_p_value_smaller(log_p: float, count: int) -> None:
    assert sidak(log_p, count) >= log_p - 1e-9


def test_joined_is_the_harmonic_mean() -> None:
    # 1/3 / 0.1 + 2/3 / 0.01 = 70
    votes = [Vote(math.log(1 / 3), 1.0), Vote(math.log(2 / 3), 1.0)]
    assert joined([math.log(0.1), math.log(0.01)], votes) == pytest.approx(math.log(70.0))


def test_a_lower_power_lets_half_sure_parts_add_up() -> None:
    # 1/2 / 0.01^(1/2) + 1/2 / 0.04^(1/2) = 5 + 2.5
    votes = [Vote(math.log(0.5), 0.5), Vote(math.log(0.5), 0.5)]
    assert joined([math.log(0.01), math.log(0.04)], votes) == pytest.approx(math.log(7.5))


def test_a_guard_is_silent_until_it_is_sure() -> None:
    # A guard of weight 0.01 beside a part that sees nothing, p = 0.25: 0.01 / p + 0.99 / 0.25^(1/2).
    votes = [Vote(math.log(0.01), 1.0), Vote(math.log(0.99), 0.5)]
    assert joined([math.log(0.1), math.log(0.25)], votes) == pytest.approx(math.log(2.08))
    assert joined([math.log(1e-6), math.log(0.25)], votes) == pytest.approx(math.log(10001.98))


def test_one_sure_part_outvotes_a_silent_one() -> None:
    halves = [Vote(math.log(0.5), 1.0), Vote(math.log(0.5), 1.0)]
    both_silent = joined([math.log(0.5), math.log(0.5)], halves)
    one_sure = joined([math.log(0.5), math.log(1e-12)], halves)
    assert one_sure - both_silent > 25.0


def thresholds(warning: float, alarm: float) -> Thresholds:
    return Thresholds(Threshold(warning, "rate"), Threshold(alarm, "rate"))


def test_levels() -> None:
    lines = thresholds(2.5, 3.0)
    scores = (2.49, 2.5, 2.99, 3.0)
    assert [lines.level(score) for score in scores] == [
        Level.NORMAL,
        Level.WARNING,
        Level.WARNING,
        Level.ALARM,
    ]


def test_an_alarm_line_below_the_warning_line_is_refused() -> None:
    with pytest.raises(ValueError, match="below the warning"):
        thresholds(3.0, 2.5)
