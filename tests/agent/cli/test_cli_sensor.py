"""``judder sensor``, run as a technician would, right and wrong."""

from __future__ import annotations

import errno
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
from firmware_bridge.bus.simulated import SimulatedBus, SimulatedChip
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
    address = CHIPS[chip].usual_address
    result = sensor("scan", "--bus", "sim:bench", "--chip", chip)
    assert (result.exit_code, result.output.split()[:2]) == (0, [f"0x{address:02x}", chip])
    (found,) = json.loads(sensor("scan", "--bus", "sim:bench", "--chip", chip, "--json").output)
    assert (found["bus"], found["address"], found["chip"]) == ("sim:bench", address, chip)
    assert (found["held"], found["identity"], found["relative"]) == (False, {}, None)


# Makers' headers and Linux's drivers: what is sold in the place of a chip that judder knows.
RELATIVES = [
    ("mpu6050", 0x75, 0x70, "MPU-6500"),
    ("mpu6050", 0x75, 0x71, "MPU-9250"),
    ("mpu6050", 0x75, 0x98, "ICM-20689"),
    ("lsm6dso", 0x0F, 0x6A, "LSM6DS3TR-C"),
    ("lsm6dso", 0x0F, 0x6B, "ISM330DHCX"),
    ("lsm6dso", 0x0F, 0x70, "LSM6DSV16X"),
]


class Posing:
    """A chip whose identity register reads another value."""

    def __init__(self, chip: SimulatedChip, register: int, value: int) -> None:
        self.write, self.power_cycle = chip.write, chip.power_cycle
        self._chip, self._register, self._value = chip, register, value

    def read(self, register: int, length: int) -> bytes:
        content = bytearray(self._chip.read(register, length))
        if register <= self._register < register + length:
            content[self._register - register] = self._value
        return bytes(content)


def posing(chip: str, register: int, value: int) -> SimulatedBus:
    clock = SimulatedClock()
    bus = SimulatedBus("/dev/i2c-7", clock)
    bus.attach(CHIPS[chip].usual_address, Posing(simulate(chip, clock, Silence()), register, value))
    return bus


@pytest.fixture
def buses(monkeypatch: pytest.MonkeyPatch) -> dict[str, SimulatedBus]:
    """Make the buses of this machine those that the test puts in, by device node."""
    found: dict[str, SimulatedBus] = {}

    def opened(name: str) -> SimulatedBus:
        if name not in found:
            raise BusError("permission denied", bus=name, code=errno.EACCES)
        return found[name]

    monkeypatch.setattr("agent.sensing.opening.open_bus", opened)
    monkeypatch.setattr(SimulatedBus, "close", lambda bus: None)  # each command opens it anew
    monkeypatch.setattr("firmware_bridge.bus.protocol.bus_names", lambda: ["/dev/i2c-3", *found])
    return found


@pytest.mark.parametrize(("chip", "register", "value", "name"), RELATIVES)
def test_scan_names_the_family_of_a_chip_without_a_driver(
    buses: dict[str, SimulatedBus], chip: str, register: int, value: int, name: str
) -> None:
    buses["/dev/i2c-7"] = posing(chip, register, value)
    result = sensor("scan", "--bus", "/dev/i2c-7")
    told, error = result.output.splitlines()
    start = f"0x{CHIPS[chip].usual_address:02x}  WHO_AM_I (0x{register:02x}) reads 0x{value:02x}: {name}"
    assert told.startswith(start)
    assert result.exit_code == 1
    assert "wiring" not in error
    (found,) = json.loads(sensor("scan", "--bus", "/dev/i2c-7", "--json").output.splitlines()[0])
    assert found["identity"] == {"WHO_AM_I": value}
    assert found["relative"].startswith(name)


def test_scan_shows_the_registers_of_a_chip_that_nobody_knows(buses: dict[str, SimulatedBus]) -> None:
    buses["/dev/i2c-7"] = posing("mpu6050", 0x75, 0x42)
    result = sensor("scan", "--bus", "/dev/i2c-7")
    assert "0x68  WHO_AM_I (0x75) reads 0x42: no chip that judder knows" in result.output
    assert "wiring" not in result.output


def test_scan_names_what_answers_alike() -> None:
    assert "LIS2DH12" in sensor("scan", "--bus", "sim:bench", "--chip", "lis3dh").output
    assert "ADXL357 with five times" in sensor("scan", "--bus", "sim:bench", "--chip", "adxl355").output


def test_scan_blames_the_wiring_where_nobody_answers(buses: dict[str, SimulatedBus]) -> None:
    buses["/dev/i2c-7"] = SimulatedBus("/dev/i2c-7", SimulatedClock())
    result = sensor("scan", "--bus", "/dev/i2c-7")
    assert (result.exit_code, "check wiring" in result.output) == (1, True)


def test_scan_looks_at_all_buses(
    buses: dict[str, SimulatedBus], config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.config.file.DEFAULT_PATH", config.parent / "absent.toml")
    clock = SimulatedClock()
    for name, chip in (("/dev/i2c-7", "adxl345"), ("/dev/i2c-11", "mpu6050")):
        buses[name] = SimulatedBus(name, clock)
        buses[name].attach(CHIPS[chip].usual_address, simulate(chip, clock, Silence()))
    told = [
        "/dev/i2c-7  0x53  adxl345",
        "/dev/i2c-11  0x68  mpu6050  (so answers MPU-6000, MPU-9150, too)",
    ]
    result = sensor("scan", "--config", config.parent / "absent.toml")
    assert (result.exit_code, result.stdout.splitlines()) == (0, told)
    assert "i2c-3: permission denied" in result.stderr
    result = sensor("scan", "--config", config)
    *real, simulated = result.stdout.splitlines()
    assert (real, simulated.startswith("sim:press  0x6a  lsm6dso")) == (told, True)


def test_the_configured_sensor_is_meant_if_there_is_one(config: Path) -> None:
    result = sensor("scan", "--config", config)
    assert (result.exit_code, result.output.startswith("sim:press  0x6a  lsm6dso")) == (0, True)
    result = sensor("scan", "--config", config, "--sensor", "press")
    assert (result.exit_code, result.output.startswith("0x6a  lsm6dso")) == (0, True)


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
    with pytest.raises(
        SensorError, match=r"WHO_AM_I \(0x75\) reads 0x00: no chip that judder knows; known are: adxl"
    ):
        find_chip(bus, 0x68)


@pytest.mark.parametrize("command", [[], ["scan"], ["probe"], ["read"], ["selftest"], ["rate"]])
def test_help(command: list[str]) -> None:
    result = sensor(*command, "--help")
    assert (result.exit_code, "Usage:" in result.output) == (0, True)
