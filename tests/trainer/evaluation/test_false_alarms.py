"""False-alarm limits against published values."""

from __future__ import annotations

import pytest

from agent.inference.scoring import Level
from trainer.evaluation.false_alarms import count_false_alarms, upper_limit
from trainer.evaluation.fidelity import Fidelity


@pytest.mark.parametrize(
    ("events", "trials", "limit"),
    [
        (0, 5, 0.4507),  # 1 - 0.05^(1/5)
        (0, 117, 0.0253),
        (0, 58, 0.0503),
        (1, 10, 0.3942),  # Clopper and Pearson 1934, one-sided 95 %
        (10, 10, 1.0),
    ],
)
def test_the_upper_limit_is_that_of_clopper_and_pearson(events: float, trials: int, limit: float) -> None:
    assert upper_limit(events, trials) == pytest.approx(limit, abs=1e-4)


def test_overlapping_windows_are_not_independent() -> None:
    levels = [Level.NORMAL] * 20 + [Level.WARNING, Level.ALARM]
    counted = count_false_alarms(levels, Level.WARNING, 5.5)
    assert (counted.windows, counted.alarms, counted.independent) == (22, 2, 5)
    # Two of 22 are 0.45 of five: more than none of five, less than one of five (0.657).
    assert 0.4507 < counted.upper_limit < 0.6574
    assert count_false_alarms(levels, Level.ALARM, 5.5).alarms == 1


def test_a_graph_is_faithful_from_a_correlation_of_nine_tenths() -> None:
    assert Fidelity(0.9, 3.0).faithful
    assert not Fidelity(0.89, 0.0).faithful
    assert not Fidelity(float("nan"), 0.0).faithful
