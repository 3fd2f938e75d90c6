"""Telling chips by their identity registers, and finding them on a bus."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from firmware_bridge import mpu6050
from firmware_bridge.bus.protocol import I2CBus, bus_names
from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.chip.identity import Answer, identify, scan
from firmware_bridge.chips import CHIPS, open_accelerometer, simulate
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import BusError, SensorError
from firmware_bridge.signals import Silence

# Data sheets: chip, identity registers, addresses with the address pin low and high (the ADXL345's: its own).
FACTS = [
    ("adxl345", {0x00: 0xE5}, (0x53, 0x1D)),
    ("adxl355", {0x00: 0xAD, 0x01: 0x1D, 0x02: 0xED}, (0x1D, 0x53)),
    ("lis3dh", {0x0F: 0x33}, (0x18, 0x19)),
    ("lsm6dso", {0x0F: 0x6C}, (0x6A, 0x6B)),
    ("mpu6050", {0x75: 0x68}, (0x68, 0x69)),
]


class Clockwork:
    """Something that is no accelerometer: a real-time clock, say."""

    def read(self, register: int, length: int) -> bytes:
        return bytes(length)

    def write(self, register: int, data: bytes) -> None:
        raise AssertionError("a scan writes nothing")

    def power_cycle(self) -> None:
        pass


class Picky(Clockwork):
    """A device that does not acknowledge registers it does not have."""

    def read(self, register: int, length: int) -> bytes:
        if register > 0x0E:
            raise BusError("no such register", bus="sim:bench", code=errno.EREMOTEIO)
        return bytes(length)


def test_the_table_is_that_of_the_data_sheets() -> None:
    told = {name: (dict(chip.identity), chip.addresses) for name, chip in CHIPS.items()}
    assert told == {name: (identity, addresses) for name, identity, addresses in FACTS}


@pytest.mark.parametrize("name", CHIPS)
def test_a_chip_is_named_as_its_folder(name: str) -> None:
    assert CHIPS[name].name == name


@pytest.mark.parametrize("chip", CHIPS)
def test_each_chip_is_known_at_any_address(clock: SimulatedClock, bus: SimulatedBus, chip: str) -> None:
    bus.attach(0x42, simulate(chip, clock, Silence()))
    assert identify(bus, 0x42, CHIPS.values()) == chip


def test_scan_goes_by_identity(clock: SimulatedClock, bus: SimulatedBus, real_bus: I2CBus) -> None:
    # Each at the address that another chip usually has.
    bus.attach(0x53, simulate("adxl355", clock, Silence()))
    bus.attach(0x1D, simulate("adxl345", clock, Silence()))
    bus.attach(0x19, simulate("lis3dh", clock, Silence()))
    bus.attach(0x68, Clockwork())
    bus.attach(0x6B, Picky())
    found = [
        Answer(0x19, "lis3dh"),
        Answer(0x1D, "adxl345"),
        Answer(0x53, "adxl355"),
        Answer(0x68, None, identity={mpu6050.registers.Register.WHO_AM_I: 0x00}),
        Answer(0x6B, None),  # which does not acknowledge WHO_AM_I
    ]
    assert scan(bus, CHIPS.values()) == found
    assert scan(real_bus, CHIPS.values()) == found


def test_scan_leaves_other_addresses_alone(bus: SimulatedBus) -> None:
    class Untouchable(Clockwork):
        def read(self, register: int, length: int) -> bytes:
            raise AssertionError("read")

    bus.attach(0x50, Untouchable())
    assert scan(bus, CHIPS.values()) == []


def test_a_bus_that_fails_is_not_an_empty_one(bus: SimulatedBus) -> None:
    bus.fail_next(1, errno.ETIMEDOUT)
    with pytest.raises(BusError) as caught:
        scan(bus, CHIPS.values())
    assert caught.value.code == errno.ETIMEDOUT


class Mpu6500(Clockwork):
    """Has the registers of an MPU-6500 for as far as they are asked for: WHO_AM_I at 0x75 reads 0x70."""

    def read(self, register: int, length: int) -> bytes:
        return bytes([0x70 if at == 0x75 else 0 for at in range(register, register + length)])


def test_a_driver_names_the_relative_that_answers_in_its_place(
    clock: SimulatedClock, bus: SimulatedBus
) -> None:
    bus.attach(0x68, Mpu6500())
    accelerometer = open_accelerometer("mpu6050", bus, clock, address=None, rate_hz=1000, range_g=16)
    with pytest.raises(SensorError, match="reads 0x70 instead of 0x68: MPU-6500 answers here, for which"):
        accelerometer.start()


def test_the_buses_of_this_machine_are_found_by_their_nodes(tmp_path: Path) -> None:
    for name in ("i2c-10", "i2c-2", "i2c-1", "i2c-stub", "spidev0.0"):
        (tmp_path / name).touch()
    assert bus_names(tmp_path) == [str(tmp_path / name) for name in ("i2c-1", "i2c-2", "i2c-10")]
    assert bus_names(tmp_path / "absent") == []
