"""A bus of the Linux kernel, by the structures of smbus2 and the ioctls of i2c-dev.

A FIFO drain costs one system call per 21 samples: the messages of a burst are laid out once in memory the
kernel can use as it is, and reused for each drain.

Source: the kernel's ``include/uapi/linux/i2c.h`` and ``i2c-dev.h``; ``Documentation/i2c/fault-codes.rst``.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from collections.abc import Callable
from typing import Any

from smbus2.smbus2 import (
    I2C_FUNCS,
    I2C_M_RD,
    I2C_RDWR,
    I2C_SLAVE,
    I2C_SMBUS,
    I2C_SMBUS_BLOCK_MAX,
    I2C_SMBUS_I2C_BLOCK_DATA,
    I2C_SMBUS_READ,
    I2C_SMBUS_WRITE,
    I2cFunc,
    i2c_msg,
    i2c_rdwr_ioctl_data,
    i2c_smbus_ioctl_data,
    union_i2c_smbus_data,
)

from firmware_bridge.bus.causes import CAUSES
from firmware_bridge.errors import BusError, HeldError

MAX_MESSAGES = 42
"""I2C_RDWR_IOCTL_MAX_MSGS in ``i2c-dev.h``."""
READS_PER_CALL = MAX_MESSAGES // 2
"""A read is two messages: the register is written, the data are read."""
MAX_LENGTH = 8192
"""The longest message that i2c-dev accepts, in bytes."""
_MAX_LAYOUTS = 256
_HELD = (
    'a driver of the kernel has this chip; read it through the kernel (bus = "iio:NAME", '
    "ls /sys/bus/iio/devices), or unload the driver"
)

Ioctl = Callable[[int, int, Any], int]
# The argument of one I2C_RDWR, and its number of messages.
_Call = tuple[i2c_rdwr_ioctl_data, int]


class SmbusBus:
    """A real I2C bus (``I2CBus``).

    An adapter without plain I2C transfers (``i2c-stub``, some PC chipsets) is served by SMBus I2C block
    transfers: one system call per read and at most 32 bytes each.
    """

    simulated = False

    def __init__(self, name: str, descriptor: int, ioctl: Ioctl = fcntl.ioctl) -> None:
        """Take over an open device node.

        Args:
            name: The bus as configured.
            descriptor: File descriptor of ``/dev/i2c-N``; closed by ``close``.
            ioctl: The system call, as ``fcntl.ioctl``.

        Raises:
            BusError: If the adapter offers neither I2C nor SMBus block transfers.
        """
        self.name = name
        self._descriptor = descriptor
        self._system_call = ioctl
        self._layouts: dict[tuple[int, int, int, int], _BurstLayout] = {}
        self._free: set[int] = set()
        offered = self._functions()
        block = I2cFunc.SMBUS_READ_I2C_BLOCK | I2cFunc.SMBUS_WRITE_I2C_BLOCK
        self._plain_i2c = bool(offered & I2cFunc.I2C)
        if not self._plain_i2c and offered & block != block:
            raise BusError(CAUSES[errno.EOPNOTSUPP], bus=name, code=errno.EOPNOTSUPP)

    def read(self, address: int, register: int, length: int) -> bytes:
        """Read ``length`` bytes, starting at ``register``, in one transfer.

        Raises:
            BusError: If the transfer fails, is cut short, or is longer than the adapter can do.
        """
        return self.read_burst(address, register, length, 1)

    def read_burst(self, address: int, register: int, length: int, count: int) -> bytes:
        """Do the same read ``count`` times, 21 to a system call.

        Raises:
            BusError: If a transfer fails, or is longer than the adapter can do; what the chip had handed
                out of a FIFO until then is lost.
        """
        if not self._plain_i2c:
            return b"".join(self._block_read(address, register, length) for _ in range(count))
        layout = self._layouts.get((address, register, length, count)) or self._lay_out(
            address, register, length, count
        )
        self._transfer(layout.calls, address, register)
        return layout.data.raw

    def write(self, address: int, register: int, data: bytes) -> None:
        """Write ``data``, starting at ``register``, in one transfer.

        Raises:
            BusError: If the transfer fails, or is longer than the adapter can do.
        """
        self._check(address, register, len(data))
        self._refuse_held(address)
        if not self._plain_i2c:
            self._block_transfer(I2C_SMBUS_WRITE, address, register, data)
            return
        message = i2c_msg.write(address, bytes([register]) + data)
        self._transfer([(i2c_rdwr_ioctl_data(ctypes.pointer(message), 1), 1)], address, register)

    def close(self) -> None:
        """Close the device node; may be called twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _functions(self) -> I2cFunc:
        functions = ctypes.c_ulong()
        self._ioctl(I2C_FUNCS, functions)
        return I2cFunc(functions.value)

    def _lay_out(self, address: int, register: int, length: int, count: int) -> _BurstLayout:
        self._check(address, register, length)
        self._refuse_held(address)
        if len(self._layouts) >= _MAX_LAYOUTS:
            self._layouts.clear()
        layout = _BurstLayout(address, register, length, count)
        self._layouts[address, register, length, count] = layout
        return layout

    def _refuse_held(self, address: int) -> None:
        """Ask once whether a driver of the kernel has the chip; combined transfers would take its samples."""
        if address in self._free:
            return
        try:
            self._ioctl(I2C_SLAVE, address, address)
        except BusError as error:
            if error.code == errno.EBUSY:
                raise HeldError(_HELD, bus=self.name, address=address, code=error.code) from error
            raise
        self._free.add(address)

    def _transfer(self, calls: list[_Call], address: int, register: int) -> None:
        try:
            for call, n_messages in calls:
                done = self._system_call(self._descriptor, I2C_RDWR, call)
                if done != n_messages:
                    raise OSError(errno.EIO, f"{done} of {n_messages} messages done")
        except (OSError, ValueError) as error:
            raise self._converted(error, address, register) from error

    def _block_read(self, address: int, register: int, length: int) -> bytes:
        self._check(address, register, length)
        self._refuse_held(address)
        return self._block_transfer(I2C_SMBUS_READ, address, register, bytes(length))

    def _block_transfer(self, direction: int, address: int, register: int, data: bytes) -> bytes:
        # A block is its length, then its bytes (i2c.h, union i2c_smbus_data).
        block = union_i2c_smbus_data()
        block.block[: len(data) + 1] = [len(data), *data]
        call = i2c_smbus_ioctl_data(direction, register, I2C_SMBUS_I2C_BLOCK_DATA, ctypes.pointer(block))
        self._ioctl(I2C_SLAVE, address, address, register)
        self._ioctl(I2C_SMBUS, call, address, register)
        if block.block[0] != len(data):
            # What did not come must not pass for zeros.
            message = f"{block.block[0]} of {len(data)} bytes came"
            raise BusError(message, bus=self.name, address=address, register=register, code=errno.EIO)
        return bytes(block.block[1 : len(data) + 1])

    def _check(self, address: int, register: int, length: int) -> None:
        limit = MAX_LENGTH if self._plain_i2c else I2C_SMBUS_BLOCK_MAX
        # 0x00-0x07 and 0x78-0x7f are reserved (I2C specification UM10204, table 4).
        if 0x08 <= address <= 0x77 and 0 <= register <= 0xFF and 1 <= length <= limit:
            return
        message = (
            f"not a possible transfer: {length} bytes; addresses are 0x08 to 0x77, registers 0x00 to 0xff, "
            f"and this adapter moves 1 to {limit} bytes at once"
        )
        raise BusError(message, bus=self.name, address=address, register=register, code=errno.EINVAL)

    def _ioctl(
        self, request: int, argument: object, address: int | None = None, register: int | None = None
    ) -> int:
        try:
            return self._system_call(self._descriptor, request, argument)
        except (OSError, ValueError) as error:
            raise self._converted(error, address, register) from error

    def _converted(self, error: Exception, address: int | None, register: int | None) -> BusError:
        # fcntl refuses a negative (closed) descriptor with ValueError.
        code = error.errno if isinstance(error, OSError) else errno.EBADF
        hint = CAUSES.get(code or 0, str(error))
        return BusError(hint, bus=self.name, address=address, register=register, code=code)


class _BurstLayout:
    """The messages of one burst, in the memory that the kernel reads and fills."""

    def __init__(self, address: int, register: int, length: int, count: int) -> None:
        self.data = ctypes.create_string_buffer(length * count)
        self._register = ctypes.create_string_buffer(bytes([register]), 1)
        self._messages = (i2c_msg * (2 * count))()
        start = ctypes.addressof(self.data)
        character = ctypes.POINTER(ctypes.c_char)
        for index in range(count):
            place = ctypes.cast(start + index * length, character)
            self._messages[2 * index] = i2c_msg(address, 0, 1, ctypes.cast(self._register, character))
            self._messages[2 * index + 1] = i2c_msg(address, I2C_M_RD, length, place)
        self.calls = [
            self._call(first, min(READS_PER_CALL, count - first)) for first in range(0, count, READS_PER_CALL)
        ]

    def _call(self, first: int, reads: int) -> _Call:
        start = ctypes.addressof(self._messages) + 2 * first * ctypes.sizeof(i2c_msg)
        return i2c_rdwr_ioctl_data(ctypes.cast(start, ctypes.POINTER(i2c_msg)), 2 * reads), 2 * reads
