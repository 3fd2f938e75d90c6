"""The sampler thread on the real driver and the simulated chip, in accelerated time."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest

from agent.sensing.bus_sampler import BusSampler
from agent.sensing.ring_buffer import RingBuffer
from agent.sensing.sampler import Sampler, SensorState, watermark
from agent.system.backoff import Backoff
from agent.system.watchdog import Watchdog
from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.chip.accelerometer import Accelerometer
from firmware_bridge.chips import open_accelerometer, simulate
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import BusError
from firmware_bridge.lsm6dso.registers import Register
from firmware_bridge.lsm6dso.simulator import SimulatedLSM6DSO
from firmware_bridge.signals import LorenzAttractor
from tests.waiting import DEADLINE_S, wait_until

ADDRESS = 0x53


class Bench:
    """A simulated sensor, its bus, and a sampler that is running."""

    def __init__(self) -> None:
        self.clock = SimulatedClock()
        self.bus = SimulatedBus("sim:test", self.clock)
        self.bus.attach(ADDRESS, simulate("adxl345", self.clock, LorenzAttractor.healthy()))
        self.ring = RingBuffer(1 << 16, 3)
        self.opened = 0
        watchdog = Watchdog(lambda state: None, self.clock)
        self.sampler = Sampler("bench", self.open, self.ring, self.clock, Backoff("bench"))
        self.thread = BusSampler("sim:test", [self.sampler], self.clock, watchdog)

    @contextmanager
    def open(self) -> Iterator[Accelerometer]:
        self.opened += 1
        with open_accelerometer(
            "adxl345", self.bus, self.clock, address=None, rate_hz=800.0, range_g=16.0
        ) as sensor:
            yield sensor


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    bench.thread.start()
    yield bench
    assert bench.thread.stop(DEADLINE_S)


def test_samples_arrive_and_are_counted(bench: Bench) -> None:
    wait_until(lambda: bench.ring.total > 5000)
    status = bench.sampler.status()
    assert (status.state, status.error, status.samples_lost) == (SensorState.SAMPLING, None, 0)
    assert status.samples > 4000
    assert status.info is not None
    assert status.info.simulated
    window = bench.ring.copy(bench.ring.oldest(), 64)
    assert window is not None
    assert np.ptp(window.samples[:, 2]) > 0


def test_a_sensor_that_is_unplugged_is_told_and_comes_back(bench: Bench) -> None:
    wait_until(lambda: bench.ring.total > 100)
    bench.bus.unplug()
    wait_until(lambda: bench.sampler.status().state is SensorState.FAILED)
    told = bench.sampler.status().error
    assert told is not None
    assert "sim:test" in told
    assert "0x53" in told
    lost_at = bench.ring.total
    bench.bus.plug()
    wait_until(lambda: bench.ring.total > lost_at + 100)
    status = bench.sampler.status()
    assert (status.state, status.error) == (SensorState.SAMPLING, None)
    assert status.reopened >= 1
    assert bench.opened == status.reopened + 1
    assert bench.ring.gap_inside(lost_at - 10, lost_at + 10) == lost_at


def test_a_transfer_that_fails_in_passing_is_tried_again(bench: Bench) -> None:
    wait_until(lambda: bench.ring.total > 100)
    bench.bus.fail_next(3, errno.EAGAIN)
    wait_until(lambda: bench.sampler.status().retried == 3)
    total = bench.ring.total
    wait_until(lambda: bench.ring.total > total + 100)
    assert bench.sampler.status().reopened == 0


def test_a_drain_that_fails_four_times_is_given_up(bench: Bench) -> None:
    wait_until(lambda: bench.ring.total > 100)
    bench.bus.fail_next(4, errno.EAGAIN)
    wait_until(lambda: bench.sampler.status().reopened == 1)
    assert bench.sampler.status().retried == 3


def test_a_bus_that_is_gone_is_not_tried_again(bench: Bench) -> None:
    wait_until(lambda: bench.ring.total > 100)
    bench.bus.fail_next(1, errno.ENODEV)
    wait_until(lambda: bench.sampler.status().reopened == 1)
    status = bench.sampler.status()
    assert status.retried == 0
    assert status.last_error is not None
    assert "errno 19, ENODEV" in status.last_error


def test_what_a_failed_drain_lost_is_a_gap(bench: Bench) -> None:
    bench.thread.stop(DEADLINE_S)
    bench.sampler.turn()
    bench.clock.advance(0.02)
    bench.sampler.turn()
    lost, total = bench.sampler.status().samples_lost, bench.ring.total
    # The status is read, four samples are taken, the fifth read fails.
    bench.bus.fail_next(1, errno.EREMOTEIO, after=5)
    bench.clock.advance(0.02)
    bench.sampler.turn()
    assert (bench.sampler.status().retried, bench.ring.total) == (1, total)
    bench.clock.advance(0.002)
    bench.sampler.turn()
    assert bench.sampler.status().samples_lost == lost + 4
    assert bench.ring.gap_inside(total - 1, total + 1) == total


def test_a_sensor_that_is_absent_at_the_start_is_waited_for() -> None:
    bench = Bench()
    bench.bus.unplug()
    bench.thread.start()
    wait_until(lambda: bench.sampler.status().reopened >= 3)
    assert bench.sampler.status().state is SensorState.FAILED
    bench.bus.plug()
    wait_until(lambda: bench.ring.total > 0)
    assert bench.thread.stop(DEADLINE_S)


def test_the_driver_is_released_when_the_sampler_stops() -> None:
    bench = Bench()
    bench.thread.start()
    wait_until(lambda: bench.ring.total > 0)
    assert bench.thread.stop(DEADLINE_S)
    bench.bus.unplug()
    with pytest.raises(BusError):
        bench.bus.read(ADDRESS, 0x00, 1)


class DeafThermometer(SimulatedBus):
    """A bus on which a chip's thermometer can be made not to answer."""

    deaf = False

    def read(self, address: int, register: int, length: int) -> bytes:
        if self.deaf and register == Register.OUT_TEMP_L:
            raise BusError("no answer", bus=self.name, address=address, code=errno.EREMOTEIO)
        return super().read(address, register, length)


class Warm:
    """A sampler of a chip with a thermometer, turned by hand."""

    def __init__(self) -> None:
        self.clock = SimulatedClock()
        self.bus = DeafThermometer("sim:test", self.clock)
        self.chip = SimulatedLSM6DSO(self.clock, LorenzAttractor.healthy(), temperature_c=31.5)
        self.bus.attach(0x6A, self.chip)
        ring = RingBuffer(1 << 12, 3)
        self.sampler = Sampler("warm", self.open, ring, self.clock, Backoff("warm"))

    def open(self) -> AbstractContextManager[Accelerometer]:
        return open_accelerometer("lsm6dso", self.bus, self.clock, address=None, rate_hz=833.0, range_g=16.0)

    def run(self, seconds: float) -> float | None:
        end_ns = self.clock.monotonic_ns() + round(seconds * 1e9)
        while self.clock.monotonic_ns() < end_ns:
            self.sampler.turn()
            self.clock.advance(0.05)
        return self.sampler.status().temperature_c


def test_a_chip_with_a_thermometer_tells_its_temperature() -> None:
    warm = Warm()
    assert warm.run(0.2) == 31.5
    warm.bus.unplug()
    assert warm.run(1.0) is None
    warm.bus.plug()
    assert warm.run(5.0) == 31.5
    assert warm.sampler.status().samples_lost == 0


def test_a_thermometer_that_does_not_answer_costs_no_sample() -> None:
    warm = Warm()
    assert warm.run(0.2) == 31.5
    before = warm.sampler.status()
    warm.bus.deaf = True
    assert warm.run(11.0) is None
    after = warm.sampler.status()
    assert (after.reopened, after.samples_lost) == (before.reopened, 0)
    assert after.samples > before.samples + 9000


@pytest.mark.parametrize(
    ("depth", "samples"), [(32, 16), (96, 48), (170, 64), (512, 128), (16, 8), (1024, 256)]
)
def test_a_deep_fifo_is_drained_early(depth: int, samples: int) -> None:
    assert watermark(depth) == samples


def test_since_when_nothing_comes_is_told_however_often_it_is_opened_again(bench: Bench) -> None:
    """An opened sensor is not yet one that delivers: this one is opened again and again, and stays silent."""
    bench.thread.stop(DEADLINE_S)
    bench.sampler.close()
    sampler = Sampler("bench", bench.open, bench.ring, bench.clock, Backoff("bench"))
    start_ns = bench.clock.monotonic_ns()
    assert sampler.status().silent_since_ns == start_ns
    sampler.turn()
    assert (sampler.status().state, sampler.status().silent_since_ns) == (SensorState.SAMPLING, start_ns)
    bench.clock.advance(0.02)
    sampler.turn()
    last_ns = bench.clock.monotonic_ns()
    assert sampler.status().silent_since_ns is None
    bench.bus.unplug()
    for _ in range(5):
        bench.clock.advance(40.0)
        sampler.turn()
    assert sampler.status().state is SensorState.FAILED
    assert sampler.status().silent_since_ns == last_ns
    bench.bus.plug()
    bench.clock.advance(40.0)
    sampler.turn()
    assert (sampler.status().state, sampler.status().silent_since_ns) == (SensorState.SAMPLING, last_ns)
    bench.clock.advance(0.02)
    sampler.turn()
    assert sampler.status().silent_since_ns is None
    sampler.close()
