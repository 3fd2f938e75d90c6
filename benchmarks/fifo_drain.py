"""CPU time per sample of the ADXL345 driver's FIFO drain, against the usual read of one sample at a time.

Both go down to the same stand-in for the kernel's ioctl, in the same process: it makes one real, cheap system
call per transfer with the same argument, and answers from prepared data. Both end in the same array of 16
samples in g, float32. The usual way is what tutorials do: smbus2's ``read_i2c_block_data`` of six bytes,
``struct.unpack``, a multiplication per axis, and a list of rows.

Not in the figures: the wire (0.2 ms per sample at 400 kHz either way), the kernel's transfer and interrupts,
the copy of the data to user space, and the sleep between drains. They are about the same per sample for both,
so on a gateway the ratio of the whole is smaller, and the number of system calls counts for more.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import numpy as np
import smbus2
from smbus2.smbus2 import I2cFunc, i2c_rdwr_ioctl_data, i2c_smbus_ioctl_data

from benchmarks.timing import cpu_us
from firmware_bridge.adxl345.driver import ADXL345
from firmware_bridge.adxl345.registers import BYTES_PER_SAMPLE, DEVID_VALUE, Register
from firmware_bridge.bus.smbus import SmbusBus
from firmware_bridge.clock import SimulatedClock

ADDRESS = 0x53
RATE_HZ = 800.0
SAMPLES_PER_DRAIN = 16
SAMPLE = struct.pack("<hhh", 12, -34, 256)
# Reads one integer at its argument and does no more than set a flag of the pipe.
FIONBIO = 0x5421


@dataclass(frozen=True)
class Result:
    """CPU time and system calls of both ways."""

    drain_us: float
    """CPU time per sample of the driver's drain, in microseconds."""
    single_us: float
    """CPU time per sample, read one by one, in microseconds."""
    drain_calls: float
    """System calls per 1000 samples of the driver's drain."""
    single_calls: float
    """System calls per 1000 samples, read one by one."""

    @property
    def ratio(self) -> float:
        """How many times less CPU the drain takes."""
        return self.single_us / self.drain_us


class StandIn:
    """An ioctl with a chip behind it whose FIFO always holds ``SAMPLES_PER_DRAIN`` samples."""

    def __init__(self) -> None:
        self.calls = 0
        self._answered: set[int] | None = None
        self._registers = bytearray(64)
        self._registers[Register.DEVID] = DEVID_VALUE
        self._registers[Register.DATAX0 : Register.DATAX0 + BYTES_PER_SAMPLE] = SAMPLE
        self._registers[Register.FIFO_STATUS] = SAMPLES_PER_DRAIN

    def freeze(self) -> None:
        """From now on the registers stay: an answer in a buffer that is used again is still right."""
        self._answered = set()

    def __call__(self, descriptor: int, request: int, argument: object) -> int:
        """Make a system call and answer as the kernel would."""
        self.calls += 1
        if isinstance(argument, i2c_rdwr_ioctl_data):
            fcntl.ioctl(descriptor, FIONBIO, argument)
            if self._answered is None or id(argument) not in self._answered:
                self._answer(argument)
            return int(argument.nmsgs)
        if isinstance(argument, i2c_smbus_ioctl_data):
            fcntl.ioctl(descriptor, FIONBIO, argument)
            ctypes.memmove(ctypes.addressof(argument.data.contents) + 1, SAMPLE, len(SAMPLE))
        elif isinstance(argument, ctypes.c_ulong):
            argument.value = I2cFunc.I2C
        return 0

    def _answer(self, call: i2c_rdwr_ioctl_data) -> None:
        if self._answered is not None:
            self._answered.add(id(call))
        register = 0
        for message in call.msgs[: call.nmsgs]:
            if message.flags:
                answer = bytes(self._registers[register : register + message.len])
                ctypes.memmove(message.buf, answer, message.len)
            else:
                register, *data = ctypes.string_at(message.buf, message.len)
                self._registers[register : register + len(data)] = bytes(data)


def measure() -> Result:
    """Measure both ways in turn, and take the least of each: neighbours on the machine only add."""
    with _drain() as (drain, drain_kernel), _single() as (single, single_kernel):
        rounds = [
            (cpu_us(drain, repeat=1, number=500), cpu_us(single, repeat=1, number=100)) for _ in range(9)
        ]
        drain_us, single_us = (min(times_us) / SAMPLES_PER_DRAIN for times_us in zip(*rounds, strict=True))
        drain_calls, single_calls = (
            _calls(work, kernel) * 1000 / SAMPLES_PER_DRAIN
            for work, kernel in ((drain, drain_kernel), (single, single_kernel))
        )
    return Result(drain_us, single_us, drain_calls, single_calls)


@contextmanager
def _drain() -> Iterator[tuple[Callable[[], None], StandIn]]:
    """Give a drain by the driver."""
    stand_in, clock = StandIn(), SimulatedClock()
    with _pipe() as descriptor:
        bus = SmbusBus("/dev/i2c-1", descriptor, stand_in)
        sensor = ADXL345(bus, clock, address=ADDRESS, rate_hz=RATE_HZ, range_g=16)
        sensor.start()
        stand_in.freeze()

        def drain() -> None:
            clock.advance(SAMPLES_PER_DRAIN / RATE_HZ)
            if len(sensor.read_fifo().samples_g) != SAMPLES_PER_DRAIN:
                raise RuntimeError("a drain came back short")

        yield drain, stand_in


@contextmanager
def _single() -> Iterator[tuple[Callable[[], None], StandIn]]:
    """Give the reading of as many samples, one by one, as tutorials do it."""
    stand_in = StandIn()
    bus = smbus2.SMBus()

    def single() -> None:
        rows = []
        for _ in range(SAMPLES_PER_DRAIN):
            data = bytes(bus.read_i2c_block_data(ADDRESS, Register.DATAX0, BYTES_PER_SAMPLE))
            x, y, z = struct.unpack("<hhh", data)
            rows.append((x * 0.0039, y * 0.0039, z * 0.0039))
        if len(np.array(rows, np.float32)) != SAMPLES_PER_DRAIN:
            raise RuntimeError("a drain came back short")

    with _pipe() as descriptor, mock.patch("smbus2.smbus2.ioctl", stand_in):
        bus.fd = descriptor
        yield single, stand_in


@contextmanager
def _pipe() -> Iterator[int]:
    """Give a descriptor that takes FIONBIO."""
    reader, writer = os.pipe()
    try:
        yield reader
    finally:
        os.close(reader)
        os.close(writer)


def _calls(work: Callable[[], object], stand_in: StandIn) -> int:
    before = stand_in.calls
    work()
    return stand_in.calls - before


def main() -> None:
    """Print the figures."""
    result = measure()
    print(f"FIFO drain ({SAMPLES_PER_DRAIN} samples each, without wire and kernel), per sample")
    for name, time_us, calls in (
        ("driver", result.drain_us, result.drain_calls),
        ("one by one", result.single_us, result.single_calls),
    ):
        print(f"  {name:12} {time_us:6.2f} us CPU, {calls:5.0f} system calls per 1000")
    print(f"  ratio        {result.ratio:6.1f}")


if __name__ == "__main__":
    main()
