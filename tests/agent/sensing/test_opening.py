"""From a configured sensor to an open accelerometer: each kind of bus."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config.sensor import Sensor
from agent.sensing.opening import open_on, sensor_bus, sensor_opener
from firmware_bridge.chips import CHIPS, offered
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import BusError, SensorError


def simulated(chip: str, address: int | None = None) -> Sensor:
    return Sensor(
        bus="sim:bench",
        bundle=Path("none.judder"),
        rate_hz=offered(chip).rates_hz[-1],
        chip=chip,
        address=address,
        range_g=8.0,
        signal={"kind": "silence"},
    )


@pytest.mark.parametrize("chip", CHIPS)
def test_a_simulated_sensor_of_every_chip(clock: SimulatedClock, chip: str) -> None:
    with sensor_opener(simulated(chip), clock)() as accelerometer:
        accelerometer.start()
        clock.wait(0.1)
        accelerometer.read_fifo()
        clock.wait(0.005)
        block = accelerometer.read_fifo()
        assert len(block.samples_g) > 0
        assert block.samples_g[-1].tolist() == pytest.approx([0, 0, 1], abs=0.1)


def test_a_sensor_at_its_other_address(clock: SimulatedClock) -> None:
    sensor = simulated("lis3dh", address=0x19)
    with sensor_bus(sensor, clock) as bus:
        assert bus.read(0x19, 0x0F, 1) == b"\x33"
        open_on(sensor, bus, clock).start()


def test_a_chip_at_an_impossible_address_is_refused_at_once(clock: SimulatedClock) -> None:
    with pytest.raises(SensorError, match="lis3dh has no address 0x20; choose 0x18 or 0x19"):
        sensor_opener(simulated("lis3dh", address=0x20), clock)


def test_a_kernel_device_is_looked_for_when_it_is_opened(clock: SimulatedClock) -> None:
    sensor = Sensor(bus="iio:nonesuch", bundle=Path("none.judder"), rate_hz=400.0, chip="iio")
    opener = sensor_opener(sensor, clock)
    with pytest.raises(BusError, match="iio:nonesuch: no such device; there are: "):
        opener()


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()
