"""Tails keep what they promise, on distributions whose tails are known."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.inference.detector import raw_scores
from agent.inference.features import RawFeatures
from agent.inference.level import LevelPart
from agent.inference.reconstruction import ReconstructionPart
from trainer.calibration.tails import calibrate_scores, calibrated_scores, error_line, fit_tail, wander
from trainer.errors import DataError

finite = st.floats(-1e3, 1e3, allow_nan=False, width=32)


@given(scores=st.lists(finite, min_size=30, max_size=200), shift=st.floats(0.0, 100.0))
@settings(deadline=None)
def test_a_higher_score_is_never_more_probable(scores: list[float], shift: float) -> None:
    values = np.array(scores)
    if not np.quantile(values, 0.9) > np.median(values) + 1e-3:
        values = values + np.arange(len(values))
    tail = fit_tail(values, len(values) / 4)
    grid = np.linspace(values.min() - 1.0, values.max() + 1.0 + shift, 300)
    log_ps = [tail.log_p(float(value)) for value in grid]
    assert all(a >= b for a, b in itertools.pairwise(log_ps))
    assert all(-math.inf < value <= 0.0 for value in log_ps)


@pytest.mark.parametrize("probability", [0.5, 0.1, 0.01, 0.001])
@pytest.mark.parametrize(
    ("distribution", "quantile"),
    [
        # Upper quantiles of the standard normal and the unit exponential distribution.
        ("standard_normal", {0.5: 0.0, 0.1: 1.2816, 0.01: 2.3263, 0.001: 3.0902}),
        ("standard_exponential", {0.5: 0.6931, 0.1: 2.3026, 0.01: 4.6052, 0.001: 6.9078}),
    ],
)
def test_probabilities_are_those_of_the_distribution(
    distribution: str, quantile: dict[float, float], probability: float
) -> None:
    fitted = []
    for seed in range(20):
        scores = getattr(np.random.default_rng(seed), distribution)(4000)
        fitted.append(math.exp(fit_tail(scores, 4000).log_p(quantile[probability])))
    # Scattered by chance (some 20 % at 0.01); on the whole not too small, at most three times too cautious.
    assert 0.8 * probability <= np.median(fitted) <= 3.0 * probability


def test_the_threshold_parameters_of_a_gaussian_are_those_of_theory() -> None:
    tail = fit_tail(np.random.default_rng(0).standard_normal(100_000), 100_000)
    assert tail.body[0] < -4.0
    # Tail probabilities 1, 0.98, ... 0.1: the 26th is the median, the last the upper decile.
    assert len(tail.body) == 46
    assert tail.body[25] == pytest.approx(0.0, abs=0.02)
    assert tail.body[-1] == pytest.approx(1.2816, abs=0.02)
    # The mean excess over the upper decile is 0.475; a Gaussian's shape is below 0 and clipped.
    assert tail.shape == pytest.approx(1 / 10_010, abs=1e-6)
    assert tail.scale == pytest.approx(0.475, abs=0.02)


def test_few_windows_give_a_cautious_tail() -> None:
    scores = np.random.default_rng(3).standard_normal(400)
    few, many = fit_tail(scores, 10), fit_tail(scores, 400)
    assert few.log_p(4.0) > many.log_p(4.0)
    # Ten independent windows: k = 6, and the shape has 1 / 6 added.
    assert few.shape == pytest.approx(1 / 6, abs=1e-5)


def test_a_rare_large_move_does_not_hide_what_is_smaller() -> None:
    scores = np.random.default_rng(0).standard_exponential(600)
    moved = scores.copy()
    moved[100:104] = 100.0  # one move, seen by four windows that overlap
    without, with_move = fit_tail(scores, 150), fit_tail(moved, 150)
    # p of 8 is 0.0003 of an exponential variable; before, one move made it 0.03.
    assert math.exp(without.log_p(8.0)) < 0.002
    assert math.exp(with_move.log_p(8.0)) < 0.006


def test_a_heavy_tail_is_seen() -> None:
    scores = np.random.default_rng(0).pareto(4.0, 20_000)
    # A Pareto variable of index 4 has the shape 1/4.
    assert fit_tail(scores, 20_000).shape == pytest.approx(0.25, abs=0.06)


@pytest.mark.parametrize("scores", [np.ones(50), np.array([0.0] * 99 + [1.0])])
def test_scores_that_do_not_vary_are_refused(scores: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"all score alike.*record longer"):
        fit_tail(scores, 20)


def test_the_final_scores_of_unseen_windows_are_standard_normal() -> None:
    part = LevelPart(kind="level", name="level", weight=1.0, median_rms_g=(1.0,), high=(0.1,), low=(0.1,))
    quieter = dataclasses.replace(part, name="again", weight=0.5)

    def windows(seed: int) -> np.ndarray:
        return np.random.default_rng(seed).standard_normal((4000, 32, 1)).astype(np.float32)

    parts = (part, quieter)
    calibration = calibrate_scores(parts, raw_scores(parts, {}, windows(0)), 4000)
    assert [len(fitted.tails) for fitted in calibration.parts] == [1, 1]
    unseen = calibrated_scores(calibration, raw_scores(parts, {}, windows(1)))
    for scores in (calibration.scores, unseen):
        assert np.median(scores) == pytest.approx(0.0, abs=0.1)
        # 1 in 200 windows exceeds 2.576, within the scatter of 20 windows.
        assert 5 <= (scores > 2.576).sum() <= 35


def test_sessions_that_differ_are_told_from_chance() -> None:
    two_sessions = np.repeat([-0.6, 0.6], 400)
    # Twenty stretches: 0.36 x 20 / 19 less the 1/10 of chance, (19 x 0.2789 + 4 x 0.175^2) / 23.
    assert wander(two_sessions, 200.0) == pytest.approx(0.486, abs=1e-3)
    # Two stretches prove little: 0.18 less 1/6, (0.0133 + 4 x 0.175^2) / 5.
    assert wander(np.repeat([-0.3, 0.3], 24), 12.0) == pytest.approx(0.165, abs=1e-3)


@given(st.integers(0, 2**32 - 1), st.integers(60, 4000))
@settings(deadline=None, max_examples=50)
def test_overlapping_windows_of_a_steady_machine_do_not_seem_to_wander(seed: int, count: int) -> None:
    quarters = np.random.default_rng(seed).standard_normal(count + 3)
    steady = np.convolve(quarters, np.ones(4), "valid") / 2.0
    assert 0.0 < wander(steady, count / 4.0) < 0.6


@pytest.mark.parametrize(("n_columns", "sigmas"), [(1, 3.0), (1, 1.0), (2, 4.0)])
def test_a_line_on_the_errors_is_where_such_an_error_scores(n_columns: int, sigmas: float) -> None:
    part = ReconstructionPart(
        kind="reconstruction",
        name="network",
        weight=1.0,
        features=RawFeatures("raw", (1.0,)),
        model="m",
        architecture="dense",
        quantization="int8",
        metric="mse",
        power=0.5,
    )
    raw = np.random.default_rng(0).normal(10.0, 2.0, (4000, n_columns)).astype(np.float32)
    calibration = calibrate_scores((part,), [raw], 4000)
    usual = np.full((1, n_columns), 10.0, np.float32)
    usual[0, 0] = 10.0 + 2.0 * sigmas
    (expected,) = calibrated_scores(calibration, [usual])
    assert error_line(calibration, raw, sigmas) == pytest.approx(expected, abs=0.1)
