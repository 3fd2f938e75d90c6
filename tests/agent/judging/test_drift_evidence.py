"""Evidence over windows: what it says, how often it errs, and that it cannot be talked into an alarm."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inference.scoring import Level
from agent.inference.window import WindowSpec
from agent.judging.drift_evidence import (
    NEUTRAL,
    TOLERATED,
    DriftEvidence,
    EvidenceLines,
    evidence_of,
    overlapping,
)

TUMBLING = WindowSpec(64, 64)
SLIDING = WindowSpec(64, 16)
LINES = EvidenceLines(warning=8.0, alarm=10.0)

SCORES = st.lists(st.floats(-3.1, 40.0), max_size=120)
Random = np.random.Generator


def levels(scores: list[float], lines: EvidenceLines = LINES, window: WindowSpec = SLIDING) -> list[Level]:
    persistence = DriftEvidence(lines, window)
    return [persistence.update(score) for score in scores]


def test_what_a_window_says_is_a_logarithm_of_a_likelihood_ratio() -> None:
    assert pytest.approx(1.1) == NEUTRAL
    assert evidence_of(1.1) == pytest.approx(0.0, abs=1e-12)
    assert evidence_of(-40.0) == pytest.approx(-0.693147, abs=1e-6)  # ln 1/2
    assert evidence_of(2.6) == pytest.approx(1.65706, abs=1e-5)  # ln(1/2 + 1/2 exp(2.25))
    assert evidence_of(3.75) == evidence_of(40.0) == pytest.approx(3.30044, abs=1e-4)


def test_a_healthy_machine_at_the_limit_of_what_is_tolerated_gives_no_evidence_on_average() -> None:
    scores = np.linspace(-10.0, 10.0, 20_001)
    density = np.exp(-((scores - TOLERATED) ** 2) / 2.0) / math.sqrt(2.0 * math.pi)
    ratios = np.exp([evidence_of(score) for score in scores.tolist()])
    assert 0.95 < float((ratios * density).sum() * 1e-3) <= 1.0


@pytest.mark.parametrize(
    ("window", "rate_hz", "warning"),
    [
        (WindowSpec(512, 128), 3200.0, 14.1156),  # ln(720 x 3600 / 0.16 / 12)
        (WindowSpec(64, 16), 100.0, 12.7293),  # ln(720 x 3600 / 0.64 / 12)
        (WindowSpec(512, 512), 3200.0, 14.1156),
        (WindowSpec(25, 6), 50.0, 12.7938),  # 5 windows overlap; the sixth begins after 30 samples
        (WindowSpec(60, 60), 1 / 3600, 6.6009),  # 12 windows in the time: two extreme ones at least
    ],
)
def test_the_lines_are_those_of_a_mean_time_between_false_warnings(
    window: WindowSpec, rate_hz: float, warning: float
) -> None:
    lines = EvidenceLines.of(720.0, window, rate_hz)
    assert lines.warning == pytest.approx(warning, abs=1e-4)
    assert lines.alarm - lines.warning == pytest.approx(2.302585, abs=1e-6)  # ten times rarer


def test_windows_that_overlap() -> None:
    assert [overlapping(WindowSpec(64, hop)) for hop in (64, 63, 32, 16, 15)] == [1, 2, 2, 4, 5]


def independent(random: Random) -> Iterator[float]:
    while True:
        yield from random.standard_normal(512).tolist()


def quarter_overlapped(random: Random) -> Iterator[float]:
    """Scores of windows of which four overlap: correlations 3/4, 1/2 and 1/4, as energies have."""
    while True:
        quarters = random.standard_normal(1024)
        yield from (np.convolve(quarters, np.ones(4), "valid") / 2.0).tolist()


def four_alike(random: Random) -> Iterator[float]:
    """The most that four windows can share."""
    while True:
        yield from np.repeat(random.standard_normal(128), 4).tolist()


def run_length(scores: Iterator[float], line: float, window: WindowSpec) -> float:
    """Independent windows until the evidence reaches a line, of a machine whose scores are tolerably high."""
    persistence = DriftEvidence(EvidenceLines(line, 2 * line), window)
    count = next(
        number for number, score in enumerate(scores, 1) if persistence.update(score + TOLERATED) > 0
    )
    return count / overlapping(window)


@pytest.mark.parametrize(
    ("scores", "window", "low", "high"),
    [
        (independent, TUMBLING, 0.85, 1.15),
        (quarter_overlapped, SLIDING, 0.9, 2.0),
        (four_alike, SLIDING, 0.75, 1.25),
    ],
)
def test_false_alarms_are_as_rare_as_promised_whatever_overlapping_windows_share(
    scores: Callable[[Random], Iterator[float]], window: WindowSpec, low: float, high: float
) -> None:
    # By Brook and Evans' Markov chain of 1,500 states 10.17 e^3 independent windows pass until a false alarm.
    expected = 204.3
    random = np.random.default_rng(1)
    mean = fmean(run_length(scores(random), 3.0, window) for _ in range(300))
    assert low * expected <= mean <= high * expected


def test_a_machine_that_is_calibrated_well_alarms_far_less_often() -> None:
    random = np.random.default_rng(2)
    scores = list(itertools.islice(independent(random), 30_000))
    # At the limit of what is tolerated an excursion to 5 comes every 1,700 windows.
    assert max(levels(scores, EvidenceLines(5.0, 8.0), TUMBLING)) is Level.NORMAL


@given(SCORES, st.lists(st.floats(0.0, 5.0), min_size=120, max_size=120))
def test_higher_scores_never_alarm_later(scores: list[float], more: list[float]) -> None:
    higher = [score + extra for score, extra in zip(scores, more, strict=False)]
    lines = EvidenceLines(7.0, 9.0)
    for low, high in zip(levels(scores, lines), levels(higher, lines), strict=True):
        assert high >= low


@given(st.lists(st.floats(-40.0, NEUTRAL), max_size=300))
def test_scores_below_the_drift_never_alarm(scores: list[float]) -> None:
    assert set(levels(scores, EvidenceLines(1e-6, 1e-5))) <= {Level.NORMAL}


@given(st.floats(3.0, 1e6), st.integers(0, 50))
def test_one_extreme_window_alone_is_no_persistence(score: float, before: int) -> None:
    lines = EvidenceLines.of(1.0, SLIDING, 1.0)  # the lowest lines that there are
    assert set(levels([0.0] * before + [score] * overlapping(SLIDING) + [0.0] * 50, lines)) == {Level.NORMAL}


def test_a_defect_that_lifts_every_window_a_little_is_found_when_theory_says() -> None:
    # ln(1/2 + 1/2 exp(1.5 x 1.45 - 1.125)) = 0.6569, a quarter of it a window: 8 nats after 48.7 windows.
    assert levels([1.8] * 60).index(Level.WARNING) == 48
    assert levels([1.8] * 70).index(Level.ALARM) == 60  # 10 nats after 60.9


def test_a_level_holds_until_the_evidence_has_fallen_by_a_quarter() -> None:
    persistence = DriftEvidence(LINES, TUMBLING)
    while persistence.update(3.0) is Level.NORMAL:
        pass
    persistence.evidence = 8.0
    assert persistence.update(NEUTRAL - 0.01) is Level.WARNING
    persistence.evidence = 6.01
    assert persistence.update(NEUTRAL) is Level.WARNING
    assert persistence.update(-40.0) is Level.NORMAL


def test_evidence_does_not_grow_beyond_the_alarm_so_that_it_can_end() -> None:
    # From 10 nats to 6 at ln 2 a healthy window: six of them.
    assert levels([9.0] * 500 + [-40.0] * 6, window=TUMBLING)[-7:].count(Level.ALARM) == 6


def test_windows_are_counted_from_where_the_evidence_began() -> None:
    persistence = DriftEvidence(LINES, SLIDING)
    for score in [3.0, -3.0, -3.0, -3.0, -3.0, 2.0, 2.0, 2.0]:
        persistence.update(score)
    assert persistence.windows == 3
