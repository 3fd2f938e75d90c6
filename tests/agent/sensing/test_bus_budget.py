"""A bus that cannot carry its sensors is refused with the arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.assembly import prepare
from agent.config.file import parse_config
from agent.config.sensor import Sensor
from agent.errors import ConfigError
from agent.sensing.bus_budget import problems
from firmware_bridge.clock import SimulatedClock

BUNDLE = Path("press-1.judder")


def lsm6dso(address: int, rate_hz: float = 3333.0, **options: float) -> Sensor:
    return Sensor(
        "/dev/i2c-1", rate_hz, BUNDLE, chip="lsm6dso", address=address, bus_speed_hz=options.get("hz")
    )


def unknown(bus: str) -> None:
    """Stand for an adapter that does not tell its speed."""


def test_one_fast_sensor_fits_and_two_do_not() -> None:
    sensors = {"press": lsm6dso(0x6A), "fan": lsm6dso(0x6B)}
    assert problems({"press": sensors["press"]}, unknown) == []
    (problem,) = problems(sensors, unknown)
    # 3333 Hz * 63 bits + 26 drains a second of 110 bits = 212.8 kbit/s each, 23.6 kB/s.
    assert problem == (
        "/dev/i2c-1 cannot carry its sensors: press (lsm6dso at 3333 Hz) 23.6 kB/s + "
        "fan (lsm6dso at 3333 Hz) 23.6 kB/s, 9 bits a byte, is 426 kbit/s; at 400 kHz it carries 360. "
        "Lower a rate_hz, use a second bus, or a faster one (dtparam=i2c_arm_baudrate=1000000) and say so "
        "with bus_speed_hz"
    )


def test_the_kernel_and_the_configuration_know_the_speed() -> None:
    sensors = {"press": lsm6dso(0x6A), "fan": lsm6dso(0x6B)}
    assert problems(sensors, lambda bus: 1e6) == []
    (problem,) = problems({"press": lsm6dso(0x6A)}, lambda bus: 1e5)
    assert "at 100 kHz it carries 90" in problem
    fast = {"press": lsm6dso(0x6A, hz=1e6), "fan": lsm6dso(0x6B, hz=1e6)}
    assert problems(fast, lambda bus: 1e5) == []
    # Two words on one bus: the slower counts.
    assert problems({**fast, "fan": lsm6dso(0x6B, hz=4e5)}, unknown) != []


def test_each_bus_by_itself() -> None:
    two = {
        "press": lsm6dso(0x6A),
        "fan": Sensor("/dev/i2c-2", 3333.0, BUNDLE, chip="lsm6dso"),
        "kernel": Sensor("iio:adxl345", 800.0, BUNDLE, chip="iio"),
    }
    assert problems(two, unknown) == []


def test_an_address_belongs_to_one() -> None:
    (problem,) = problems({"press": lsm6dso(0x6A, 417.0), "fan": lsm6dso(0x6A, 417.0)}, unknown)
    assert problem.startswith(
        "sensors.fan and sensors.press are both at 0x6a on /dev/i2c-1; give one the other"
    )


def test_the_configuration_is_refused(tmp_path: Path) -> None:
    text = '[gateway]\nsite = "a"\nname = "b"\n' + "".join(
        f'[sensors.{name}]\nbus = "/dev/i2c-250"\nchip = "lsm6dso"\naddress = {address}\nrate_hz = 3333\n'
        'bundle = "x.judder"\n'
        for name, address in (("press", 0x6A), ("fan", 0x6B))
    )
    config = parse_config(text, tmp_path / "judder.toml")
    with pytest.raises(ConfigError, match="/dev/i2c-250 cannot carry its sensors: press"):
        prepare(config, SimulatedClock())
