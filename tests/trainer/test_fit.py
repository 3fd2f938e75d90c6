"""The whole way from recordings to a bundle, briefly trained on a simulated machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from agent.inference.arrays import FloatArray
from agent.inference.detector import Detector, open_detector
from agent.inference.scoring import Level
from agent.inference.window_numbers import WindowNumbers
from firmware_bridge.signals import RotatingMachine
from trainer.bundles.making import FitReport
from trainer.bundles.writing import Target
from trainer.fit import fit
from trainer.parts.distances import fit_bands, fit_time
from trainer.settings import FOLDS, FitSettings

RATE_HZ = 200.0
SETTINGS = FitSettings(window_length=64, steps=300)


def machine(seconds: float, seed: int, severity_g: float = 0.0, gain: float = 1.0) -> FloatArray:
    """Return the acceleration of a machine, shape (n_samples, 3)."""
    times_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    signal = RotatingMachine(
        shaft_hz=11.0, resonance_hz=70.0, severity_g=severity_g, noise_g=(0.01, 0.01, 0.01), seed=seed
    )
    vibration = signal.acceleration_g(times_s) - np.array([0.0, 0.0, 1.0])
    return (gain * vibration + np.array([0.0, 0.0, 1.0])).astype(np.float32)


@dataclass(frozen=True)
class Fitted:
    path: Path
    report: FitReport
    detector: Detector

    def levels(self, samples: FloatArray) -> list[Level]:
        starts = range(0, len(samples) - 63, 64)
        windows = np.stack([samples[start : start + 64] for start in starts])
        return [verdict.level for verdict in self.detector.judge(windows)]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory, make_source: Callable[..., object]) -> Fitted:
    path = tmp_path_factory.mktemp("recipe") / "machine-1.judder"
    report = fit_one(path, make_source)
    return Fitted(path, report, open_detector(path)[0])


def fit_one(path: Path, make_source: Callable[..., object]) -> FitReport:
    source = make_source(machine(60.0, seed=1), rate_hz=RATE_HZ)
    return fit([source], SETTINGS, Target(path, "machine", "1"), None, lambda doing, share: None)  # type: ignore[list-item]


def test_four_parts_share_the_weight(fitted: Fitted) -> None:
    parts = fitted.detector.manifest.parts
    assert [part.name for part in parts] == ["level", "time", "spectrum", "waveform"]
    assert sum(part.weight for part in parts) == pytest.approx(1.0, abs=1e-5)
    assert [len(part.tails) for part in parts] == [4, 1, 1, 3]


def test_a_healthy_machine_it_never_saw_is_quiet(fitted: Fitted) -> None:
    levels = fitted.levels(machine(120.0, seed=1)[len(machine(60.0, seed=1)) :])
    assert levels.count(Level.ALARM) <= 0.03 * len(levels)


@pytest.mark.parametrize(
    ("change", "found"),
    [({"severity_g": 0.3}, 0.95), ({"gain": 1.8}, 0.95), ({"gain": 0.5}, 0.95)],
    ids=["bearing", "louder", "quieter"],
)
def test_what_is_found(fitted: Fitted, change: dict[str, float], found: float) -> None:
    levels = fitted.levels(machine(60.0, seed=1, **change))
    assert levels.count(Level.ALARM) >= found * len(levels)


def test_every_window_was_judged_out_of_its_fold(fitted: Fitted) -> None:
    provenance = fitted.report.provenance
    assert provenance.windows.folds == FOLDS
    assert provenance.false_alarms[0].windows == provenance.windows.total
    assert provenance.fidelity is not None
    assert provenance.fidelity.correlation > 0.9


def test_same_seed_same_bytes(fitted: Fitted, tmp_path: Path, make_source: Callable[..., object]) -> None:
    again = tmp_path / fitted.path.name
    fit_one(again, make_source)
    assert again.read_bytes() == fitted.path.read_bytes()


def test_a_distance_is_one_for_what_it_learnt() -> None:
    random = np.random.default_rng(0)
    windows = random.standard_normal((2000, 128, 2)).astype(np.float32)
    for part in (fit_time(windows, 0.5, 1.0), fit_bands(windows, 0.5, 1.0)):
        scores = part.raw_scores(WindowNumbers(windows), {})
        # The mean squared Mahalanobis distance over the number of columns is 1 for the fitted data.
        assert float(np.mean(scores**2)) == pytest.approx(1.0, abs=0.15)


def test_few_windows_still_give_a_covariance() -> None:
    windows = np.random.default_rng(0).standard_normal((12, 128, 2)).astype(np.float32)
    part = fit_bands(windows, 0.5, 1.0)
    assert np.isfinite(part.raw_scores(WindowNumbers(windows), {})).all()
