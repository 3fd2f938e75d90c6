"""Four sensors for a long time: samples lost, CPU, wake-ups, memory.

Four simulated LSM6DSO at 3333 Hz, two on each of two buses at 1 MHz (the chip has two addresses, and two are
more than 400 kHz can carry), through driver, sampler and ring buffer; a transfer takes its time on the wire.

    python -m benchmarks.soak --minutes 30              # accelerated: simulated clocks
    python -m benchmarks.soak --real-time --minutes 3   # the system's clock, as many threads as buses

Accelerated, CPU is that of the process less what the simulated chips take, by the seconds of signal. In real
time it is that of the whole process, simulated chips included: more than a gateway pays.

Not in the figures: the kernel's transfers and interrupts, the detector, the uplink.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.backoff import Backoff
from agent.bus_sampler import BusSampler
from agent.ring_buffer import RingBuffer
from agent.sampler import Sampler
from agent.watchdog import Watchdog
from firmware_bridge.accelerometer import Accelerometer, open_accelerometer, simulate
from firmware_bridge.clock import Clock, SimulatedClock, SystemClock
from firmware_bridge.signals import SignalArray, TimeArray
from firmware_bridge.simulated_bus import SimulatedBus

CHIP = "lsm6dso"
RATE_HZ = 3333.0
RANGE_G = 16.0
ADDRESSES = (0x6A, 0x6B)
BUSES = ("sim:1", "sim:2")
BUS_SPEED_HZ = 1e6
RING_SAMPLES = 8 * 4096
# Chips of one make run at different speeds; the data sheet allows some percent.
RATE_ERRORS = (0.012, -0.007, 0.0, 0.02)


@dataclass(frozen=True)
class Figures:
    """What a soak found."""

    signal_s: float
    samples: int
    lost: int
    reopened: int
    cpu_s: float
    """Of judder; see the module."""
    wake_ups: int
    """Turns of the sampler threads."""
    transfers: int
    resident_mb: float


class Ramp:
    """As cheap a signal as there is: what is measured is not the signal."""

    def acceleration_g(self, times_s: TimeArray) -> SignalArray:
        """Return a saw-tooth on all axes, shape (n, 3)."""
        return np.repeat((times_s % 1.0)[:, np.newaxis], 3, axis=1)


class MeasuredBus(SimulatedBus):
    """A simulated bus that knows what its simulation costs."""

    def __init__(self, name: str, clock: Clock) -> None:
        super().__init__(name, clock, bit_rate_hz=BUS_SPEED_HZ, charge_time=True)
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
    """The sampler thread of a bus, with a count of its turns."""

    turns = 0

    def turn(self) -> None:
        """Take a turn."""
        self.turns += 1
        super().turn()


@dataclass(frozen=True)
class _Rig:
    """One bus with its sensors."""

    bus: MeasuredBus
    clock: Clock
    thread: CountingSampler


def _rig(name: str, clock: Clock, rate_errors: Sequence[float]) -> _Rig:
    bus = MeasuredBus(name, clock)
    for address, error in zip(ADDRESSES, rate_errors, strict=True):
        bus.attach(address, simulate(CHIP, clock, Ramp(), rate_error=error))

    def opener(address: int) -> Accelerometer:
        return open_accelerometer(CHIP, bus, clock, address=address, rate_hz=RATE_HZ, range_g=RANGE_G)

    samplers = [
        Sampler(
            f"{name}-{address:02x}",
            lambda address=address: opener(address),  # type: ignore[misc]  # a default binds it
            RingBuffer(RING_SAMPLES, 3),
            clock,
            Backoff(name),
        )
        for address in ADDRESSES
    ]
    return _Rig(bus, clock, CountingSampler(name, samplers, clock, Watchdog(lambda state: None, clock)))


def accelerated(seconds: float) -> Figures:
    """Run each bus on a simulated clock of its own, one after the other."""
    rigs = [_rig(name, SimulatedClock(), RATE_ERRORS[2 * i : 2 * i + 2]) for i, name in enumerate(BUSES)]
    begin = time.process_time()
    for rig in rigs:
        while rig.clock.monotonic_ns() < seconds * 1e9:
            rig.thread.turn()
    cpu_s = time.process_time() - begin - sum(rig.bus.simulation_s for rig in rigs)
    return _figures(rigs, seconds, cpu_s)


def real_time(seconds: float) -> Figures:
    """Run both buses with their threads on the system's clock."""
    clock = SystemClock()
    rigs = [_rig(name, clock, RATE_ERRORS[2 * i : 2 * i + 2]) for i, name in enumerate(BUSES)]
    begin = time.process_time()
    with ExitStack() as stack:
        for rig in rigs:
            stack.enter_context(_running(rig.thread))
        time.sleep(seconds)
        cpu_s = time.process_time() - begin
    return _figures(rigs, seconds, cpu_s)


@contextmanager
def _running(thread: BusSampler) -> Iterator[None]:
    thread.start()
    try:
        yield
    finally:
        thread.stop(5.0)


def _figures(rigs: Sequence[_Rig], seconds: float, cpu_s: float) -> Figures:
    statuses = [sampler.status() for rig in rigs for sampler in rig.thread.samplers]
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return Figures(
        signal_s=seconds,
        samples=sum(status.samples for status in statuses),
        lost=sum(status.samples_lost for status in statuses),
        reopened=sum(status.reopened for status in statuses),
        cpu_s=cpu_s,
        wake_ups=sum(rig.thread.turns for rig in rigs),
        transfers=sum(rig.bus.transfers for rig in rigs),
        resident_mb=pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a soak and print its figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak", description="Four sensors for a long time."
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="of signal (default 30)")
    parser.add_argument("--real-time", action="store_true", help="on the system's clock")
    options = parser.parse_args(arguments)
    figures = (real_time if options.real_time else accelerated)(60 * options.minutes)
    how = "in real time, simulation included" if options.real_time else "accelerated, without the simulation"
    print(f"soak: 4 {CHIP} at {RATE_HZ:g} Hz on 2 buses, {options.minutes:g} min of signal, {how}")
    print(f"  samples          {figures.samples:12d}")
    print(f"  lost             {figures.lost:12d}   (aim 0)")
    print(f"  reopened         {figures.reopened:12d}   (aim 0)")
    print(f"  CPU              {100 * figures.cpu_s / figures.signal_s:12.2f} % of one core   (aim < 10)")
    print(f"  wake-ups         {figures.wake_ups / figures.signal_s:12.1f} a second")
    print(f"  transfers        {figures.transfers / figures.signal_s:12.1f} a second")
    print(f"  resident memory  {figures.resident_mb:12.1f} MB")


if __name__ == "__main__":
    main()
