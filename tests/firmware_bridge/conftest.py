"""Benches for the tests of the firmware bridge: a chip, its bus and a clock."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.bus.smbus import SmbusBus
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import BusError


class SimulatedKernel:
    """Stands behind ``fcntl.ioctl``: does what i2c-dev does, on a simulated bus, and keeps the calls."""

    def __init__(self, bus: SimulatedBus, functions: int) -> None:
        self.bus = bus
        self.functions = functions
        self.message_counts: list[int] = []
        self.messages: list[tuple[int, int, bytes]] = []
        self.block_calls = 0
        self._address = 0

    def __call__(self, descriptor: int, request: int, argument: Any) -> int:
        """Serve I2C_FUNCS, I2C_RDWR, I2C_SLAVE and I2C_SMBUS (``i2c-dev.h``)."""
        os.fstat(descriptor)
        if request == 0x0705:
            argument.value = self.functions
            return 0
        if request == 0x0703:
            self._address = argument
            return 0
        try:
            return self._combined(argument) if request == 0x0707 else self._block(argument)
        except BusError as error:
            raise OSError(error.code, os.strerror(error.code or 0)) from error

    def _combined(self, call: Any) -> int:
        self.message_counts.append(call.nmsgs)
        register = 0
        for index in range(call.nmsgs):
            message = call.msgs[index]
            data = ctypes.string_at(message.buf, message.len)
            self.messages.append((message.addr, message.flags, data))
            if message.flags:
                answer = self.bus.read(message.addr, register, message.len)
                ctypes.memmove(message.buf, answer, len(answer))
            else:
                register = data[0]
                if len(data) > 1:
                    self.bus.write(message.addr, register, data[1:])
        return int(call.nmsgs)

    def _block(self, call: Any) -> int:
        # I2C_SMBUS_I2C_BLOCK_DATA is 8; reading is 1.
        if call.size != 8:
            raise OSError(errno.EOPNOTSUPP, "only I2C blocks")
        self.block_calls += 1
        block = call.data.contents.block
        if call.read_write == 1:
            block[1 : block[0] + 1] = list(self.bus.read(self._address, call.command, block[0]))
        else:
            self.bus.write(self._address, call.command, bytes(block[1 : block[0] + 1]))
        return 0


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture
def bus(clock: SimulatedClock) -> SimulatedBus:
    return SimulatedBus("sim:bench", clock)


# I2C_FUNC_I2C and the SMBus emulation of a plain I2C adapter; what i2c-stub offers (i2c.h).
PLAIN_I2C = 0x0EFF0009
BLOCKS_ONLY = 0x0C000000


@pytest.fixture
def kernel(bus: SimulatedBus) -> SimulatedKernel:
    return SimulatedKernel(bus, PLAIN_I2C)


@pytest.fixture
def real_bus(kernel: SimulatedKernel) -> Iterator[SmbusBus]:
    """The bus of real adapters, with a simulated kernel under it."""
    bus = SmbusBus("/dev/i2c-1", os.open(os.devnull, os.O_RDWR), kernel)
    yield bus
    bus.close()


@pytest.fixture
def block_bus(bus: SimulatedBus) -> Iterator[SmbusBus]:
    """The same on an adapter without plain I2C."""
    block_bus = SmbusBus("/dev/i2c-9", os.open(os.devnull, os.O_RDWR), SimulatedKernel(bus, BLOCKS_ONLY))
    yield block_bus
    block_bus.close()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The public recordings: ``JUDDER_DATA``, or ``shared/data`` beside the checkout."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("JUDDER_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder}; set JUDDER_DATA")
    return folder
