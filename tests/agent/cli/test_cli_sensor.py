"""``judder sensor``, run as a technician would, right and wrong."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from agent.cli.main import main
from agent.cli.sensor_options import find_chip
from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.chip.identity import Answer
from firmware_bridge.chips import CHIPS, simulate
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import BusError, SensorError
from firmware_bridge.signals import Silence

CONFIG = """
[gateway]
site = "plant-1"
name = "gw-3"
[sensors.press]
bus = "sim:press"
chip = "lsm6dso"
rate_hz = 417
bundle = "press-1.judder"
signal = {kind = "rotor"}
"""
SECOND = """
[sensors.pump]
bus = "sim:pump"
chip = "lis3dh"
rate_hz = 400
bundle = "press-1.judder"
signal = {kind = "silence"}
"""


def sensor(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["sensor", *(str(argument) for argument in arguments)])


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The commands take over the signals of this process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "judder.toml"
    path.write_text(CONFIG, encoding="ascii")
    return path


@pytest.mark.parametrize("chip", CHIPS)
def test_scan_names_what_it_finds(chip: str) -> None:
    result = sensor("scan", "--bus", "sim:bench", "--chip", chip)
    assert (result.exit_code, result.output) == (0, f"0x{CHIPS[chip].usual_address:02x}  {chip}\n")
    found = json.loads(sensor("scan", "--bus", "sim:bench", "--chip", chip, "--json").output)
    assert found == [{"address": CHIPS[chip].usual_address, "chip": chip, "held": False}]


def test_the_configured_sensor_is_meant_if_there_is_one(config: Path) -> None:
    result = sensor("scan", "--config", config)
    assert (result.exit_code, result.output) == (0, "0x6a  lsm6dso\n")


def test_one_of_several_must_be_named(config: Path) -> None:
    config.write_text(CONFIG + SECOND, encoding="ascii")
    result = sensor("probe", "--config", config)
    assert (result.exit_code, "--sensor press, --sensor pump" in result.output) == (2, True)
    result = sensor("probe", "--config", config, "--sensor", "pump")
    assert (result.exit_code, "SIMULATED lis3dh on sim:pump at 0x18" in result.output) == (0, True)


def test_probe_shows_the_configuration() -> None:
    result = sensor("probe", "--bus", "sim:bench", "--chip", "adxl345", "--rate", "800")
    assert result.exit_code == 0, result.output
    assert "SIMULATED adxl345 on sim:bench at 0x53, 800 Hz, 16 g full scale" in result.output
    # Reset value, and 800 Hz.
    assert re.search(r"BW_RATE +0x0a +0x0d +differs", result.output)
    shown = json.loads(sensor("probe", "--bus", "sim:bench", "--chip", "lis3dh", "--json").output)
    assert (shown["chip"], shown["address"], shown["registers"]["CTRL_REG1"]) == ("lis3dh", 0x18, 0x07)


@pytest.mark.parametrize("chip", ["adxl345", "lsm6dso"])
def test_read_shows_gravity(chip: str) -> None:
    arguments = ["--bus", "sim:bench", "--chip", chip, "--seconds", "0.4", "--interval", "0.2"]
    result = sensor("read", *arguments, "--json")
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.output.splitlines()]
    assert len(lines) == 2
    for line in lines:
        assert line["mean_g"] == pytest.approx([0, 0, 1], abs=0.01)
        assert line["rms_g"] == pytest.approx([0.003, 0.003, 0.004], abs=0.002)
        assert line["lost"] == 0
        assert line["temperature_c"] == (25.0 if chip == "lsm6dso" else None)
    told = sensor("read", *arguments).output
    assert len(told.splitlines()) == 4
    assert " Hz " in told
    assert ("°C" in told) == (chip == "lsm6dso")


def test_read_feels_the_signal() -> None:
    arguments = ["--bus", "sim:bench", "--chip", "adxl355", "--signal", "rotor", "--seconds", "0.3", "--json"]
    line = json.loads(sensor("read", *arguments).output)
    # Harmonics of 0.12, 0.04 and 0.02 g on x.
    assert line["rms_g"][0] == pytest.approx(0.091, rel=0.1)


@pytest.mark.parametrize("chip", CHIPS)
def test_selftest(chip: str) -> None:
    result = sensor("selftest", "--bus", "sim:bench", "--chip", chip)
    assert result.exit_code == 0, result.output
    assert result.output.count("good") == 3


def test_a_self_test_that_fails_exits_with_one(config: Path) -> None:
    # The z axis is at the end of its scale, whatever the self-test adds.
    stuck = '{kind = "silence", gravity_g = [0.0, 0.0, 100.0]}'
    config.write_text(CONFIG.replace('{kind = "rotor"}', stuck), encoding="ascii")
    result = sensor("selftest", "--config", config)
    assert result.exit_code == 1
    assert (result.output.count("good"), result.output.count("BAD")) == (2, 1)
    assert result.output.endswith(
        "Error: the self-test failed; repeat it at standstill, then replace the sensor\n"
    )


def test_rate_is_measured() -> None:
    arguments = ["--bus", "sim:bench", "--chip", "lsm6dso", "--rate", "833", "--seconds", "0.5"]
    measured = json.loads(sensor("rate", *arguments, "--json").output)
    assert measured["nominal_hz"] == 833
    assert abs(measured["rate_hz"] - 833) <= 2 * measured["uncertainty_hz"]
    assert "% of the nominal 833 Hz" in sensor("rate", *arguments).output


@pytest.mark.parametrize("command", ["scan", "probe", "read", "selftest", "rate"])
@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (
            ["--bus", "sim:bench", "--chip", "adxl999"],
            1,
            "unknown accelerometer 'adxl999'; known are: adxl345",
        ),
        (["--bus", "sim:bench"], 2, "--chip is needed: a simulated bus has no chip of its own"),
        (["--bus", "sim:bench", "--chip", "adxl345", "--signal", "motor"], 1, "unknown signal: 'motor'"),
        (["--bus", "250", "--chip", "adxl345"], 1, "raspi-config"),
        (["--bus", "250", "--chip", "adxl345"], 1, "Debian: modprobe i2c-dev"),
        (["--bus", "/dev/null", "--chip", "adxl345"], 1, "/dev/null: this is not an I2C bus"),
        (["--bus", "250", "--chip", "adxl345", "--signal", "rotor"], 2, "--signal is for simulated buses"),
        (["--bus", "sim:a", "--sensor", "press"], 2, "does not go with --bus"),
        (["--address", "0x53"], 2, "need --bus"),
        (["--bus", "sim:a", "--address", "0x99"], 2, "0x99 is no 7-bit I2C address"),
        (["--bus", "sim:a", "--address", "here"], 2, "'here' is no number; write it as 0x53"),
        (["--bus", "iio:0", "--chip", "adxl345", "--rate", "100"], 2, "are for I2C buses"),
        (["--bus", "iio:0"], 2, "--rate is needed"),
        (["--config", "/nonexistent/judder.toml"], 1, "/nonexistent/judder.toml: cannot be read"),
    ],
)
def test_mistakes_are_told_in_one_line(command: str, arguments: list[str], code: int, told: str) -> None:
    result = sensor(command, *arguments)
    assert (result.exit_code, told in result.output) == (code, True), result.output
    assert len([line for line in result.output.splitlines() if line.startswith("Error: ")]) == 1
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", ["probe", "read", "selftest", "rate"])
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--rate", "123"], "adxl345 offers no rate of 123 Hz; choose 0.09765625, 0.1953125, 0.390625"),
        (["--range", "3"], "adxl345 offers no range of 3 g; choose 2, 4, 8, 16"),
        (["--address", "0x54"], "adxl345 has no address 0x54; choose 0x53 or 0x1d"),
    ],
)
def test_what_is_not_offered_is_told_with_what_is(command: str, arguments: list[str], told: str) -> None:
    result = sensor(command, "--bus", "sim:bench", "--chip", "adxl345", *arguments)
    assert (result.exit_code, told in result.output) == (1, True), result.output


def test_a_kernel_device_has_no_registers_to_show() -> None:
    for command in ("scan", "probe"):
        result = sensor(command, "--bus", "iio:0", "--rate", "100")
        assert (result.exit_code, "belongs to the kernel's driver" in result.output) == (2, True), (
            result.output
        )
    result = sensor("read", "--bus", "iio:nonesuch", "--rate", "100", "--seconds", "0.1")
    assert (result.exit_code, "iio:nonesuch: no such device" in result.output) == (1, True), result.output


def test_unknown_sensors_are_told_with_the_known_ones(config: Path) -> None:
    result = sensor("read", "--config", config, "--sensor", "pres")
    assert (result.exit_code, "known are: press" in result.output) == (2, True)


def test_a_chip_that_was_not_named_is_found() -> None:
    clock = SimulatedClock()
    bus = SimulatedBus("sim:bench", clock)
    with pytest.raises(click.UsageError, match="sim:bench has no known chip"):
        find_chip(bus, None)
    bus.attach(0x19, simulate("lis3dh", clock, Silence()))
    assert find_chip(bus, None) == find_chip(bus, 0x19) == Answer(0x19, "lis3dh")
    bus.attach(0x53, simulate("adxl345", clock, Silence()))
    with pytest.raises(click.UsageError, match="has lis3dh at 0x19, adxl345 at 0x53"):
        find_chip(bus, None)
    with pytest.raises(BusError, match="no answer from this simulated address"):
        find_chip(bus, 0x42)


def test_a_chip_that_is_not_known_is_told() -> None:
    bus = SimulatedBus("sim:bench", SimulatedClock())

    class Clockwork:
        def read(self, register: int, length: int) -> bytes:
            return bytes(length)

        def write(self, register: int, data: bytes) -> None:
            raise AssertionError("nothing is written")

        def power_cycle(self) -> None:
            pass

    bus.attach(0x68, Clockwork())
    with pytest.raises(SensorError, match="sim:bench at 0x68: answers as no chip that is known: adxl345"):
        find_chip(bus, 0x68)


@pytest.mark.parametrize("command", [[], ["scan"], ["probe"], ["read"], ["selftest"], ["rate"]])
def test_help(command: list[str]) -> None:
    result = sensor(*command, "--help")
    assert (result.exit_code, "Usage:" in result.output) == (0, True)
