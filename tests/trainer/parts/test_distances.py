"""Distances from the healthy centre: the covariance of known distributions, and what does not change them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inference.columns import ValueColumns
from agent.inference.distance import DistancePart
from agent.inference.window_numbers import WindowNumbers
from trainer.parts.distances import Drift, fit_bands, fit_distance, fit_time, median_deviation

COLUMNS = ValueColumns("value", (0.0,), (1.0,))


def fitted(
    numbers: Any, independence: float = 1.0, spread: Any = None, drift: Drift | None = None
) -> DistancePart:
    numbers = np.asarray(numbers, np.float64)
    spread = np.ones(numbers.shape[1]) if spread is None else np.asarray(spread)
    return fit_distance(
        "part",
        weight=1.0,
        columns=COLUMNS,
        numbers=numbers,
        spread=spread,
        independence=independence,
        drift=drift,
    )


def distances(part: DistancePart, numbers: Any) -> Any:
    white = (np.asarray(numbers) - np.array(part.centre)) @ np.array(part.whitening).T
    return np.linalg.norm(white, axis=1)


def correlated(seed: int, n: int = 5000) -> Any:
    """Two Gaussian variables of variance 1 and covariance 0.8, about 3 and -1."""
    first, second = np.random.default_rng(seed).standard_normal((2, n))
    return np.stack([3.0 + first, -1.0 + 0.8 * first + 0.6 * second], axis=1)


def test_the_centre_and_the_covariance_of_a_gaussian_are_found() -> None:
    part = fitted(correlated(0))
    assert part.centre == pytest.approx((3.0, -1.0), abs=0.05)
    whitening = np.array(part.whitening)
    # The inverse of ((1, 0.8), (0.8, 1)).
    expected = np.array([[2.778, -2.222], [-2.222, 2.778]])
    assert whitening.T @ whitening == pytest.approx(expected, rel=0.1)
    # A step against the correlation is three times as far as one along it.
    along, against = distances(part, [[4.0, 0.0], [4.0, -2.0]])
    assert against / along == pytest.approx(3.0, rel=0.1)


def test_the_squared_distance_of_healthy_windows_is_their_count_of_numbers() -> None:
    # Chi squared of two degrees of freedom has the mean 2.
    assert np.mean(distances(fitted(correlated(1)), correlated(2)) ** 2) == pytest.approx(2.0, rel=0.1)


@given(
    scale=st.tuples(st.floats(0.01, 100.0), st.floats(0.01, 100.0)),
    shift=st.tuples(st.floats(-50.0, 50.0), st.floats(-50.0, 50.0)),
)
def test_units_and_zeros_do_not_matter(scale: tuple[float, float], shift: tuple[float, float]) -> None:
    numbers, probe = correlated(3, 300), correlated(4, 20) + 2.0
    # Spreads are measured, so they go with the scale; coefficients keep six digits.
    here = fitted(numbers, spread=median_deviation(numbers))
    moved = numbers * scale + shift
    there = fitted(moved, spread=median_deviation(moved))
    assert distances(there, probe * scale + shift) == pytest.approx(
        distances(here, probe), rel=0.05, abs=0.05
    )


def test_a_few_independent_windows_teach_no_correlation() -> None:
    numbers = correlated(5, 500)
    many, few = np.array(fitted(numbers).whitening), np.array(fitted(numbers, 1e-6).whitening)
    assert abs(many[1, 0]) > 1.0
    # Fully shrunk: equal variances, no covariance.
    assert few[1, 0] == few[0, 1] == 0.0
    assert few[0, 0] == pytest.approx(few[1, 1])


def test_one_wild_window_moves_little() -> None:
    numbers = correlated(6, 200)
    wild = numbers.copy()
    wild[17] = 1e6
    # Clipped at eight spreads: a two-hundredth of it remains.
    assert fitted(wild).centre == pytest.approx(fitted(numbers).centre, abs=0.09)


def test_what_drifts_is_given_room_in_its_direction_only() -> None:
    numbers = np.random.default_rng(7).standard_normal((1000, 2))
    numbers[:, 0] += np.repeat([-2.0, -1.0, 0.0, 1.0, 2.0], 200)
    still, drifting = fitted(numbers), fitted(numbers, drift=Drift(5, 6.0))
    aside, up = [[10.0, 0.0]], [[0.0, 10.0]]
    # Variance 1 + 2; the means' variance of 2.5 six times besides makes it 18: the distance falls by sqrt(6).
    assert distances(still, aside) / distances(drifting, aside) == pytest.approx(2.45, rel=0.05)
    assert distances(still, up) / distances(drifting, up) == pytest.approx(1.0, abs=0.1)


def test_the_median_deviation_is_a_standard_deviation_of_gaussians() -> None:
    assert median_deviation(np.array([[1.0], [2.0], [3.0], [4.0], [500.0]])) == pytest.approx([1.4826])
    gaussian = 5.0 * np.random.default_rng(0).standard_normal((20_000, 1))
    assert median_deviation(gaussian) == pytest.approx([5.0], rel=0.03)


def noise(n: int, seed: int, scale: float = 1.0) -> Any:
    return (scale * np.random.default_rng(seed).standard_normal((n, 64, 2))).astype(np.float32)


@pytest.mark.parametrize("fit", [fit_time, fit_bands])
def test_louder_or_stranger_windows_are_further_away(fit: Any) -> None:
    part = fit(noise(400, 0), 0.5, 0.5)
    assert part.weight == 0.5
    healthy = part.raw_scores(WindowNumbers(noise(100, 1)), {})[:, 0]
    loud = part.raw_scores(WindowNumbers(noise(100, 1, 3.0)), {})[:, 0]
    assert (loud > healthy).all()
    assert np.median(loud) > np.quantile(healthy, 0.99)


@pytest.mark.parametrize("fit", [fit_time, fit_bands])
def test_the_unit_of_acceleration_does_not_matter(fit: Any) -> None:
    probe = noise(20, 1)
    in_g = fit(noise(200, 0), 1.0, 0.5).raw_scores(WindowNumbers(probe), {})
    in_metres = fit(9.80665 * noise(200, 0), 1.0, 0.5).raw_scores(
        WindowNumbers(np.float32(9.80665) * probe), {}
    )
    assert in_metres == pytest.approx(in_g, rel=2e-3)
