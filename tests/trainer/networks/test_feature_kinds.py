"""Features that map a window to 0..1, and spectra as amplitudes and in bands."""

from __future__ import annotations

import numpy as np
import pytest

from agent.inference.features import RawFeatures, SpectrumFeatures
from agent.inference.window_numbers import WindowNumbers
from trainer.errors import ChoiceError
from trainer.networks.features import fit_features


def sines(amplitudes: list[float], n_windows: int = 40, length: int = 64) -> np.ndarray:
    """Windows of a sine with four periods each and a little noise; one axis per amplitude."""
    turn = 2 * np.pi * 4 * np.arange(length) / length
    wave = np.sin(turn)[None, :, None] * np.array(amplitudes)
    noise = 1e-3 * np.random.default_rng(0).standard_normal((n_windows, length, len(amplitudes)))
    return (wave + noise).astype(np.float32)


def test_minmax_maps_the_training_windows_to_0_and_1() -> None:
    windows = sines([0.2, 0.02])
    features = fit_features("minmax", windows, ("x", "y"))
    assert isinstance(features, RawFeatures)
    assert features.scale_g == pytest.approx((0.4, 0.04), rel=0.2)
    mapped = features.of(WindowNumbers(windows))
    assert mapped.min(axis=(0, 1)) == pytest.approx([0.0, 0.0], abs=1e-5)
    assert mapped.max(axis=(0, 1)) == pytest.approx([1.0, 1.0], abs=1e-5)


def test_amplitudes_are_linear() -> None:
    features = fit_features("amplitude", sines([0.2]), ("x",))
    assert isinstance(features, SpectrumFeatures)
    # A Hann window spreads a sine over its bin and, with half the amplitude, over both neighbours.
    assert features.mean[4][0] == pytest.approx(0.2, rel=0.01)
    assert (features.mean[3][0], features.mean[5][0]) == pytest.approx((0.1, 0.1), rel=0.02)
    x = sines([0.2])
    rise = features.of(WindowNumbers(np.float32(2.0) * x)) - features.of(WindowNumbers(x))
    assert rise[:, 4, 0] * features.deviation[4][0] == pytest.approx(0.2, rel=0.02)


def test_a_band_holds_the_energy_of_its_bins() -> None:
    features = fit_features("amplitude", sines([0.2]), ("x",), bands=3)
    assert isinstance(features, SpectrumFeatures)
    # 33 bins in three bands; the sine lies in the first: 0.1, 0.2, 0.1 together are 0.2 sqrt(1.5).
    assert features.edges(64).tolist() == [0, 11, 22, 33]
    assert features.shape(64) == (3, 1)
    assert features.mean[0][0] == pytest.approx(0.244949, rel=0.01)


def test_logarithms_of_bands_are_standardised() -> None:
    noise = np.random.default_rng(1).standard_normal((1000, 64, 2)).astype(np.float32)
    features = fit_features("spectrum", noise[:800], ("x", "y"), bands=8)
    unseen = features.of(WindowNumbers(noise[800:]))
    assert unseen.shape == (200, 8, 2)
    assert unseen.std() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("bands", [1, 34])
def test_bands_that_a_window_does_not_have_are_refused(bands: int) -> None:
    with pytest.raises(ChoiceError, match="a window of 64 samples has 2 to 33"):
        fit_features("spectrum", sines([0.2]), ("x",), bands=bands)
