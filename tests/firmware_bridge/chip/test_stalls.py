"""A thread that is suspended anywhere in a drain: what the FIFO lost is marked where it is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.chip.accelerometer import Accelerometer
from firmware_bridge.chip.simulated_chip import SimulatedAccelerometer
from firmware_bridge.chips import CHIPS, offered, open_accelerometer, simulate
from firmware_bridge.clock import Clock, SimulatedClock
from firmware_bridge.signals import SignalSource

SHALLOW = ("adxl345", "lis3dh", "adxl355")
DEPTH = 32
"""Samples that the FIFO of each of them holds (data sheets)."""
RATES_HZ = {"adxl345": 800.0, "lis3dh": 1344.0, "adxl355": 4000.0}


class Numbered:
    """A signal that numbers its samples: 2 steps a sample on x, 1000 samples a turn, the turns on y."""

    def __init__(self, step_g: float) -> None:
        self._step_g = step_g
        self._made = 0

    def acceleration_g(self, times_s: np.ndarray) -> np.ndarray:
        number = np.arange(self._made, self._made + len(times_s))
        self._made += len(times_s)
        steps = np.stack([2 * (number % 1000) - 1000, 2 * (number // 1000), 0 * number], axis=1)
        return steps * self._step_g

    def numbers(self, samples_g: np.ndarray) -> list[int]:
        """Return which samples arrived."""
        steps = np.rint(samples_g.astype(np.float64) / self._step_g).astype(int)
        return ((steps[:, 0] + 1000) // 2 + steps[:, 1] // 2 * 1000).tolist()


class StallingBus(SimulatedBus):
    """A bus whose user is suspended before some transfers; the wire takes its time, too."""

    def __init__(self, clock: Clock) -> None:
        super().__init__("sim:stalls", clock, bit_rate_hz=1_000_000.0, charge_time=True)
        self.stalls_s: Iterator[float] = iter(())
        self.stalled_s = 0.0

    def read(self, address: int, register: int, length: int) -> bytes:
        stall_s = next(self.stalls_s, 0.0)
        self.stalled_s += stall_s
        self._clock.wait(stall_s)
        return super().read(address, register, length)


class Bench:
    """A started driver of a chip whose samples are numbered."""

    def __init__(self, chip: str, rate_error: float = 0.0) -> None:
        self.clock = SimulatedClock()
        self.bus = StallingBus(self.clock)
        self.rate_hz = RATES_HZ[chip]
        self.sensor: Accelerometer = open_accelerometer(
            chip,
            self.bus,
            self.clock,
            address=None,
            rate_hz=self.rate_hz,
            range_g=offered(chip).ranges_g[-1],
        )
        self.signal = Numbered(self.sensor.info.resolution_g)
        signal: SignalSource = self.signal
        twin = simulate(chip, self.clock, signal, rate_error=rate_error)
        assert isinstance(twin, SimulatedAccelerometer)
        self.chip = twin
        self.bus.attach(CHIPS[chip].usual_address, twin)
        self.sensor.start()
        self.following = 0

    def drain(self, stalls_s: Iterable[float] = ()) -> tuple[int, int, int]:
        """Drain a quarter of the FIFO; return samples received, missing before them, and told as lost."""
        self.clock.wait(DEPTH / 4 / self.rate_hz)
        self.bus.stalls_s = iter(stalls_s)
        block = self.sensor.read_fifo()
        self.bus.stalls_s = iter(())
        numbers = self.signal.numbers(block.samples_g)
        if not numbers:
            assert block.lost == 0
            return 0, 0, 0
        first = numbers[0]
        assert numbers == list(range(first, first + len(numbers))), "a break within a block"
        missing = first - self.following
        assert missing >= 0
        self.following = first + len(numbers)
        return len(numbers), missing, block.lost


stalls = st.lists(st.one_of(st.just(0.0), st.floats(0.0, 0.08)), max_size=40)


@pytest.mark.parametrize("chip", SHALLOW)
@settings(max_examples=150)
@given(
    drains=st.lists(stalls, min_size=1, max_size=12),
    rate_error=st.floats(-0.03, 0.03),
)
def test_every_break_is_marked_at_its_sample(chip: str, drains: list[list[float]], rate_error: float) -> None:
    bench = Bench(chip, rate_error)
    turns: list[list[float]] = [[]]
    for stall in drains:
        turns += [stall, []]
    for stalls_s in turns:
        _, missing, lost = bench.drain(stalls_s)
        assert (lost > 0) or missing == 0, "a break that is not marked"
    # Once nothing stalls, nothing is lost.
    for _ in range(3):
        received, missing, lost = bench.drain()
    assert (received > 0, missing, lost) == (True, 0, 0)


@pytest.mark.parametrize("chip", SHALLOW)
@settings(max_examples=150)
@given(
    places=st.lists(st.integers(0, 30), min_size=1, max_size=30),
    shares=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30),
)
def test_stalls_that_fit_the_fifo_mark_nothing(chip: str, places: list[int], shares: list[float]) -> None:
    bench = Bench(chip)
    for _ in range(5):
        bench.drain()
    for place, share in zip(places, shares, strict=False):
        # A quarter of the FIFO waits already, the read takes less than another; three samples are in doubt.
        stall_s = share * (DEPTH / 2 - 3) / bench.rate_hz
        _, missing, lost = bench.drain([0.0] * place + [stall_s])
        assert (missing, lost) == (0, 0)
        assert bench.chip.samples_dropped == 0
        bench.drain()


@pytest.mark.parametrize("chip", SHALLOW)
def test_a_stall_between_count_and_read_costs_what_the_fifo_lost_and_no_more(chip: str) -> None:
    bench = Bench(chip)
    for _ in range(5):
        bench.drain()
    dropped = bench.chip.samples_dropped
    told = 0
    # The first transfer asks for the count, the second one reads.
    _, missing, lost = bench.drain([0.0, 100 / bench.rate_hz])
    told += lost
    for _ in range(3):
        received, further, lost = bench.drain()
        missing, told = missing + further, told + lost
    assert bench.chip.samples_dropped - dropped == pytest.approx(100 + DEPTH / 4 - DEPTH, abs=10)
    assert missing == pytest.approx(bench.chip.samples_dropped - dropped, abs=DEPTH)
    assert told == pytest.approx(missing, abs=2)
    assert received > 0
