"""How loud a healthy machine is: medians and spreads of levels that are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.errors import DataError
from trainer.parts.level import fit_level


def windows_of(levels: Any) -> Any:
    """Square waves: of RMS as their amplitude, shape (n_windows, 8, n_axes)."""
    wave = np.tile([1.0, -1.0], 4)[:, np.newaxis]
    return (np.asarray(levels, np.float64)[:, np.newaxis, :] * wave).astype(np.float32)


def test_the_level_of_square_waves_is_their_amplitude() -> None:
    # Eleven levels from 0.9 to 1.1 g: the deciles lie at 0.92 and 1.08 of the median.
    part = fit_level(windows_of(np.linspace(0.9, 1.1, 11)[:, np.newaxis]), ["x"])
    assert part.median_rms_g == pytest.approx((1.0,))
    assert part.high == pytest.approx((0.08,), abs=1e-5)
    assert part.low == pytest.approx((0.08,), abs=1e-5)
    assert (part.weight, part.tails) == (1.0, ())


def test_several_axes_have_a_column_for_all_together() -> None:
    part = fit_level(windows_of([[3.0, 4.0]] * 5), ["x", "y"])
    assert part.median_rms_g == pytest.approx((3.0, 4.0, 5.0))


def test_a_steady_machine_is_given_two_percent() -> None:
    part = fit_level(windows_of([[1.0]] * 5), ["x"])
    assert part.high == part.low == (0.02,)


def test_above_and_below_are_told_apart() -> None:
    part = fit_level(windows_of([[1.0]] * 8 + [[3.0]] * 3), ["x"])
    assert part.high == pytest.approx((2.0,))
    assert part.low == (0.02,)


@given(scale=st.floats(1e-3, 1e3), offset=st.floats(-10.0, 10.0), seed=st.integers(0, 99))
def test_spreads_know_no_unit_and_no_gravity(scale: float, offset: float, seed: int) -> None:
    levels = np.random.default_rng(seed).uniform(0.5, 2.0, (40, 2))
    one, other = fit_level(windows_of(levels), "xy"), fit_level(scale * (windows_of(levels) + offset), "xy")
    assert other.high == pytest.approx(one.high, rel=1e-3)
    assert other.low == pytest.approx(one.low, rel=1e-3)
    assert np.array(other.median_rms_g) == pytest.approx(scale * np.array(one.median_rms_g), rel=1e-3)


def test_an_axis_that_is_silent_half_of_the_time_is_named() -> None:
    with pytest.raises(DataError, match="'y'"):
        fit_level(windows_of([[1.0, 0.0]] * 6 + [[1.0, 1.0]] * 4), ["x", "y"])
