"""What parts share, against the plain formulas in double precision, whatever the layout in memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import WindowError
from agent.inference.columns import BandColumns, TimeColumns
from agent.inference.distance import DistancePart
from agent.inference.features import mean_absolute, mean_square, row_by_row
from agent.inference.level import LevelPart
from agent.inference.window import cut
from agent.inference.window_numbers import WindowNumbers

DoubleArray = npt.NDArray[np.float64]

SHAPES = st.tuples(st.integers(1, 5), st.sampled_from((16, 30, 64, 129)), st.integers(1, 4))


def windows_of(shape: tuple[int, int, int], seed: int) -> npt.NDArray[np.float32]:
    random = np.random.default_rng(seed)
    return (random.normal(0.0, 0.3, shape) + random.normal(0.0, 1.0, shape[2])).astype(np.float32)


def plain(windows: npt.NDArray[np.float32]) -> DoubleArray:
    """Return the windows without their mean."""
    x = windows.astype(np.float64)
    return x - x.mean(axis=1, keepdims=True)


def near(expected: DoubleArray) -> object:
    return pytest.approx(expected, rel=1e-5, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 1000), by_axis=st.booleans())
def test_the_shared_numbers_are_those_of_the_formulas(
    shape: tuple[int, int, int], seed: int, by_axis: bool
) -> None:
    windows = windows_of(shape, seed)
    if by_axis:
        windows = np.ascontiguousarray(windows.transpose(0, 2, 1)).transpose(0, 2, 1)
    numbers, x = WindowNumbers(windows), plain(windows)
    length = shape[1]
    assert numbers.samples == near(x.transpose(0, 2, 1))
    assert numbers.mean_square == near((x**2).mean(axis=1))
    assert numbers.rms == near(np.sqrt((x**2).mean(axis=1)))
    assert numbers.peak == near(np.abs(x).max(axis=1))
    assert numbers.mean_magnitude == near(np.abs(x).mean(axis=1))
    quarters = [x[:, k * (length // 4) : (k + 1) * (length // 4)] for k in range(4)]
    assert numbers.quietest_quarter == near(np.min([(q**2).mean(axis=1) for q in quarters], axis=0))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    spectrum = np.abs(np.fft.rfft(x * hann[:, None], axis=1)) * 2 / hann.sum()
    assert numbers.amplitude == near(spectrum.transpose(0, 2, 1))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_a_sample_that_is_not_finite_is_refused(bad: float) -> None:
    windows = windows_of((2, 16, 2), 0)
    windows[1, 3:5, 1] = bad
    with np.errstate(all="ignore"), pytest.raises(WindowError, match="not finite"):
        WindowNumbers(windows)


def test_the_windows_themselves_are_left_alone() -> None:
    windows = windows_of((2, 16, 2), 0)
    before = windows.copy()
    numbers = WindowNumbers(windows)
    assert numbers.amplitude.shape == (2, 2, 9)
    assert (windows == before).all()


def test_level_columns_against_the_formula() -> None:
    windows = windows_of((20, 64, 2), 1)
    part = LevelPart(
        kind="level",
        name="level",
        weight=1.0,
        median_rms_g=(0.2, 0.3, 0.4),
        high=(0.1, 0.2, 0.3),
        low=(0.05, 0.1, 0.15),
    )
    squares = (plain(windows) ** 2).mean(axis=1)
    a = np.sqrt(np.hstack([squares, squares.sum(axis=1, keepdims=True)])) / (0.2, 0.3, 0.4)
    expected = np.maximum((a - 1) / (0.1, 0.2, 0.3), (1 - a) / (0.05, 0.1, 0.15))
    assert part.raw_scores(WindowNumbers(windows), {}) == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_time_and_band_distances_against_the_formula() -> None:
    windows = windows_of((20, 64, 2), 2)
    x = plain(windows)
    rms, median = np.sqrt((x**2).mean(axis=1)), np.array([0.2, 0.3])
    quietest = np.min([(x[:, k : k + 16] ** 2).mean(axis=1) for k in (0, 16, 32, 48)], axis=0)
    w = quietest / (quietest + (0.3 * median) ** 2)
    crest = (np.log(np.abs(x).max(axis=1) / rms) - (1.1, 1.2)) * w
    form = (np.log(np.abs(x).mean(axis=1) / rms) - (-0.2, -0.3)) * w
    time = TimeColumns("time", (0.2, 0.3), (1.1, 1.2), (-0.2, -0.3))
    assert _distance(time, windows) == _plain_distance(np.hstack([rms / median, crest, form]))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64)
    power = (np.abs(np.fft.rfft(x * hann[:, None], axis=1)) * 2 / hann.sum())[:, 1:] ** 2
    bands = np.sqrt(power.reshape(20, 4, 8, 2).sum(axis=2)) / (0.5, 0.6)
    columns = BandColumns("bands", 4, (0.5, 0.6))
    assert _distance(columns, windows) == _plain_distance(bands.transpose(0, 2, 1).reshape(20, 8))


def _whitening(n: int) -> DoubleArray:
    return np.tril(np.random.default_rng(3).normal(0.0, 1.0, (n, n))) + 2.0 * np.eye(n)


def _distance(columns: TimeColumns | BandColumns, windows: npt.NDArray[np.float32]) -> DoubleArray:
    n = columns.of(WindowNumbers(windows)).shape[1]
    whitening = tuple(tuple(row) for row in _whitening(n).tolist())
    part = DistancePart(
        kind="distance",
        name="d",
        weight=1.0,
        columns=columns,
        centre=(0.5,) * n,
        whitening=whitening,
        scale=(1.0,) * n,
    )
    return part.raw_scores(WindowNumbers(windows), {})[:, 0].astype(np.float64)


def _plain_distance(numbers: DoubleArray) -> object:
    white = (numbers - 0.5) @ _whitening(numbers.shape[1]).T
    return near(np.sqrt((white**2).sum(axis=1) / numbers.shape[1]))


@given(shape=st.tuples(st.integers(1, 4), st.integers(1, 130), st.integers(1, 4)), seed=st.integers(0, 99))
def test_mean_errors_are_those_of_the_formulas(shape: tuple[int, int, int], seed: int) -> None:
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    x = values.astype(np.float64)
    assert mean_square(values) == near((x**2).mean(axis=1))
    assert mean_absolute(values) == near(np.abs(x).mean(axis=1))


def test_rows_hold_the_axes_beside_each_other() -> None:
    by_axis = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    rows = row_by_row(by_axis)
    assert rows.flags.c_contiguous
    assert rows[1].tolist() == [[6.0, 9.0], [7.0, 10.0], [8.0, 11.0]]


def test_windows_are_cut_axis_by_axis() -> None:
    for samples in (np.zeros((100, 3), np.float32), np.zeros((100, 3), np.float32, order="F")):
        windows = cut(samples, np.array([0, 10, 20]), 16)
        assert windows.shape == (3, 16, 3)
        assert windows.transpose(0, 2, 1).flags.c_contiguous
