"""What every accelerometer must do: each driver on its twin, on both kinds of bus, and on real hardware.

To run this on a real chip that lies still, set ``JUDDER_I2C_BUS`` (such as ``/dev/i2c-1``) and, if it is no
ADXL345, ``JUDDER_CHIP``.
"""

from __future__ import annotations

import errno
import itertools
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from firmware_bridge.bus.protocol import I2CBus, open_bus
from firmware_bridge.bus.simulated import SimulatedBus, SimulatedChip
from firmware_bridge.chip.accelerometer import Accelerometer, Thermometer
from firmware_bridge.chips import CHIPS, offered, open_accelerometer, simulate
from firmware_bridge.clock import Clock, SimulatedClock, SystemClock
from firmware_bridge.errors import BusError, SensorError
from firmware_bridge.signals import Silence

RATES_HZ = {chip: min(offered(chip).rates_hz, key=lambda rate_hz: abs(rate_hz - 400)) for chip in CHIPS}
REAL_BUS = os.environ.get("JUDDER_I2C_BUS")
REAL_CHIP = os.environ.get("JUDDER_CHIP", "adxl345")


@dataclass(frozen=True)
class Bench:
    """A chip that lies still on a bus, set near 400 Hz."""

    chip: str
    bus: I2CBus
    clock: Clock

    @property
    def rate_hz(self) -> float:
        return RATES_HZ[self.chip]

    def open(self) -> Accelerometer:
        return open_accelerometer(
            self.chip, self.bus, self.clock, address=None, rate_hz=self.rate_hz, range_g=4.0
        )

    def wait_samples(self, n: float) -> None:
        self.clock.wait(n / self.rate_hz)


HARDWARE = pytest.param(
    (REAL_CHIP, "real"),
    marks=[
        pytest.mark.hardware,
        pytest.mark.skipif(REAL_BUS is None, reason="no real bus; set JUDDER_I2C_BUS, such as /dev/i2c-1"),
    ],
)


SIMULATED = tuple(itertools.product(CHIPS, ("twin", "kernel")))


@pytest.fixture(params=[*SIMULATED, HARDWARE])
def bench(
    request: pytest.FixtureRequest, clock: SimulatedClock, bus: SimulatedBus, real_bus: I2CBus
) -> Iterator[Bench]:
    chip, kind = request.param
    if kind == "real":
        opened = open_bus(REAL_BUS or "")
        yield Bench(chip, opened, SystemClock())
        opened.close()
        return
    bus.attach(CHIPS[chip].usual_address, simulate(chip, clock, Silence()))
    yield Bench(chip, bus if kind == "twin" else real_bus, clock)


@pytest.fixture
def sensor(bench: Bench) -> Iterator[Accelerometer]:
    with bench.open() as sensor:
        sensor.start()
        # However long it takes to turn on.
        bench.clock.wait(0.1)
        while len(sensor.read_fifo().samples_g) == 0:
            bench.wait_samples(10)
        yield sensor


def test_info_says_what_the_samples_mean(bench: Bench, sensor: Accelerometer) -> None:
    info = sensor.info
    assert (info.chip, info.bus, info.rate_hz, info.range_g) == (
        bench.chip,
        bench.bus.name,
        bench.rate_hz,
        4.0,
    )
    assert info.address == CHIPS[bench.chip].usual_address
    assert info.simulated == bench.bus.simulated
    assert 0 < info.resolution_g < 0.02
    assert info.fifo_depth >= 16


def test_a_chip_at_rest_feels_gravity(bench: Bench, sensor: Accelerometer) -> None:
    bench.wait_samples(25)
    block = sensor.read_fifo()
    assert block.samples_g.dtype == np.float32
    assert block.samples_g.shape[1] == 3
    assert len(block.samples_g) == pytest.approx(25, abs=3)
    assert float(np.linalg.norm(block.samples_g.mean(axis=0))) == pytest.approx(1.0, abs=0.15)
    assert block.lost == 0


def test_blocks_follow_each_other_in_time(bench: Bench, sensor: Accelerometer) -> None:
    ends_ns, counts = [], []
    for _ in range(20):
        bench.wait_samples(10.3)
        block = sensor.read_fifo()
        ends_ns.append(block.end_ns)
        counts.append(len(block.samples_g))
        assert block.lost == 0
        assert block.end_ns <= bench.clock.monotonic_ns()
    spacing_ns = (ends_ns[-1] - ends_ns[0]) / sum(counts[1:])
    assert spacing_ns == pytest.approx(1e9 / bench.rate_hz, rel=0.05)


def test_an_empty_drain_is_no_loss(sensor: Accelerometer) -> None:
    sensor.read_fifo()
    block = sensor.read_fifo()
    assert len(block.samples_g) <= 1
    assert block.lost == 0


def test_an_overrun_is_reported_once_with_its_length(bench: Bench, sensor: Accelerometer) -> None:
    depth = sensor.info.fifo_depth
    bench.wait_samples(4 * depth)
    first = sensor.read_fifo()
    bench.wait_samples(10)
    second = sensor.read_fifo()
    received = len(first.samples_g) + len(second.samples_g)
    assert first.lost + second.lost + received == pytest.approx(4 * depth + 10, abs=0.1 * 4 * depth)
    assert first.lost + second.lost >= 3 * depth * 0.9
    # A FIFO that is emptied after an overflow tells of the loss with its next samples.
    assert (first.lost == 0) == (len(first.samples_g) == 0)
    assert (second.lost == 0) == (len(first.samples_g) > 0)
    bench.wait_samples(10)
    assert sensor.read_fifo().lost == 0


def test_the_self_test_passes_and_sampling_goes_on(bench: Bench, sensor: Accelerometer) -> None:
    result = sensor.self_test()
    assert result.passed, result
    assert all(math.isfinite(shift_g) for shift_g in result.shift_g)
    bench.clock.wait(0.1)
    sensor.read_fifo()
    bench.wait_samples(10)
    assert len(sensor.read_fifo().samples_g) == pytest.approx(10, abs=3)


def test_a_thermometer_feels_the_room(sensor: Accelerometer) -> None:
    if isinstance(sensor, Thermometer):
        assert 0 < sensor.temperature_c() < 60
    else:
        assert sensor.info.chip == "adxl345"


def test_closed_and_not_started_sensors_say_so(bench: Bench) -> None:
    sensor = bench.open()
    with pytest.raises(SensorError, match="is not started; call start first"):
        sensor.read_fifo()
    sensor.start()
    sensor.close()
    sensor.close()
    with pytest.raises(SensorError, match="is not started"):
        sensor.read_fifo()


def test_a_closed_sensor_starts_again(bench: Bench) -> None:
    with bench.open() as sensor:
        sensor.start()
    sensor.start()
    bench.clock.wait(0.1)
    assert len(sensor.read_fifo().samples_g) > 0
    sensor.close()


@pytest.mark.parametrize("chip", CHIPS)
def test_an_absent_chip_is_named_by_its_address(
    bus: SimulatedBus, real_bus: I2CBus, clock: SimulatedClock, chip: str
) -> None:
    for empty in (bus, real_bus):
        sensor = open_accelerometer(chip, empty, clock, address=None, rate_hz=RATES_HZ[chip], range_g=4.0)
        with pytest.raises(BusError, match="no answer from this") as caught:
            sensor.start()
        assert caught.value.code == errno.ENXIO
        assert caught.value.address == CHIPS[chip].usual_address


class ReadOnly:
    """A chip that must not be written to."""

    def __init__(self, chip: SimulatedChip) -> None:
        self.read = chip.read
        self.power_cycle = chip.power_cycle

    def write(self, register: int, data: bytes) -> None:
        raise AssertionError(f"0x{register:02x} was written to another chip")


@pytest.mark.parametrize(("chip", "other"), list(itertools.permutations(CHIPS, 2)))
def test_another_chip_is_named_and_left_as_it_is(
    bus: SimulatedBus, clock: SimulatedClock, chip: str, other: str
) -> None:
    bus.attach(CHIPS[chip].usual_address, ReadOnly(simulate(other, clock, Silence())))
    sensor = open_accelerometer(chip, bus, clock, address=None, rate_hz=RATES_HZ[chip], range_g=4.0)
    with pytest.raises(SensorError, match=f": {other} answers here; check the configured chip"):
        sensor.start()


@pytest.mark.parametrize("chip", CHIPS)
def test_impossible_settings_are_refused_before_anything_is_sent(
    bus: SimulatedBus, clock: SimulatedClock, chip: str
) -> None:
    settings: dict[str, Any]
    for settings in ({"rate_hz": 123.0, "range_g": 4.0}, {"rate_hz": RATES_HZ[chip], "range_g": 5.0}):
        with pytest.raises(SensorError, match="choose"):
            open_accelerometer(chip, bus, clock, address=None, **settings)


class Torn:
    """A bus (``I2CBus``) on which one transfer ends with an exception; later ones work."""

    simulated = True

    def __init__(self, bus: I2CBus, transfer: int, end: BaseException) -> None:
        self.name = bus.name
        self._bus = bus
        self._left = transfer
        self._end = end

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise self._end

    def read(self, address: int, register: int, length: int) -> bytes:
        self._count()
        return self._bus.read(address, register, length)

    def read_burst(self, address: int, register: int, length: int, count: int) -> bytes:
        self._count()
        return self._bus.read_burst(address, register, length, count)

    def write(self, address: int, register: int, data: bytes) -> None:
        self._count()
        self._bus.write(address, register, data)

    def close(self) -> None:
        self._bus.close()


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("end", [BusError("torn", bus="sim:bench", code=errno.EIO), KeyboardInterrupt()])
def test_a_start_that_ends_halfway_leaves_a_sleeping_chip(chip: str, end: BaseException) -> None:
    for transfer in itertools.count(1):
        clock = SimulatedClock()
        bus = SimulatedBus("sim:bench", clock)
        twin: Any = simulate(chip, clock, Silence())
        bus.attach(CHIPS[chip].usual_address, twin)
        torn = Torn(bus, transfer, end)
        opened = open_accelerometer(chip, torn, clock, address=None, rate_hz=RATES_HZ[chip], range_g=4.0)
        try:
            opened.start()
        except type(end):
            made = twin.samples_made
            clock.wait(1.0)
            bus.read(CHIPS[chip].usual_address, 0, 1)
            assert twin.samples_made == made, f"transfer {transfer}"
        else:
            break
    assert transfer > 10


def test_unknown_chips_are_refused_with_the_known_ones(bus: SimulatedBus, clock: SimulatedClock) -> None:
    with pytest.raises(SensorError, match="unknown accelerometer 'adxl999'; known are: adxl345, adxl355"):
        open_accelerometer("adxl999", bus, clock, address=None, rate_hz=800, range_g=4)
    with pytest.raises(SensorError, match="unknown accelerometer 'adxl999'"):
        simulate("adxl999", clock, Silence())
