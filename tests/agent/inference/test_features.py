"""Features against what theory says of sines and noise."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import WindowError
from agent.inference.arrays import FloatArray
from agent.inference.features import (
    RawFeatures,
    SpectrumFeatures,
    amplitude_spectrum,
    axis_statistics,
    centred,
    mean_square,
)
from agent.inference.window import WindowSpec, cut, segment_begins, window_starts
from agent.inference.window_numbers import WindowNumbers


def sine(amplitude_g: float, cycles: float, length: int = 512, offset_g: float = 0.0) -> FloatArray:
    """Return one window of one axis, shape (1, length, 1)."""
    phase = 2 * np.pi * cycles * np.arange(length) / length
    return (offset_g + amplitude_g * np.sin(phase)).astype(np.float32)[np.newaxis, :, np.newaxis]


def test_gravity_is_no_vibration() -> None:
    assert mean_square(centred(sine(0.0, 1, offset_g=1.0))) == pytest.approx(0.0)


def test_the_rms_of_a_sine_is_its_amplitude_over_root_two() -> None:
    assert math.sqrt(mean_square(centred(sine(2.0, 8)))[0, 0]) == pytest.approx(1.41421, rel=1e-4)


def test_a_sine_stands_in_its_bin_with_its_amplitude() -> None:
    spectrum = amplitude_spectrum(centred(sine(0.25, 40)))[0, :, 0]
    assert int(spectrum.argmax()) == 40
    assert spectrum[40] == pytest.approx(0.25, rel=1e-4)
    assert spectrum[39] == pytest.approx(0.125, rel=1e-3)  # the Hann window's main lobe
    assert spectrum[100] < 1e-5


def test_statistics_of_a_sine() -> None:
    (axis,) = axis_statistics(sine(2.0, 8, offset_g=5.0)[0], ("x",))
    assert (axis.axis, axis.rms_g, axis.peak_g) == (
        "x",
        pytest.approx(1.41421, rel=1e-4),
        pytest.approx(2.0, rel=1e-3),
    )
    assert axis.crest_factor == pytest.approx(1.41421, rel=1e-3)
    assert axis.kurtosis == pytest.approx(1.5, rel=1e-3)


def test_an_impact_raises_crest_factor_and_kurtosis() -> None:
    window = np.zeros((512, 1), np.float32)
    window[100] = 1.0
    (axis,) = axis_statistics(window, ("x",))
    # One sample of n: crest factor about sqrt(n), kurtosis about n.
    assert axis.crest_factor == pytest.approx(math.sqrt(512), rel=0.01)
    assert axis.kurtosis == pytest.approx(512, rel=0.01)


def test_a_silent_axis_has_statistics() -> None:
    (axis,) = axis_statistics(np.ones((64, 1), np.float32), ("z",))
    assert (axis.rms_g, axis.crest_factor, axis.kurtosis) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_not_finite_is_refused(bad: float) -> None:
    window = sine(1.0, 4)
    window[0, 7, 0] = bad
    with np.errstate(invalid="ignore"), pytest.raises(WindowError, match="not finite"):
        centred(window)


def test_raw_features_are_in_units_of_the_healthy_rms() -> None:
    features = RawFeatures("raw", scale_g=(0.5,)).of(WindowNumbers(sine(1.0, 4)))
    assert float(features.max()) == pytest.approx(2.0, rel=1e-3)


def test_spectrum_features_are_standardised_per_bin() -> None:
    bins = 257
    spec = SpectrumFeatures("spectrum", 1e-3, mean=((1.0,),) * bins, deviation=((2.0,),) * bins)
    features = spec.of(WindowNumbers(sine(0.25, 40)))
    assert features.shape == (1, 257, 1)
    assert features[0, 40, 0] == pytest.approx((math.log(0.251) - 1.0) / 2.0, rel=1e-3)


@given(
    lengths=st.lists(st.integers(0, 60), min_size=1, max_size=5),
    length=st.integers(4, 16),
    hop=st.integers(1, 16),
)
def test_windows_stay_inside_their_segment_and_leave_nothing_out(
    lengths: list[int], length: int, hop: int
) -> None:
    spec = WindowSpec(length, min(hop, length))
    edges = np.cumsum([0, *lengths]).tolist()
    segments = list(pairwise(edges))
    starts = window_starts(segments, spec).tolist()
    for start, end in segments:
        inside = [s for s in starts if start <= s and s + length <= end]
        expected = max(0, (end - start - length) // spec.hop + 1)
        assert len(inside) == expected
        assert inside == [start + i * spec.hop for i in range(expected)]
    assert len(starts) == sum(max(0, (n - length) // spec.hop + 1) for n in lengths)


def test_cut_copies_the_right_samples() -> None:
    samples = np.arange(40, dtype=np.float32).reshape(20, 2)
    windows = cut(samples, np.array([0, 5]), 4)
    assert windows.shape == (2, 4, 2)
    assert windows[1].tolist() == [[10.0, 11.0], [12.0, 13.0], [14.0, 15.0], [16.0, 17.0]]
    windows[0, 0, 0] = 99.0
    assert samples[0, 0] == 0.0


def test_padded_windows_begin_with_zeros_at_every_stretch() -> None:
    samples = np.arange(1, 13, dtype=np.float32)[:, np.newaxis]
    segments, spec = [(0, 5), (5, 12)], WindowSpec(4, 1, "zeros")
    starts = window_starts(segments, spec)
    # One window ends at every sample, as in the published networks.
    assert (starts + 3).tolist() == list(range(12))
    windows = cut(samples, starts, 4, segment_begins(segments, starts, 4))[:, :, 0]
    assert windows[0].tolist() == [0, 0, 0, 1]
    assert windows[2].tolist() == [0, 1, 2, 3]
    assert windows[4].tolist() == [2, 3, 4, 5]
    assert windows[5].tolist() == [0, 0, 0, 6]
    assert windows[11].tolist() == [9, 10, 11, 12]


def test_a_hop_longer_than_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match="skip samples"):
        WindowSpec(length=16, hop=17)
