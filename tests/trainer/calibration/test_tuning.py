"""Lines by F-beta and by peaks over threshold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inference.manifest import Manifest
from agent.inference.scoring import Threshold, Thresholds
from trainer.calibration.tuning import (
    FBeta,
    Peaks,
    best_line,
    find_peaks,
    parse_line_method,
    peaks_line,
    replaced,
    tuned_line,
)
from trainer.errors import DataError, MethodError
from trainer.evaluation.scored import ScoredRecording

Run = Callable[..., Any]

WINDOWS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 3.0]), st.booleans()), min_size=2, max_size=30
)


def f_beta(scores: np.ndarray[Any, Any], truth: np.ndarray[Any, Any], line: float, beta: float) -> float:
    found = scores >= line
    hits, misses, false = (truth & found).sum(), (truth & ~found).sum(), (~truth & found).sum()
    return float((1 + beta**2) * hits / ((1 + beta**2) * hits + beta**2 * misses + false))


@given(WINDOWS, st.sampled_from([0.5, 1.0, 2.0]))
def test_no_line_has_a_larger_f_beta(windows: list[tuple[float, bool]], beta: float) -> None:
    scores = np.array([score for score, _ in windows])
    truth = np.array([anomalous for _, anomalous in windows])
    truth[:2] = (True, False)
    best = f_beta(scores, truth, best_line(scores, truth, beta), beta)
    assert best == pytest.approx(max(f_beta(scores, truth, line, beta) for line in scores))


def test_the_line_lies_half_way_between_the_classes() -> None:
    assert best_line(np.array([1.0, 5.0, 2.0, 4.0]), np.array([False, True, False, True]), 1.0) == 3.0


def test_beta_moves_the_line_towards_recall() -> None:
    # 3 of 4 above 2.5 are anomalous; the fourth anomaly lies under three normal windows.
    scores = np.array([5.0, 4.0, 3.0, 2.0, 1.9, 1.8, 1.0, 0.0])
    truth = np.array([True, True, True, False, False, False, True, False])
    assert best_line(scores, truth, 0.5) == 2.5
    assert best_line(scores, truth, 3.0) == 0.5


def test_if_all_lie_above_the_line_is_the_lowest_score() -> None:
    assert best_line(np.array([1.0, 2.0]), np.array([True, False]), 2.0) == 1.0


def test_clusters_count_once() -> None:
    scores = np.array([3.0, 4.0, 0.0, 3.5, 0.0, 0.0, 0.0, 0.0, 5.0, 0.0])
    assert find_peaks(scores, 1.0, 4) == [4.0, 5.0]
    assert find_peaks(scores, 1.0, 2) == [4.0, 3.5, 5.0]
    assert find_peaks(scores, 9.0, 2) == []


def test_an_exponential_tail_is_carried_on() -> None:
    # Quantiles of an exponential distribution of mean 0.5 above 2: at a thousandth of their rate the line
    # lies at 2 + 0.5 ln 1000.
    ranks = (np.arange(2000) + 0.5) / 2000
    line = peaks_line(2.0 - 0.5 * np.log(1.0 - ranks), 2.0, 20_000, 1e-4)
    assert line == pytest.approx(5.454, abs=0.05)


def test_a_heavy_tail_is_carried_on_further() -> None:
    # Quantiles of a generalised Pareto distribution of shape 0.5 and scale 1: 1 / 0.5 (1000^0.5 - 1).
    ranks = (np.arange(2000) + 0.5) / 2000
    line = peaks_line(2.0 + ((1.0 - ranks) ** -0.5 - 1.0) / 0.5, 2.0, 20_000, 1e-4)
    assert line == pytest.approx(2.0 + 61.25, rel=0.1)


def test_a_bounded_tail_is_taken_as_exponential() -> None:
    # Uniform from 2 to 3: the mean excess is a half.
    line = peaks_line(2.0 + (np.arange(2000) + 0.5) / 2000, 2.0, 20_000, 1e-4)
    assert line == pytest.approx(5.454, abs=0.01)


def test_too_few_peaks_and_too_high_a_rate_are_refused() -> None:
    with pytest.raises(DataError, match="9 separate peaks are too few"):
        peaks_line(np.linspace(2.1, 3.0, 9), 2.0, 1000, 1e-6)
    with pytest.raises(DataError, match="not rarer than those seen; use percentile"):
        peaks_line(np.linspace(2.1, 3.0, 20), 2.0, 1000, 0.02)


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("fbeta:0.5", FBeta(0.5)),
        ("pot:1/month", Peaks(1.0, "month")),
        ("pot:1e-05/window", Peaks(1e-5, "window")),
    ],
)
def test_methods_are_read_and_told(text: str, method: object) -> None:
    assert parse_line_method(text) == method
    assert str(method) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("fbeta:0", "fbeta takes numbers above 0"),
        ("fbeta:nan", "fbeta takes numbers above 0"),
        ("fbeta:much", "'much' is no number"),
        ("pot:1", "'pot:1' is no rate; write pot:1/month"),
        ("pot:0/day", "is no rate"),
        ("pot:1/fortnight", "is no rate"),
        ("best:1", "is no threshold method; write sigma:3.*fbeta:1 or pot"),
        ("sigma:-1", "sigma takes 0 to 100"),
    ],
)
def test_what_is_not_understood_is_told(text: str, complaint: str) -> None:
    with pytest.raises(MethodError, match=complaint):
        parse_line_method(text)


def test_a_rate_in_time_becomes_one_per_window(level_manifest: Manifest) -> None:
    # A hop of 32 samples at 800 Hz: 25 windows a second.
    assert Peaks(1.0, "hour").per_window(level_manifest) == pytest.approx(1 / 90_000)
    assert Peaks(1.0, "month").per_window(level_manifest) == pytest.approx(1 / (25 * 30.4375 * 86400))
    with pytest.raises(DataError, match="knows no sample rate; write pot:RATE/window"):
        Peaks(1.0, "day").per_window(replace(level_manifest, rate_hz=None))


@pytest.fixture
def scored(make_source: Run) -> Run:
    """Windows with given scores and labels."""

    def make(scores: list[float], labels: list[int]) -> ScoredRecording:
        source, n = make_source(np.zeros((1, 1), np.float32)), len(scores)
        return ScoredRecording(
            source, np.zeros(1, np.int8), np.arange(n), np.array(scores), np.array(labels, np.int8), ("",) * n
        )

    return make


def test_healthy_methods_look_at_normal_windows_only(level_manifest: Manifest, scored: Run) -> None:
    windows = [scored([-1.0, 1.0, 50.0, 60.0], [0, 0, 1, -1])]
    assert tuned_line(parse_line_method("sigma:3"), windows, level_manifest) == pytest.approx(3.0)
    assert tuned_line(parse_line_method("percentile:100"), windows, level_manifest) == 1.0
    assert tuned_line(parse_line_method("rate:0.001"), [], level_manifest) == pytest.approx(3.0902, abs=1e-4)
    assert tuned_line(FBeta(1.0), windows, level_manifest) == 25.5


def test_peaks_are_those_of_normal_windows(level_manifest: Manifest, scored: Run) -> None:
    random = np.random.default_rng(0)
    normal = random.exponential(1.0, 4000)
    healthy = tuned_line(Peaks(1e-5, "window"), [scored(list(normal), [0] * 4000)], level_manifest)
    mixed = scored([*normal, *[90.0] * 50], [0] * 4000 + [1] * 25 + [-1] * 25)
    assert tuned_line(Peaks(1e-5, "window"), [mixed], level_manifest) == healthy
    # P(score > x) = exp(-x), with clusters of neighbours counted once.
    assert 9.0 < healthy < 14.0


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [([0, 0], "'fbeta:1' needs anomalous windows"), ([1, 1], "'fbeta:1' needs normal windows")],
)
def test_a_single_class_cannot_be_tuned(
    level_manifest: Manifest, scored: Run, labels: list[int], complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        tuned_line(FBeta(1.0), [scored([1.0, 2.0], labels)], level_manifest)


def test_no_known_window_cannot_be_tuned(level_manifest: Manifest, scored: Run) -> None:
    with pytest.raises(DataError, match="needs normal windows, and there are none"):
        tuned_line(FBeta(1.0), [scored([1.0], [-1])], level_manifest)


def test_the_other_line_stays_or_is_lifted() -> None:
    lines = Thresholds(Threshold(2.0, "rate:0.02"), Threshold(3.0, "rate:0.001"))
    assert replaced(lines, "warning", 2.5, FBeta(1.0)) == Thresholds(Threshold(2.5, "fbeta:1"), lines.alarm)
    assert replaced(lines, "alarm", 4.0, FBeta(1.0)) == Thresholds(lines.warning, Threshold(4.0, "fbeta:1"))
    lifted = replaced(lines, "warning", 5.0, FBeta(1.0))
    assert lifted.alarm == Threshold(5.0, "rate:0.001, lifted to fbeta:1")
