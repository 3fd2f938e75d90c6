"""Several sensors on one bus: who is drained when, and what a dead one does to the others."""

from __future__ import annotations

import errno

from agent.sensing.bus_sampler import BusSampler
from agent.sensing.opening import Opener
from agent.sensing.ring_buffer import RingBuffer
from agent.sensing.sampler import Sampler, SensorState
from agent.system.backoff import Backoff
from agent.system.watchdog import Watchdog
from firmware_bridge.adxl345.driver import ADXL345
from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.chips import simulate
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.signals import Silence

ADDRESSES = (0x53, 0x1D)


class NotingSampler(Sampler):
    """A sampler that notes its turns in a list that it shares with others."""

    order: list[str]

    def turn(self) -> None:
        self.order.append(self.name)
        super().turn()


class Bench:
    """ADXL345s on one bus that takes its time."""

    def __init__(self, *rates_hz: float) -> None:
        self.clock = SimulatedClock()
        self.bus = SimulatedBus("sim:bench", self.clock, charge_time=True)
        self.rings = [RingBuffer(1 << 16, 3) for _ in rates_hz]
        self.samplers = [
            NotingSampler(f"s{number}", self._opener(address, rate_hz), ring, self.clock, Backoff("bench"))
            for number, (address, rate_hz, ring) in enumerate(
                zip(ADDRESSES, rates_hz, self.rings, strict=False)
            )
        ]
        self.thread = BusSampler(
            "sim:bench", self.samplers, self.clock, Watchdog(lambda state: None, self.clock)
        )
        self.turns = 0
        self.order: list[str] = []
        for sampler in self.samplers:
            sampler.order = self.order

    def _opener(self, address: int, rate_hz: float) -> Opener:
        self.bus.attach(address, simulate("adxl345", self.clock, Silence()))
        return lambda: ADXL345(self.bus, self.clock, address=address, rate_hz=rate_hz, range_g=16)

    def run(self, seconds: float) -> None:
        end_ns = self.clock.monotonic_ns() + round(seconds * 1e9)
        while self.clock.monotonic_ns() < end_ns:
            self.thread.turn()
            self.turns += 1


def test_nothing_is_lost_and_sensors_fall_into_step() -> None:
    bench = Bench(800, 800)
    bench.run(20.0)
    for sampler, ring in zip(bench.samplers, bench.rings, strict=True):
        assert sampler.status().samples_lost == 0
        # 20 s at 800 Hz, but for what still waits in the FIFO.
        assert 15_900 < ring.total <= 16_000
    # Half a FIFO of 32 at 800 Hz lasts 20 ms, and 32 reads take 7 ms: one wake-up for both.
    assert bench.turns < 1.1 * 20 / 0.020


def test_each_rate_has_its_own_deadline() -> None:
    bench = Bench(800, 100)
    bench.run(10.0)
    assert [sampler.status().samples_lost for sampler in bench.samplers] == [0, 0]
    assert bench.samplers[1].status().samples > 950
    assert bench.turns < 1.2 * 10 / 0.020


def test_a_dead_sensor_does_not_delay_the_other() -> None:
    bench = Bench(800, 800)
    bench.run(1.0)
    bench.bus.detach(ADDRESSES[1])
    bench.run(30.0)
    alive, dead = bench.samplers
    assert (alive.status().samples_lost, alive.status().reopened) == (0, 0)
    assert alive.status().samples > 24_500
    assert dead.status().state is SensorState.FAILED
    # Backing off from half a second to half a minute.
    assert 4 <= dead.status().reopened <= 9


def test_the_one_that_would_lose_first_is_first() -> None:
    bench = Bench(100, 800)
    bench.run(1.0)
    # Both FIFOs have filled while the thread did not run: 100 Hz has 160 ms left, 800 Hz 20 ms.
    bench.clock.advance(0.3)
    bench.order.clear()
    bench.thread.turn()
    assert bench.order == ["s1", "s0"]


def test_a_long_wait_is_cut_for_the_watchdog() -> None:
    bench = Bench(800)
    bench.bus.fail_next(1000, errno.ENODEV)
    bench.run(20.0)
    before_ns = bench.clock.monotonic_ns()
    bench.thread.turn()
    assert bench.clock.monotonic_ns() - before_ns <= 1_000_000_000


def test_the_thread_lets_go_of_its_sensors() -> None:
    bench = Bench(800, 800)
    bench.thread.start()
    assert bench.thread.stop(5.0)
    for address in ADDRESSES:
        # POWER_CTL: standby.
        assert bench.bus.read(address, 0x2D, 1) == b"\x00"
