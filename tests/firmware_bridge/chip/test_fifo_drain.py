"""Draining every FIFO: no sample doubled, disordered or forgotten, in as few system calls as it allows."""

from __future__ import annotations

import errno
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.arrays import SignalArray, TimeArray
from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.chip.accelerometer import SampleBlock
from firmware_bridge.chip.fifo_accelerometer import FifoAccelerometer
from firmware_bridge.chip.simulated_chip import SimulatedAccelerometer
from firmware_bridge.chips import CHIPS, offered, open_accelerometer, simulate
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import BusError, SensorError
from firmware_bridge.signals import Silence

# Samples that each FIFO holds (data sheets); the ADXL345 has one more at its output filter.
HELD = {"adxl345": 33, "adxl355": 32, "lis3dh": 32, "lsm6dso": 512, "mpu6050": 0}
# System calls of a drain of 20 samples: status and data.
CALLS = {"adxl345": [2, 40], "adxl355": [2, 2], "lis3dh": [2, 2], "lsm6dso": [2, 2], "mpu6050": [2, 2]}


class Numbered:
    """A signal that numbers its samples: 2 steps a sample on x, 1000 samples a turn, the turns on y."""

    def __init__(self, step_g: float) -> None:
        self.step_g = step_g
        self._made = 0

    def acceleration_g(self, times_s: TimeArray) -> SignalArray:
        number = np.arange(self._made, self._made + len(times_s))
        self._made += len(times_s)
        turns = number // 1000
        steps = np.stack([2 * (number % 1000) - 1000, 2 * turns, 0 * turns], axis=1)
        return np.asarray(steps * self.step_g)


class Bench:
    """A started driver, its chip, bus and clock."""

    def __init__(self, chip: str, rate_hz: float | None = None) -> None:
        self.clock = SimulatedClock()
        self.bus = SimulatedBus("sim:bench", self.clock)
        rate_hz = rate_hz or near_400_hz(chip)
        offer = offered(chip)
        sensor = open_accelerometer(
            chip, self.bus, self.clock, address=None, rate_hz=rate_hz, range_g=offer.ranges_g[-1]
        )
        assert isinstance(sensor, FifoAccelerometer)
        self.sensor = sensor
        self.signal = Numbered(sensor.info.resolution_g)
        twin = simulate(chip, self.clock, self.signal)
        assert isinstance(twin, SimulatedAccelerometer)
        self.chip = twin
        self.bus.attach(CHIPS[chip].usual_address, twin)
        self.sensor.start()
        self.period_s = 1 / rate_hz

    def drain(self, wait_s: float) -> SampleBlock:
        self.clock.wait(wait_s)
        return self.sensor.read_fifo()

    def numbers(self, block: SampleBlock) -> npt.NDArray[np.int64]:
        """Return which samples of ``Numbered`` arrived."""
        steps = np.rint(block.samples_g.astype(np.float64) / self.signal.step_g).astype(np.int64)
        return np.asarray((steps[:, 0] + 1000) // 2 + steps[:, 1] // 2 * 1000)


def near_400_hz(chip: str) -> float:
    return min(offered(chip).rates_hz, key=lambda rate_hz: abs(rate_hz - 400))


waits_periods = st.floats(0, 2) | st.floats(0, 100) | st.floats(100, 1500)


@settings(max_examples=60)
@given(st.sampled_from(sorted(CHIPS)), st.lists(waits_periods, min_size=1, max_size=25))
def test_no_sample_is_doubled_disordered_or_forgotten(chip: str, waits: list[float]) -> None:
    bench = Bench(chip)
    following = 0
    for wait in waits:
        block = bench.drain(wait * bench.period_s)
        n = len(block.samples_g)
        if n == 0:
            assert block.lost == 0
            continue
        first = int(bench.numbers(block)[0])
        assert bench.numbers(block).tolist() == list(range(first, first + n))
        # A full FIFO may or may not have lost one, and a long gap is told by a clock good to a period.
        missing = first - following
        assert missing <= block.lost <= missing + (missing > 0 or n >= HELD[chip] - 1)
        assert block.end_ns <= bench.clock.monotonic_ns()
        following = first + n
        assert following == bench.chip.samples_made


@pytest.mark.parametrize("chip", CHIPS)
def test_an_overrun_has_its_length(chip: str) -> None:
    bench = Bench(chip)
    bench.drain(0.1)
    bench.drain(20 * bench.period_s)
    following = bench.chip.samples_made
    first = bench.drain(2000.5 * bench.period_s)
    second = bench.drain(10 * bench.period_s)
    assert first.lost + second.lost == pytest.approx(2000 - HELD[chip], abs=2)
    assert len(first.samples_g) == HELD[chip]
    received = np.concatenate([bench.numbers(first), bench.numbers(second)])
    assert received[0] - following == first.lost + second.lost
    assert received.tolist() == list(range(received[0], received[0] + len(received)))


@pytest.mark.parametrize("chip", CHIPS)
def test_the_system_calls_of_a_drain(chip: str, bus: SimulatedBus, real_bus: Any, kernel: Any) -> None:
    clock = SimulatedClock()
    twin = simulate(chip, clock, Silence())
    bus.attach(CHIPS[chip].usual_address, twin)
    rate_hz = near_400_hz(chip)
    sensor = open_accelerometer(chip, real_bus, clock, address=None, rate_hz=rate_hz, range_g=8.0)
    sensor.start()
    clock.wait(0.1)
    sensor.read_fifo()
    kernel.message_counts.clear()
    clock.wait(20 / rate_hz)
    assert len(sensor.read_fifo().samples_g) == 20
    assert kernel.message_counts == CALLS[chip]


@pytest.mark.parametrize("chip", CHIPS)
def test_samples_lost_in_an_interrupted_read_are_counted(chip: str) -> None:
    bench = Bench(chip)
    bench.drain(0.1)
    following = int(bench.numbers(bench.drain(10 * bench.period_s))[-1]) + 1
    bench.bus.fail_next(1, errno.EREMOTEIO, after=1)
    with pytest.raises(BusError):
        bench.drain(10 * bench.period_s)
    blocks = [bench.drain(5 * bench.period_s) for _ in range(2)]
    received = np.concatenate([bench.numbers(block) for block in blocks])
    lost = sum(block.lost for block in blocks)
    # To be safe, one is reported even if the chip kept them all.
    assert lost == max(received[0] - following, 1)
    assert bench.drain(5 * bench.period_s).lost == 0


@pytest.mark.parametrize("chip", CHIPS)
def test_a_brown_out_is_found(chip: str) -> None:
    bench = Bench(chip)
    bench.drain(0.2)
    bench.chip.power_cycle()
    with pytest.raises(SensorError, match=r"lost its configuration \(\w+ reads 0x\w\w instead of 0x\w\w\)"):
        bench.drain(20 * bench.period_s)
    bench.sensor.start()
    bench.drain(0.1)
    assert len(bench.drain(10 * bench.period_s).samples_g) == 10


@pytest.mark.parametrize("chip", CHIPS)
def test_a_dead_chip_is_found(chip: str, clock: SimulatedClock, bus: SimulatedBus) -> None:
    bus.attach(CHIPS[chip].usual_address, simulate(chip, clock, Silence(), rate_error=-0.9999))
    rate_hz = near_400_hz(chip)
    with open_accelerometer(chip, bus, clock, address=None, rate_hz=rate_hz, range_g=8.0) as sensor:
        sensor.start()
        clock.wait(0.2 + 600 / rate_hz)
        with pytest.raises(SensorError, match=r"delivered none of \d+ samples though it is set to measure"):
            sensor.read_fifo()


@pytest.mark.parametrize("chip", CHIPS)
def test_every_rate_comes_as_named(chip: str) -> None:
    for rate_hz in offered(chip).rates_hz:
        bench = Bench(chip, rate_hz)
        bench.clock.wait(0.1 + 10 / rate_hz)
        bench.sensor.read_fifo()
        block = bench.drain(20 / rate_hz)
        assert (len(block.samples_g), block.lost, block.rate_hz) == (20, 0, rate_hz)


@pytest.mark.parametrize("chip", CHIPS)
def test_every_range_has_its_scale(chip: str) -> None:
    for range_g in offered(chip).ranges_g:
        clock = SimulatedClock()
        bus = SimulatedBus("sim:bench", clock)
        gravity_g = (0.75 * range_g, -0.75 * range_g, 0.0)
        twin = simulate(chip, clock, Silence(gravity_g=gravity_g, noise_g=(0.0, 0.0, 0.0)))
        bus.attach(CHIPS[chip].usual_address, twin)
        with open_accelerometer(
            chip, bus, clock, address=None, rate_hz=near_400_hz(chip), range_g=range_g
        ) as sensor:
            sensor.start()
            clock.wait(0.1)
            seen_g = sensor.read_fifo().samples_g[-1]
            assert seen_g.tolist() == pytest.approx(gravity_g, abs=sensor.info.resolution_g)


@pytest.mark.parametrize("chip", CHIPS)
def test_a_failed_start_leaves_the_chip_in_standby(
    chip: str, clock: SimulatedClock, bus: SimulatedBus
) -> None:
    twin = simulate(chip, clock, Silence())
    assert isinstance(twin, SimulatedAccelerometer)
    bus.attach(CHIPS[chip].usual_address, twin)
    sensor = open_accelerometer(chip, bus, clock, address=None, rate_hz=near_400_hz(chip), range_g=8.0)
    transfers = count_transfers(sensor, bus)
    for passing in range(transfers):
        bus.fail_next(1, errno.EREMOTEIO, after=passing)
        with pytest.raises(BusError):
            sensor.start()
        made = twin.samples_made
        clock.wait(1.0)
        twin.read(0, 1)
        assert twin.samples_made == made, f"samples after transfer {passing} of {transfers} failed"


def count_transfers(sensor: FifoAccelerometer | Any, bus: SimulatedBus) -> int:
    """Return after how many transfers a start is complete."""
    for passing in range(1000):
        bus.fail_next(1, errno.EREMOTEIO, after=passing)
        try:
            sensor.start()
        except BusError:
            continue
        bus.fail_next(0)
        sensor.close()
        return passing
    raise AssertionError("it never starts")


# Register that holds the rate, and what it reads after power-on.
@pytest.mark.parametrize(
    ("chip", "register"),
    [("adxl345", 0x2C), ("adxl355", 0x28), ("lis3dh", 0x20), ("lsm6dso", 0x10), ("mpu6050", 0x19)],
)
def test_a_setting_that_does_not_stick_is_named(
    chip: str, register: int, clock: SimulatedClock, bus: SimulatedBus
) -> None:
    class Stuck:
        def __init__(self) -> None:
            twin = simulate(chip, clock, Silence())
            self.read, self.power_cycle, self._write = twin.read, twin.power_cycle, twin.write

        def write(self, place: int, data: bytes) -> None:
            if place != register:
                self._write(place, data)

    bus.attach(CHIPS[chip].usual_address, Stuck())
    sensor = open_accelerometer(chip, bus, clock, address=None, rate_hz=near_400_hz(chip), range_g=8.0)
    with pytest.raises(SensorError, match=r"\w+ reads 0x\w\w after 0x\w\w was written; check wiring"):
        sensor.start()
    with pytest.raises(SensorError, match="is not started"):
        sensor.read_fifo()


@pytest.mark.parametrize("chip", CHIPS)
def test_the_configuration_is_shown_and_not_touched(chip: str) -> None:
    bench = Bench(chip)
    bench.drain(0.1)
    shown = bench.sensor.configuration()
    assert all(register.value == register.wanted for register in shown)
    bench.chip.power_cycle()
    assert any(register.value != register.wanted for register in bench.sensor.configuration())
    made = bench.chip.samples_made
    bench.clock.wait(1.0)
    bench.sensor.configuration()
    assert bench.chip.samples_made == made
