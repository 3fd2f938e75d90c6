"""What is normal: scales, levels and spectra of signals whose values are known."""

from __future__ import annotations

import numpy as np
import pytest

from agent.inference.features import RawFeatures, SpectrumFeatures
from agent.inference.window_numbers import WindowNumbers
from trainer.errors import DataError
from trainer.networks.features import fit_features
from trainer.parts.level import fit_level
from trainer.settings import FeatureKind


def sines(amplitudes: list[float], n_windows: int = 40, length: int = 64) -> np.ndarray:
    """Windows of a sine with four periods each, offset by 1 g; one axis per amplitude."""
    turn = 2 * np.pi * 4 * np.arange(length) / length
    wave = np.sin(turn)[None, :, None] * np.array(amplitudes) + 1.0
    return np.repeat(wave, n_windows, axis=0).astype(np.float32)


def test_raw_features_are_scaled_by_the_rms_of_each_axis() -> None:
    features = fit_features("raw", sines([0.2, 0.02]), ("x", "y"))
    assert isinstance(features, RawFeatures)
    # A sine's RMS is its amplitude over sqrt(2).
    assert features.scale_g == pytest.approx((0.141421, 0.0141421), rel=1e-5)


def test_the_level_is_the_median_rms_with_a_spread_of_two_percent_at_least() -> None:
    part = fit_level(sines([0.3, 0.4]), ("x", "y"))
    assert part.median_rms_g == pytest.approx((0.212132, 0.282843, 0.353553), rel=1e-5)
    assert part.high == part.low == (0.02, 0.02, 0.02)
    assert part.weight == 1.0


def test_the_spread_of_the_level_reaches_to_the_deciles() -> None:
    loudness = np.linspace(0.5, 1.5, 101)[:, None, None]
    windows = (sines([0.1], 101) - 1.0) * loudness
    part = fit_level(windows.astype(np.float32), ("x",))
    assert part.high == pytest.approx((0.4,), rel=1e-4)
    assert part.low == pytest.approx((0.4,), rel=1e-4)


@pytest.mark.parametrize("kind", ["raw", "spectrum"])
def test_an_axis_that_stands_still_is_named(kind: FeatureKind) -> None:
    with pytest.raises(DataError, match=r"column 'y' stands still.*--columns"):
        fit_features(kind, sines([0.1, 0.0]), ("x", "y"))
    with pytest.raises(DataError, match="column 'y' stands still"):
        fit_level(sines([0.1, 0.0]), ("x", "y"))


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((2000, 64, 1)).astype(np.float32)


def test_spectra_of_healthy_windows_are_standardised() -> None:
    features = fit_features("spectrum", noise(0), ("x",))
    assert isinstance(features, SpectrumFeatures)
    unseen = features.of(WindowNumbers(noise(1)))[:, 1:]
    assert unseen.mean() == pytest.approx(0.0, abs=0.02)
    assert unseen.std() == pytest.approx(1.0, abs=0.02)


def test_the_floor_is_a_fifth_of_the_median_amplitude() -> None:
    features = fit_features("spectrum", noise(0), ("x",))
    # Hann window, 64 samples of unit noise: a bin's power has the mean 4 x 1.5 / 64, so its amplitude, being
    # Rayleigh distributed, has the median sqrt(0.09375 ln 2) = 0.255.
    assert isinstance(features, SpectrumFeatures)
    assert features.floor_g == pytest.approx(0.051, rel=0.03)


def test_quiet_bins_do_not_blow_up() -> None:
    steady = sines([1.0], 200) + 1e-3 * noise(0)[:200]
    features = fit_features("spectrum", steady.astype(np.float32), ("x",))
    assert isinstance(features, SpectrumFeatures)
    deviation = np.array(features.deviation)
    # Noise of a thousandth hardly moves the line at bin 4; its scale is held at half of the noise bins'.
    assert deviation[4, 0] == pytest.approx(0.5 * np.median(deviation), rel=1e-3)
    assert deviation.min() >= 0.15
