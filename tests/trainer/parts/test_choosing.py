"""Virtual defects are what they are said to be, and healthy windows choose the scale that finds them."""

from __future__ import annotations

import numpy as np
import pytest

from agent.inference.arrays import FloatArray
from trainer.parts.choosing import choose_spectrum
from trainer.parts.virtual_defects import KINDS, with_defect
from trainer.recordings.folds import FoldedWindows


def noise(n_windows: int, n_axes: int = 1, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).standard_normal((n_windows, 128, n_axes)).astype(np.float32)


def folded(windows: FloatArray) -> FoldedWindows:
    n = len(windows)
    return FoldedWindows(windows, np.arange(n) * 5 // n, np.zeros(n, np.int64), 5, float(n))


@pytest.mark.parametrize("kind", KINDS)
def test_a_defect_adds_half_the_level_to_one_axis(kind: str) -> None:
    healthy = 0.2 * noise(50, n_axes=3)
    added = with_defect(kind, healthy, np.random.default_rng(1)) - healthy
    changed = np.abs(added).max(axis=1) > 0
    assert (changed.sum(axis=1) == 1).all()
    rms = np.sqrt(np.mean(added**2, axis=1))[changed]
    expected = 0.5 * healthy.std(axis=1)[changed]
    assert rms == pytest.approx(expected, rel=1e-4)


def test_a_tone_is_one_line() -> None:
    added = with_defect("tone", noise(20), np.random.default_rng(0)) - noise(20)
    power = np.square(np.abs(np.fft.rfft(added[:, :, 0] * np.hanning(128), axis=1)))
    top = np.sort(power, axis=1)[:, -4:].sum(axis=1)
    assert (top > 0.98 * power.sum(axis=1)).all()


def test_a_steady_machine_is_watched_by_its_amplitudes() -> None:
    choices = choose_spectrum(folded(noise(600)), None, None, seed=0)
    assert (choices.chosen.scale, choices.chosen.bands) == ("linear", 32)
    assert [(one.scale, one.bands) for one in choices.tried] == [
        *(("linear", 32), ("linear", 16), ("root", 32), ("root", 16), ("log", 32), ("log", 16))
    ]


def test_bands_that_each_vary_tenfold_are_watched_by_logarithms() -> None:
    # A gain of its own for each of 16 bands, log-normal with a deviation of 2.
    random = np.random.default_rng(0)
    spectrum = np.fft.rfft(random.standard_normal((600, 128)))
    gains = np.repeat(np.exp(2.0 * random.standard_normal((600, 17))), 4, axis=1)[:, :65]
    restless = np.fft.irfft(spectrum * gains).astype(np.float32)[:, :, np.newaxis]
    choices = choose_spectrum(folded(restless), None, None, seed=0)
    assert choices.chosen.scale == "log"
    assert choices.chosen.found > choices.tried[0].found + 0.05


def test_what_is_given_stays() -> None:
    choices = choose_spectrum(folded(noise(300)), "root", 24, seed=0)
    assert [(one.scale, one.bands) for one in choices.tried] == [("root", 24)]
