"""Stuck axes, full scale and moved sensors, told from the samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.judging.sample_check import PositionCheck, SampleCheck, clipped_axes, stuck_axes

Window = npt.NDArray[np.float32]
CODE_G = np.float32(0.00390625)


def noise(length: int = 512, seed: int = 0, level_g: float = 0.05) -> Window:
    """Return noise on three axes in codes of an ADXL345."""
    samples_g = np.random.default_rng(seed).normal(0.0, level_g, (length, 3))
    return np.asarray(np.rint(samples_g / CODE_G).astype(np.float32) * CODE_G)


@given(st.integers(0, 512 - 256), st.integers(0, 2))
def test_half_a_window_of_one_code_is_stuck_wherever_it_lies(start: int, axis: int) -> None:
    window = noise()
    assert stuck_axes(window) == []
    window[start : start + 256, axis] = window[start, axis]
    assert stuck_axes(window) == [axis]


def test_a_quarter_at_either_end_is_stuck() -> None:
    for rows in (slice(0, 128), slice(384, 512)):
        window = noise()
        window[rows, 1] = 0.0
        assert stuck_axes(window) == [1]


def test_a_quiet_axis_is_not_stuck() -> None:
    # Noise of less than one code: nine of ten samples are the same.
    assert stuck_axes(noise(seed=3, level_g=0.3 * float(CODE_G))) == []


def test_short_windows_take_32_samples() -> None:
    window = noise(64)
    window[:31, 0] = 0.0
    assert stuck_axes(window) == []
    window[:32, 0] = 0.0
    assert stuck_axes(window) == [0]


def test_a_window_shorter_than_that_may_be_stuck_as_a_whole() -> None:
    assert stuck_axes(np.zeros((16, 2), np.float32)) == [0, 1]
    assert stuck_axes(noise(16)) == []


@pytest.mark.parametrize(
    ("value_g", "range_g", "clipped"),
    [
        (15.99609375, 16.0, True),  # ADXL345, last code of 13 bits
        (-16.0, 16.0, True),
        (1.99609375, 2.0, True),  # ADXL345 at 2 g, 511 / 256
        (1.9988, 2.0, True),  # LSM6DSO at 2 g, 32767 codes of 61 micro-g
        (1.984375, 2.0, True),  # eight bits, 127 / 64
        (15.0, 16.0, False),
        (-15.5, 16.0, False),
        (24.0, 16.0, True),  # a flipped bit
    ],
)
def test_one_sample_at_full_scale_is_enough(value_g: float, range_g: float, clipped: bool) -> None:
    window = noise()
    window[100, 2] = value_g
    assert clipped_axes(window, range_g) == ([2] if clipped else [])


def test_problems_name_the_axes_and_the_next_step() -> None:
    check = SampleCheck(("radial", "axial"), 8.0)
    window = noise()[:, :2]
    assert check.problem(window) is None
    window[:, 1] = 7.99
    assert check.problem(window) == (
        "axis axial gives one code only: power-cycle the sensor, then replace it"
    )
    window[:, 1] = noise(seed=1)[:, 1]
    window[3] = 8.0
    assert check.problem(window) == (
        "axis radial, axial reaches full scale (8 g): choose a larger range_g; if the machine runs as usual, "
        "the sensor is damaged"
    )


def shifted(check: PositionCheck, by_g: float, sway_g: float = 0.0) -> str | None:
    for number in range(32):
        assert check.problem(noise(seed=number) + np.float32(sway_g * (-1) ** number)) is None
    return check.problem(noise(seed=99) + np.array((0, by_g, 0), np.float32))


def test_a_sensor_that_hangs_otherwise_is_loose() -> None:
    assert shifted(PositionCheck(), 0.2) is None
    told = shifted(PositionCheck(), 0.3)
    assert told is not None
    assert "(by 0.30 g): it is loose, tighten it" in told


def test_a_machine_that_swings_its_sensor_is_allowed_to() -> None:
    assert shifted(PositionCheck(), 0.5, sway_g=0.2) is None
    assert shifted(PositionCheck(), 1.0, sway_g=0.2) is not None
