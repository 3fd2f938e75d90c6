"""Single samples that a logger missed do not lower the rate; few digits at a steady rate do not raise it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.recording.time_axis import Times, timing

HERE = Path("run.csv")


def rate_hz(times_s: np.ndarray) -> float | None:
    return timing(HERE, Times.of(HERE, "time (s)", times_s), None).rate_hz


@pytest.mark.parametrize(("rate", "digits"), [(1.0, 0), (10.0, 1), (800.0, 6)])
def test_missing_samples_are_no_slower_rate(rate: float, digits: int) -> None:
    random = np.random.default_rng(5)
    numbers = np.flatnonzero(random.random(3000) > 0.05)
    assert rate_hz(np.round(numbers / rate, digits)) == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize("rate", [833.0, 700.0, 950.0])
def test_times_in_whole_milliseconds_have_steps_of_one_and_two_at_a_steady_rate(rate: float) -> None:
    assert rate_hz(np.round(np.arange(3000) / rate, 3)) == pytest.approx(rate, rel=2e-3)
