"""``judder record``, right and wrong, on a simulated sensor."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from agent.cli.main import main
from agent.control.commands import Commands
from agent.control.socket import ControlServer
from firmware_bridge.recording import load_recording
from tests.owned_process import owned
from tests.waiting import wait_until

CONFIG = """
state_dir = "."
runtime_dir = "."
[gateway]
site = "plant-1"
name = "gw-3"
[sensors.press]
bus = "sim:press"
rate_hz = 800
bundle = "press-1.judder"
[sensors.press.signal]
kind = "silence"
"""
SECOND = CONFIG[CONFIG.index("[sensors.press]") :].replace("press", "fan")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "judder.toml"
    path.write_text(CONFIG, encoding="ascii")
    return path


def record(config: Path, out: Path, *arguments: str) -> Result:
    command = ["record", "--seconds", "0.6", "--out", str(out), "--config", str(config), *arguments]
    return CliRunner().invoke(main, command)


def test_a_recording(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.wav"
    result = record(config, out)
    assert result.exit_code == 0, result.output
    assert "480 samples at 800.0 Hz, 0.6 s of adxl345  SIMULATED" in result.output
    recording = load_recording(out)
    assert (recording.samples.shape, recording.rate_hz) == ((480, 3), 800.0)
    assert recording.samples[:, 2].mean() == pytest.approx(1.0, abs=0.01)


def test_one_of_several_sensors(config: Path, tmp_path: Path) -> None:
    config.write_text(CONFIG + SECOND, encoding="ascii")
    result = record(config, tmp_path / "run.wav")
    assert (
        result.exit_code,
        "say which sensor: --sensor press, --sensor fan, or --bus" in result.output,
    ) == (2, True)
    result = record(config, tmp_path / "run.wav", "--sensor", "pump")
    assert result.exit_code == 2
    assert f"no sensor 'pump' in {config}; known are: press, fan" in result.output
    assert record(config, tmp_path / "run.wav", "--sensor", "fan").exit_code == 0


def test_a_sensor_that_is_not_configured(tmp_path: Path) -> None:
    out = tmp_path / "run.wav"
    command = ["record", "--seconds", "0.5", "--out", str(out), "--bus", "sim:bench"]
    result = CliRunner().invoke(main, [*command, "--chip", "adxl355", "--rate", "1000", "--range", "2"])
    assert result.exit_code == 0, result.output
    assert "500 samples at 1000.0 Hz, 0.5 s of adxl355  SIMULATED" in result.output
    assert load_recording(out).samples.shape == (500, 3)


def test_a_killed_recording_is_whole_up_to_the_last_second(tmp_path: Path) -> None:
    out = tmp_path / "run.wav"
    options = ["--bus", "sim:bench", "--chip", "adxl345", "--rate", "800", "--signal", "rotor"]
    command = [sys.executable, "-m", "agent.cli", "record", "--seconds", "600", "--out", str(out), *options]
    with owned(command, cwd=Path(__file__).parents[3]) as recording:
        # More than two seconds of three axes of 16 bits.
        wait_until(
            lambda: recording.poll() is not None or (out.exists() and out.stat().st_size >= 2 * 800 * 6),
            "nothing is recorded",
        )
        assert recording.poll() is None
        written = (out.stat().st_size - 44) // 6
        recording.kill()
    found = load_recording(out)
    # A second may lie behind the header's length.
    assert len(found.samples) >= written - 800 - 200
    assert found.rate_hz == pytest.approx(800, rel=0.01)
    assert np.isfinite(found.samples).all()
    assert found.samples[:, 0].std() > 0.05


def test_files_that_cannot_be_written(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.wav"
    out.touch()
    result = record(config, out)
    assert (result.exit_code, "exists already; choose another name" in result.output) == (1, True)
    result = record(config, tmp_path / "run.mp3")
    assert (result.exit_code, "recordings are written as .wav" in result.output) == (2, True)
    result = record(config, tmp_path / "none" / "run.wav")
    assert (result.exit_code, "cannot be written" in result.output) == (1, True)


def test_a_sensor_that_does_not_answer(config: Path, tmp_path: Path) -> None:
    plan = '[sensors.press.faults]\nplan = [{kind = "unplugged", at_s = 0, duration_s = 1000}]\n'
    config.write_text(CONFIG + plan, encoding="ascii")
    result = record(config, tmp_path / "run.wav")
    assert result.exit_code == 1
    assert "sim:press address 0x53 register 0x00: no answer from this address" in result.output
    assert not (tmp_path / "run.wav").exists()


REAL = CONFIG.replace("sim:press", "/dev/i2c-250").replace('[sensors.press.signal]\nkind = "silence"\n', "")


def test_a_bus_that_is_not_there(config: Path, tmp_path: Path) -> None:
    config.write_text(REAL, encoding="ascii")
    result = record(config, tmp_path / "run.wav")
    assert (result.exit_code, "/dev/i2c-250: no such bus" in result.output) == (1, True)


def test_a_sensor_that_the_daemon_reads_is_left_to_it(config: Path, tmp_path: Path) -> None:
    config.write_text(REAL, encoding="ascii")
    commands = Commands("control socket", {"status": lambda arguments: {}})
    with ControlServer(tmp_path / "control.sock", commands):
        result = record(config, tmp_path / "run.wav")
    assert (result.exit_code, "stop it first (systemctl stop judder)" in result.output) == (1, True)


def test_a_gap_on_the_way_is_told(config: Path, tmp_path: Path) -> None:
    plan = '[sensors.press.faults]\nplan = [{kind = "brown_out", at_s = 0.2, duration_s = 0}]\n'
    config.write_text(CONFIG + plan, encoding="ascii")
    result = record(config, tmp_path / "run.wav")
    assert result.exit_code == 0, result.output
    assert re.search(r"[1-9] gaps, at least \d+ samples lost", result.output)  # a busy machine adds to it
    assert len(load_recording(tmp_path / "run.wav").segments) == 2
