"""Recordings through the simulated chip, and the demo's bundle."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from agent.config.alarm import AlarmPolicy
from agent.inference.bundle import read_bundle
from agent.inference.detector import Detector, judge_recording, open_detector
from agent.judging.alarm import Alarm
from agent.judging.alert import Change
from firmware_bridge.errors import SensorError
from firmware_bridge.signals import RotatingMachine
from trainer.bundles.writing import Target
from trainer.demo import build_demo, demo_machine
from trainer.recordings.synthetic import record


@pytest.fixture(scope="module")
def detector() -> Detector:
    """The detector that ships."""
    with_demo = Path(str(files("agent") / "demo" / "demo-1.judder"))
    return open_detector(with_demo)[0]


def alerts(detector: Detector, samples: np.ndarray) -> list[tuple[Change, int]]:
    """Changes of level with the number of samples after which they are known."""
    starts, verdicts = judge_recording(detector, samples, [(0, len(samples))])
    alarm = Alarm(detector.manifest, AlarmPolicy())
    length = detector.manifest.window.length
    changes = [
        (alarm.update(verdict.score), int(start) + length)
        for start, verdict in zip(starts, verdicts, strict=True)
    ]
    return [(transition.change, end) for transition, end in changes if transition]


def test_a_recording_holds_what_the_chip_felt() -> None:
    signal = RotatingMachine(
        shaft_hz=25.0, harmonics_g=((0.5, 0.0, 0.0),), load_variation=0.0, noise_g=(0, 0, 0)
    )
    recording = record(signal, chip="adxl345", rate_hz=400.0, range_g=8.0, seconds=2.0)
    assert recording.samples.shape == (800, 3)
    assert recording.columns == ("x", "y", "z")
    assert recording.rate_hz == 400.0
    # Gravity on z; the sine of 0.5 g on x, each sample off by half a step of 1/256 g at most.
    assert np.abs(recording.samples[:, 2] - 1.0).max() <= 0.002
    assert recording.samples[:, 0].std() == pytest.approx(0.353553, abs=0.001)
    spectrum = np.abs(np.fft.rfft(recording.samples[:, 0]))
    assert np.argmax(spectrum) == 50  # 25 Hz at 0.5 Hz per bin


def test_a_chip_that_nobody_knows_is_told() -> None:
    with pytest.raises(SensorError, match="unknown accelerometer 'adxl999'"):
        record(RotatingMachine(), chip="adxl999", rate_hz=400.0, range_g=8.0, seconds=1.0)


@pytest.mark.parametrize(("seed", "shaft_hz"), [(1, 25.0), (2, 25.2), (3, 24.8), (4, 25.1)])
def test_the_demo_is_quiet_while_the_machine_is_healthy(
    detector: Detector, seed: int, shaft_hz: float
) -> None:
    recording = demo_machine().recorded(60.0, severity_g=0.0, seed=seed, shaft_hz=shaft_hz)
    assert len(recording.samples) == 48_000
    assert alerts(detector, recording.samples) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_demo_raises_an_alarm_soon_after_the_fault(detector: Detector, seed: int) -> None:
    machine = demo_machine()
    fault_at = float(machine.signal["fault_at_s"]) * machine.rate_hz
    changes = alerts(detector, machine.recorded(fault_at / machine.rate_hz + 5.0, seed=seed).samples)
    assert [change for change, _ in changes] in ([Change.RAISED], [Change.RAISED, Change.ESCALATED])
    assert all(fault_at < end <= fault_at + 2 * machine.rate_hz for _, end in changes)


def test_the_bundle_that_ships_is_what_the_trainer_builds(detector: Detector, tmp_path: Path) -> None:
    target = Target(tmp_path / "demo-1.judder", "demo", "1")
    build_demo(target, lambda doing, share: None)
    rebuilt, _ = open_detector(target.path)
    shipped = read_bundle(Path(str(files("agent") / "demo" / "demo-1.judder")))
    assert rebuilt.manifest.title == shipped.manifest.title == "demo-1"
    assert rebuilt.manifest.thresholds == shipped.manifest.thresholds
    recording = demo_machine().recorded(20.0, severity_g=0.0, seed=9)
    whole = [(0, len(recording.samples))]
    scores, expected = (
        np.array([verdict.score for verdict in judge_recording(chosen, recording.samples, whole)[1]])
        for chosen in (rebuilt, detector)
    )
    # Another processor adds up in another order, so training may end elsewhere; the verdicts are the same.
    assert np.corrcoef(scores, expected)[0, 1] > 0.9
    assert np.abs(scores - expected).max() < 1.0
