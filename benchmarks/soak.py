"""Five sensors for a long time: samples lost, CPU, wake-ups, memory.

Four simulated LSM6DSO at 3333 Hz, two on each of two buses at 1 MHz (the chip has two addresses, and two are
more than 400 kHz can carry), and one ADXL355 at 4000 Hz on a bus of its own at 400 kHz, through driver,
sampler and ring buffer; a transfer takes its time on the wire.

    python -m benchmarks.soak --minutes 30                        # accelerated: simulated clocks
    python -m benchmarks.soak --real-time --minutes 3             # the system's clock, a thread for each bus
    python -m benchmarks.soak --real-time --minutes 3 --burners 2 # the same beside two endless loops

CPU is that of the sampler threads less what the simulated chips take, by the seconds of signal. In real time
the simulated chips hold up the samplers, too: a gateway has the time that they take for itself.

Not in the figures: the kernel's transfers and interrupts, the detector, the uplink.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.sensing.bus_sampler import BusSampler
from agent.sensing.ring_buffer import RingBuffer
from agent.sensing.sampler import Sampler, SensorState
from agent.system.backoff import Backoff
from agent.system.watchdog import Watchdog
from firmware_bridge.arrays import SignalArray, TimeArray
from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.chip.accelerometer import Accelerometer
from firmware_bridge.chips import open_accelerometer, simulate
from firmware_bridge.clock import Clock, SimulatedClock, SystemClock


@dataclass(frozen=True)
class BusPlan:
    """A bus, and what is on it."""

    name: str
    chip: str
    rate_hz: float
    range_g: float
    speed_hz: float
    chips: dict[int, float]
    """Address to the part by which this chip runs too fast; the data sheets allow some percent."""


PLANS = (
    BusPlan("sim:1", "lsm6dso", 3333.0, 16.0, 1e6, {0x6A: 0.012, 0x6B: -0.007}),
    BusPlan("sim:2", "lsm6dso", 3333.0, 16.0, 1e6, {0x6A: 0.0, 0x6B: 0.02}),
    BusPlan("sim:3", "adxl355", 4000.0, 8.0, 4e5, {0x1D: 0.005}),
)
RING_SAMPLES = 8 * 4096


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a soak found about the sensors of one kind."""

    chip: str
    sensors: int
    samples: int
    lost: int
    reopened: int
    cpu_s: float
    """Of the sampler threads, without the simulated chips."""
    simulation_s: float
    """What the simulated chips took."""
    wake_ups: int
    """Turns of the sampler threads."""
    transfers: int
    latest_ms: float
    """By how much the latest turn began after its time."""


class Ramp:
    """As cheap a signal as there is: what is measured is not the signal."""

    def acceleration_g(self, times_s: TimeArray) -> SignalArray:
        """Return a saw-tooth on all axes, shape (n, 3)."""
        return np.repeat((times_s % 1.0)[:, np.newaxis], 3, axis=1)


class MeasuredBus(SimulatedBus):
    """A simulated bus that knows what its simulation costs."""

    def __init__(self, plan: BusPlan, clock: Clock) -> None:
        super().__init__(plan.name, clock, bit_rate_hz=plan.speed_hz, charge_time=True)
        self.simulation_s = 0.0
        self.transfers = 0

    def read(self, address: int, register: int, length: int) -> bytes:
        """Read as a simulated bus does."""
        before = time.thread_time()
        try:
            return super().read(address, register, length)
        finally:
            self.transfers += 1
            self.simulation_s += time.thread_time() - before


class CountingSampler(BusSampler):
    """The sampler thread of a bus, with its turns, its processor time and how late it was."""

    turns = 0
    cpu_s = 0.0
    latest_ns = 0

    def turn(self) -> None:
        """Take a turn."""
        self.turns += 1
        opened = all(sampler.status().state is SensorState.SAMPLING for sampler in self.samplers)
        due_ns = min(sampler.due_ns for sampler in self.samplers)
        before = time.thread_time()
        super().turn()
        self.cpu_s += time.thread_time() - before
        if opened:
            self.latest_ns = max(self.latest_ns, self.woken_ns - due_ns)


@dataclass(frozen=True)
class _Rig:
    """One bus with its sensors."""

    plan: BusPlan
    bus: MeasuredBus
    clock: Clock
    thread: CountingSampler


def _rig(plan: BusPlan, clock: Clock) -> _Rig:
    bus = MeasuredBus(plan, clock)
    for address, error in plan.chips.items():
        bus.attach(address, simulate(plan.chip, clock, Ramp(), rate_error=error))

    def opener(address: int) -> Accelerometer:
        return open_accelerometer(
            plan.chip, bus, clock, address=address, rate_hz=plan.rate_hz, range_g=plan.range_g
        )

    samplers = [
        Sampler(
            f"{plan.name}-{address:02x}",
            lambda address=address: opener(address),  # type: ignore[misc]  # a default binds it
            RingBuffer(RING_SAMPLES, 3),
            clock,
            Backoff(plan.name),
        )
        for address in plan.chips
    ]
    return _Rig(
        plan, bus, clock, CountingSampler(plan.name, samplers, clock, Watchdog(lambda state: None, clock))
    )


def accelerated(seconds: float) -> list[Figures]:
    """Run each bus on a simulated clock of its own, one after the other."""
    rigs = [_rig(plan, SimulatedClock()) for plan in PLANS]
    for rig in rigs:
        while rig.clock.monotonic_ns() < seconds * 1e9:
            rig.thread.turn()
    return _figures(rigs)


def real_time(seconds: float) -> list[Figures]:
    """Run all buses with their threads on the system's clock."""
    clock = SystemClock()
    rigs = [_rig(plan, clock) for plan in PLANS]
    with ExitStack() as stack:
        for rig in rigs:
            stack.enter_context(_running(rig.thread))
        time.sleep(seconds)
    return _figures(rigs)


@contextmanager
def _running(thread: BusSampler) -> Iterator[None]:
    thread.start()
    try:
        yield
    finally:
        thread.stop(5.0)


@contextmanager
def _burning(count: int) -> Iterator[None]:
    """Keep processors busy with endless loops at normal priority."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def _figures(rigs: Sequence[_Rig]) -> list[Figures]:
    chips = dict.fromkeys(rig.plan.chip for rig in rigs)
    return [_of_chip(chip, [rig for rig in rigs if rig.plan.chip == chip]) for chip in chips]


def _of_chip(chip: str, rigs: Sequence[_Rig]) -> Figures:
    statuses = [sampler.status() for rig in rigs for sampler in rig.thread.samplers]
    simulation_s = sum(rig.bus.simulation_s for rig in rigs)
    return Figures(
        chip=chip,
        sensors=len(statuses),
        samples=sum(status.samples for status in statuses),
        lost=sum(status.samples_lost for status in statuses),
        reopened=sum(status.reopened for status in statuses),
        cpu_s=sum(rig.thread.cpu_s for rig in rigs) - simulation_s,
        simulation_s=simulation_s,
        wake_ups=sum(rig.thread.turns for rig in rigs),
        transfers=sum(rig.bus.transfers for rig in rigs),
        latest_ms=max(rig.thread.latest_ns for rig in rigs) / 1e6,
    )


def _print(figures: Figures, seconds: float, in_real_time: bool) -> None:
    print(f"  {figures.sensors} {figures.chip}")
    print(f"    samples          {figures.samples:12d}")
    print(f"    lost             {figures.lost:12d}   (aim 0)")
    print(f"    reopened         {figures.reopened:12d}   (aim 0)")
    print(f"    CPU              {100 * figures.cpu_s / seconds:12.2f} % of one core   (aim < 10)")
    print(f"    CPU of the twins {100 * figures.simulation_s / seconds:12.2f} % of one core")
    print(f"    wake-ups         {figures.wake_ups / seconds:12.1f} a second")
    print(f"    transfers        {figures.transfers / seconds:12.1f} a second")
    if in_real_time:
        print(f"    latest wake-up   {figures.latest_ms:12.1f} ms after its time")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a soak and print its figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak", description="Five sensors for a long time."
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="of signal (default 30)")
    parser.add_argument("--real-time", action="store_true", help="on the system's clock")
    parser.add_argument("--burners", type=int, default=0, help="endless loops beside it (default 0)")
    options = parser.parse_args(arguments)
    seconds = 60 * options.minutes
    how = "in real time" if options.real_time else "accelerated"
    beside = f" beside {options.burners} endless loops" if options.burners else ""
    print(f"soak: {options.minutes:g} min of signal, {how}{beside}")
    with _burning(options.burners):
        found = (real_time if options.real_time else accelerated)(seconds)
    for figures in found:
        _print(figures, seconds, options.real_time)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    print(f"  resident memory    {pages * os.sysconf('SC_PAGE_SIZE') / 1e6:12.1f} MB")


if __name__ == "__main__":
    main()
