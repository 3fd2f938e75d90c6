"""The bus of real adapters, on a simulated kernel: message layout, limits, fallback, errors."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.bus.smbus import SmbusBus
from firmware_bridge.chip.identity import Answer, scan
from firmware_bridge.chips import CHIPS
from firmware_bridge.errors import BusError, HeldError

# i2c-dev.h; the answer 1 is I2C_FUNC_I2C (i2c.h).
I2C_FUNCS = 0x0705
I2C_SLAVE = 0x0703
I2C_SMBUS = 0x0720


class Memory:
    """A chip of 256 registers; register 0x32 hands out another number at each read, like a FIFO."""

    def __init__(self) -> None:
        self.registers = bytearray(range(256))
        self._reads = 0

    def read(self, register: int, length: int) -> bytes:
        if register == 0x32:
            self._reads += 1
            return bytes([self._reads]) * length
        return bytes(self.registers[register : register + length])

    def write(self, register: int, data: bytes) -> None:
        self.registers[register : register + len(data)] = data

    def power_cycle(self) -> None:
        self.registers = bytearray(range(256))


@pytest.fixture
def memory(bus: SimulatedBus) -> Memory:
    memory = Memory()
    bus.attach(0x53, memory)
    return memory


@pytest.mark.usefixtures("memory")
def test_a_read_is_two_messages_of_one_call(real_bus: SmbusBus, kernel: Any) -> None:
    assert real_bus.read(0x53, 0x2C, 2) == b"\x2c\x2d"
    assert kernel.message_counts == [2]
    # I2C_M_RD is 1 (i2c.h).
    assert [(address, flags) for address, flags, _ in kernel.messages] == [(0x53, 0), (0x53, 1)]
    assert kernel.messages[0][2] == b"\x2c"


def test_a_write_is_one_message_register_first(real_bus: SmbusBus, kernel: Any, memory: Memory) -> None:
    real_bus.write(0x53, 0x1E, b"\x01\x02\x03")
    assert kernel.messages == [(0x53, 0, b"\x1e\x01\x02\x03")]
    assert memory.registers[0x1E:0x21] == b"\x01\x02\x03"


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize(
    ("count", "calls"),
    [(0, []), (1, [2]), (21, [42]), (22, [42, 2]), (33, [42, 24]), (42, [42, 42]), (43, [42, 42, 2])],
)
def test_a_burst_takes_42_messages_a_call(
    real_bus: SmbusBus, kernel: Any, count: int, calls: list[int]
) -> None:
    data = real_bus.read_burst(0x53, 0x32, 6, count)
    assert kernel.message_counts == calls
    assert data == b"".join(bytes([number]) * 6 for number in range(1, count + 1))


@pytest.mark.usefixtures("memory")
def test_a_layout_is_reused_and_answers_are_not_shared(real_bus: SmbusBus) -> None:
    first = real_bus.read_burst(0x53, 0x32, 2, 3)
    second = real_bus.read_burst(0x53, 0x32, 2, 3)
    assert first == b"\x01\x01\x02\x02\x03\x03"
    assert second == b"\x04\x04\x05\x05\x06\x06"


@pytest.mark.usefixtures("memory")
def test_many_layouts_do_not_pile_up(real_bus: SmbusBus) -> None:
    for register in range(0x32):
        for length in range(1, 8):
            assert real_bus.read(0x53, register, length)[0] == register


def test_without_plain_i2c_blocks_are_used(block_bus: SmbusBus, memory: Memory) -> None:
    block_bus.write(0x53, 0x10, b"\xaa\xbb")
    assert memory.registers[0x10:0x12] == b"\xaa\xbb"
    assert block_bus.read(0x53, 0x2C, 3) == b"\x2c\x2d\x2e"
    assert block_bus.read_burst(0x53, 0x32, 2, 3) == b"\x01\x01\x02\x02\x03\x03"
    assert block_bus.read(0x53, 0x40, 32) == bytes(range(0x40, 0x60))


@pytest.mark.usefixtures("memory")
def test_a_block_has_32_bytes_at_most(block_bus: SmbusBus) -> None:
    with pytest.raises(BusError, match=r"this adapter moves 1 to 32 bytes at once") as caught:
        block_bus.read(0x53, 0x00, 33)
    assert caught.value.code == errno.EINVAL


@pytest.mark.usefixtures("memory")
def test_a_block_that_is_cut_short_is_an_error(kernel: Any) -> None:
    kernel.functions = 0x0C000000  # blocks only

    def short(descriptor: int, request: int, argument: Any) -> int:
        done = int(kernel(descriptor, request, argument))
        if request == I2C_SMBUS:
            argument.data.contents.block[0] = 2
        return done

    bus = SmbusBus("/dev/i2c-1", os.open(os.devnull, os.O_RDWR), short)
    with pytest.raises(BusError, match="2 of 3 bytes came") as caught:
        bus.read(0x53, 0x2C, 3)
    bus.close()
    assert caught.value.code == errno.EIO


def test_an_adapter_that_can_do_neither_is_refused(bus: SimulatedBus) -> None:
    with pytest.raises(BusError, match=r"/dev/i2c-3: the adapter cannot do this transfer") as caught:
        SmbusBus("/dev/i2c-3", -1, lambda *_: 0)
    assert caught.value.code == errno.EOPNOTSUPP


@pytest.mark.parametrize(
    ("address", "register", "length"),
    [(0x07, 0, 1), (0x78, 0, 1), (0x53, 256, 1), (0x53, -1, 1), (0x53, 0, 0)],
)
@pytest.mark.usefixtures("memory")
def test_impossible_transfers_never_reach_the_kernel(
    real_bus: SmbusBus, kernel: Any, address: int, register: int, length: int
) -> None:
    with pytest.raises(BusError, match="not a possible transfer"):
        real_bus.read(address, register, length)
    assert kernel.message_counts == []


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (errno.ENXIO, "no answer from this address; check wiring, address jumper and power"),
        (errno.EREMOTEIO, "no answer from this address; check wiring, address jumper and power"),
        (errno.ETIMEDOUT, "timed out; a chip holds the clock or data line low"),
        (errno.EIO, "check wiring, cable length and pull-ups"),
        (errno.EAGAIN, "lost arbitration"),
        (errno.EBUSY, "a kernel driver holds this address"),
        (errno.ENODEV, "the bus is gone"),
        (errno.EPROTO, "Protocol error"),
    ],
)
def test_kernel_errors_become_ours(real_bus: SmbusBus, kernel: Any, code: int, hint: str) -> None:
    kernel.bus.fail_next(1, code)
    with pytest.raises(BusError, match=hint) as caught:
        real_bus.read(0x53, 0x2D, 1)
    assert caught.value.code == caught.value.errno == code
    assert (caught.value.bus, caught.value.address, caught.value.register) == ("/dev/i2c-1", 0x53, 0x2D)
    assert isinstance(caught.value.__cause__, OSError)


def test_a_half_done_transfer_is_an_error() -> None:
    def half(descriptor: int, request: int, argument: Any) -> int:
        if request == I2C_FUNCS:
            argument.value = 1
        return 1

    bus = SmbusBus("/dev/i2c-1", -1, half)
    with pytest.raises(BusError, match="transfer failed; check wiring") as caught:
        bus.read(0x53, 0x00, 1)
    assert caught.value.code == errno.EIO
    assert "1 of 2 messages done" in str(caught.value.__cause__)


def test_a_closed_bus_says_so_and_closes_twice() -> None:
    def system_call(descriptor: int, request: int, argument: Any) -> int:
        if descriptor < 0:
            raise ValueError("file descriptor cannot be a negative integer (-1)")
        argument.value = 1
        return 0

    descriptor = os.open(os.devnull, os.O_RDWR)
    bus = SmbusBus("/dev/i2c-1", descriptor, system_call)
    bus.close()
    bus.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    with pytest.raises(BusError, match="the bus is closed; open it again"):
        bus.read(0x53, 0x00, 1)


def held(kernel: Any, taken: int) -> Any:
    """Return the kernel's calls while one of its own drivers has the chip at an address."""

    def system_call(descriptor: int, request: int, argument: Any) -> int:
        if request == I2C_SLAVE and argument == taken:
            raise OSError(errno.EBUSY, "Device or resource busy")
        return int(kernel(descriptor, request, argument))

    return system_call


@pytest.mark.usefixtures("memory")
def test_a_chip_that_a_driver_of_the_kernel_has_is_left_to_it(kernel: Any) -> None:
    bus = SmbusBus("/dev/i2c-1", os.open(os.devnull, os.O_RDWR), held(kernel, 0x53))
    message = r"/dev/i2c-1 address 0x53: a driver of the kernel has this chip; read it through .*iio:NAME"
    for attempt in (lambda: bus.read(0x53, 0x00, 1), lambda: bus.write(0x53, 0x2D, b"\x08")):
        with pytest.raises(HeldError, match=message) as caught:
            attempt()
        assert caught.value.code == errno.EBUSY
    assert kernel.message_counts == []
    assert scan(bus, CHIPS.values()) == [Answer(0x53, None, held=True)]
    bus.close()


@pytest.mark.usefixtures("memory")
def test_the_kernel_is_asked_once_an_address(kernel: Any) -> None:
    asked = []

    def system_call(descriptor: int, request: int, argument: Any) -> int:
        if request == I2C_SLAVE:
            asked.append(argument)
        return int(kernel(descriptor, request, argument))

    bus = SmbusBus("/dev/i2c-1", os.open(os.devnull, os.O_RDWR), system_call)
    for length in (1, 2, 3):
        bus.read(0x53, 0x2C, length)
        bus.write(0x53, 0x1E, b"\x01")
    assert asked == [0x53]
    bus.close()
