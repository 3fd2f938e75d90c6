"""Distance parts and patches, against sines and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.inference.arrays import FloatArray
from agent.inference.columns import BandColumns, BandScale, TimeColumns
from agent.inference.distance import DistancePart
from agent.inference.features import PatchFeatures
from agent.inference.window_numbers import WindowNumbers

LENGTH = 512


def sine(amplitude_g: float, cycles: float) -> FloatArray:
    """Return one window of one axis, shape (1, 512, 1)."""
    phase = 2 * np.pi * cycles * np.arange(LENGTH) / LENGTH
    return (amplitude_g * np.sin(phase)).astype(np.float32)[np.newaxis, :, np.newaxis]


# Of a sine: crest factor sqrt(2), mean magnitude over RMS 2 sqrt(2) / pi = 0.9003.
TIME = TimeColumns("time", (1.0,), (math.log(math.sqrt(2)),), (math.log(0.900316),))


def test_a_healthy_sine_has_healthy_time_columns() -> None:
    rms, crest, form = TIME.of(WindowNumbers(sine(math.sqrt(2), 8)))[0]
    assert rms == pytest.approx(1.0, rel=1e-4)
    assert crest == pytest.approx(0.0, abs=1e-3)
    assert form == pytest.approx(0.0, abs=1e-3)


def test_an_impact_in_steady_motion_raises_the_crest_factor() -> None:
    window = sine(math.sqrt(2), 8)
    window[0, 100, 0] = 10.0
    # RMS sqrt(1 + 100 / 512) = 1.093; the quietest quarter is as loud as ever: weight 1 / 1.09.
    expected = math.log(10.0 / 1.093 / math.sqrt(2)) / 1.09
    assert TIME.of(WindowNumbers(window))[0][1] == pytest.approx(expected, abs=0.01)


def test_the_start_of_motion_is_no_impact() -> None:
    window = sine(math.sqrt(2), 32)
    window[0, : 3 * LENGTH // 4] = 0.0
    assert abs(TIME.of(WindowNumbers(window))[0][1]) < 1e-3


def test_a_silent_window_has_finite_columns() -> None:
    assert np.isfinite(TIME.of(WindowNumbers(np.zeros((1, LENGTH, 1), np.float32)))).all()


def test_a_sine_fills_its_band() -> None:
    columns = BandColumns("bands", 32, (0.5,))
    # 256 bins without DC make 32 bands of 8 bins; 36 cycles lie in bins 33 to 40, the fifth band.
    bands = columns.of(WindowNumbers(sine(1.0, 36)))[0]
    assert int(bands.argmax()) == 4
    # Hann spreads the line over three bins, 0.5, 1 and 0.5 of its amplitude: root sum of squares sqrt(1.5).
    assert bands[4] == pytest.approx(math.sqrt(1.5) / 0.5, rel=1e-3)
    assert bands[:3].max() < 1e-3


def test_bands_are_named_by_their_edges() -> None:
    columns = BandColumns("bands", 4, (1.0, 1.0))
    assert columns.names(("x", "y"), 800.0)[:2] == ["x 0-100 Hz", "x 100-200 Hz"]
    assert columns.names(("x", "y"), None)[4] == "y bins 0-0"
    numbers = columns.of(WindowNumbers(np.ones((1, 64, 2), np.float32)))
    assert len(columns.names(("x", "y"), 800.0)) == numbers.shape[1]


def distance(whitening: tuple[tuple[float, ...], ...]) -> DistancePart:
    return DistancePart(
        kind="distance",
        name="time",
        weight=1.0,
        columns=TIME,
        centre=(1.0, 0.0, 0.0),
        whitening=whitening,
        scale=(0.1, 1.0, 1.0),
    )


def test_the_distance_by_hand() -> None:
    part = distance(((10.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    # RMS 1.3 is 3 deviations of 0.1 from its centre; one of three numbers: 3 / sqrt(3).
    (score,) = part.raw_scores(WindowNumbers(sine(1.3 * math.sqrt(2), 8)), {})[0]
    assert score == pytest.approx(3.0 / math.sqrt(3.0), rel=1e-3)


def test_what_deviates_is_named() -> None:
    part = distance(((10.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    told = part.contributions(WindowNumbers(sine(1.3 * math.sqrt(2), 8)), {}, ("z",), 800.0)
    assert max(told, key=lambda contribution: contribution.share).where == "z rms"


def test_patches_follow_each_other_with_all_axes() -> None:
    features = PatchFeatures("patches", (1.0, 2.0), patch=4, stride=2)
    window = np.arange(20, dtype=np.float32).reshape(1, 10, 2)
    window[0, 5:] += 4.0  # the mean of an axis becomes 9 + 2 and 10 + 2
    scaled = features.of(WindowNumbers(window))
    assert scaled[0, :, 0].tolist() == [-11.0, -9.0, -7.0, -5.0, -3.0, 3.0, 5.0, 7.0, 9.0, 11.0]
    assert features.output_shape(10) == (4, 8)
    target = features.target(scaled)
    assert target.shape == (1, 4, 8)
    assert target[0, 0].tolist() == [-11.0, -5.5, -9.0, -4.5, -7.0, -3.5, -5.0, -2.5]
    assert target[0, 1, ::2].tolist() == [-7.0, -5.0, -3.0, 3.0]
    assert target[0, 3, ::2].tolist() == [5.0, 7.0, 9.0, 11.0]


@pytest.mark.parametrize(
    ("scale", "floor", "expected"),
    # An amplitude of 0.25 g over a healthy total of 1 g, in one band of its own.
    [("linear", 0.0, 0.25), ("root", 0.0, 0.5), ("log", 0.05, math.log(0.3))],
)
def test_amplitudes_may_be_scaled(scale: BandScale, floor: float, expected: float) -> None:
    # The Hann window spreads a sine over three bins, whose root sum of squares is sqrt(1.5) amplitudes.
    window = sine(0.25 / math.sqrt(1.5), 36)
    bands = BandColumns("bands", 32, (1.0,), scale, floor).of(WindowNumbers(window))[0]
    assert bands[4] == pytest.approx(expected, abs=1e-3)


def test_a_floor_goes_with_the_logarithm_only() -> None:
    with pytest.raises(ValueError, match="goes with the scale log"):
        BandColumns("bands", 32, (1.0,), "log")
