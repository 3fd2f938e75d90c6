"""A genuine I2C adapter of the kernel, whose bus holds judder's simulated ADXL345. Runs in the guest.

``vhci-hcd`` (USB over IP) is attached over a socket pair, without a network, to a dongle that this process
plays: an i2c-tiny-usb. The kernel's own driver binds to it and makes ``/dev/i2c-N``. Only stock modules take
part. Ending this process unplugs the adapter.

SIGUSR1 breaks the machine that the sensor feels, SIGUSR2 repairs it.

Sources: Linux Documentation/usb/usbip_protocol.rst, drivers/i2c/busses/i2c-tiny-usb.c, USB 2.0 chapter 9.
"""

from __future__ import annotations

import signal
import socket
import struct
import sys
import threading
from enum import IntEnum, IntFlag
from pathlib import Path

import numpy as np

from firmware_bridge.arrays import SignalArray, TimeArray
from firmware_bridge.bus.simulated import SimulatedChip
from firmware_bridge.chips import simulate
from firmware_bridge.clock import SystemClock
from firmware_bridge.signals import make_signal

ADDRESS = 0x53
ATTACH = Path("/sys/devices/platform/vhci_hcd.0/attach")
PORT, DEVICE_ID, FULL_SPEED = 0, 0x10001, 2
EPIPE = 32


class Command(IntEnum):
    """Commands of the USB/IP protocol, and their replies."""

    SUBMIT = 1
    UNLINK = 2
    RET_SUBMIT = 3
    RET_UNLINK = 4


class Standard(IntEnum):
    """Standard requests of USB."""

    GET_STATUS = 0
    GET_DESCRIPTOR = 6
    GET_CONFIGURATION = 8


class Tiny(IntEnum):
    """Requests of an i2c-tiny-usb (i2c-tiny-usb.c); an I/O carries flags for its begin and end."""

    ECHO = 0
    GET_FUNC = 1
    SET_DELAY = 2
    GET_STATUS = 3
    I2C_IO = 4


class Status(IntEnum):
    """What became of the last I/O."""

    IDLE = 0
    ADDRESS_ACK = 1
    ADDRESS_NAK = 2


class Function(IntFlag):
    """What the adapter can do (linux/i2c.h)."""

    I2C = 0x00000001
    SMBUS_EMUL = 0x0EFF0000


IO_FLAGS = 0x03
TYPE_MASK, DIRECTION_IN = 0x60, 0x80

DEVICE_DESCRIPTOR = struct.pack(
    "<BBHBBBBHHHBBBB", 18, 1, 0x110, 0xFF, 0, 0, 8, 0x0403, 0xC631, 0x205, 1, 2, 0, 1
)
CONFIGURATION = struct.pack("<BBHBBBBB", 9, 2, 18, 1, 1, 0, 0x80, 50)
INTERFACE = struct.pack("<BBBBBBBBB", 9, 4, 0, 0, 0, 0xFF, 0, 0, 0)


def text_descriptor(text: str) -> bytes:
    """Return a string descriptor of USB."""
    return struct.pack("BB", 2 + 2 * len(text), 3) + text.encode("utf-16le")


DESCRIPTORS = {
    0x100: DEVICE_DESCRIPTOR,
    0x200: CONFIGURATION + INTERFACE,
    0x300: struct.pack("<BBH", 4, 3, 0x0409),
    0x301: text_descriptor("judder"),
    0x302: text_descriptor("i2c-tiny-usb"),
}


class Machine:
    """What the sensor feels: a healthy machine of 1 g RMS on each axis, four times that when it is broken."""

    def __init__(self) -> None:
        self.broken = False
        parameters = {
            "shaft_hz": 11.3,
            "harmonics_g": [[2**0.5] * 3],
            "load_variation": 0.0,
            "gravity_g": [0.0, 0.0, 0.0],
        }
        self._healthy = make_signal("rotor", parameters)

    def acceleration_g(self, times_s: TimeArray) -> SignalArray:
        """Return the acceleration at these times, shape (n, 3)."""
        moving = self._healthy.acceleration_g(times_s) * (4.0 if self.broken else 1.0)
        return moving + np.array([0.0, 0.0, 1.0])


class Dongle:
    """An i2c-tiny-usb with one chip on its bus."""

    def __init__(self, chip: SimulatedChip) -> None:
        self._chip = chip
        self._register = 0
        self._status = Status.IDLE

    def control(
        self, kind: int, request: int, value: int, index: int, length: int, data: bytes
    ) -> bytes | None:
        """Answer a control transfer; None: stalled."""
        if kind & TYPE_MASK == 0:
            return self._standard(request, value, length)
        if request & ~IO_FLAGS == Tiny.I2C_IO:
            return self._transfer(index, length, data, reading=bool(kind & DIRECTION_IN))
        answers = {
            Tiny.ECHO: struct.pack("<H", value),
            Tiny.GET_FUNC: struct.pack("<I", Function.I2C | Function.SMBUS_EMUL),
            Tiny.SET_DELAY: b"",
            Tiny.GET_STATUS: bytes([self._status]),
        }
        return answers[Tiny(request)][:length]

    def _standard(self, request: int, value: int, length: int) -> bytes | None:
        match request:
            case Standard.GET_DESCRIPTOR:
                found = DESCRIPTORS.get(value)
                return None if found is None else found[:length]
            case Standard.GET_STATUS:
                return b"\0\0"
            case Standard.GET_CONFIGURATION:
                return b"\1"
        return b""

    def _transfer(self, address: int, length: int, data: bytes, *, reading: bool) -> bytes:
        if address != ADDRESS:
            self._status = Status.ADDRESS_NAK
            return bytes(length) if reading else b""
        self._status = Status.ADDRESS_ACK
        if reading:
            return self._chip.read(self._register, length)
        if data:
            self._register = data[0]
        if len(data) > 1:
            self._chip.write(self._register, data[1:])
        return b""


def received(connection: socket.socket, size: int) -> bytes:
    """Return so many bytes."""
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise EOFError("the kernel has let go of the adapter")
        data += chunk
    return data


def serve(connection: socket.socket, dongle: Dongle) -> None:
    """Answer what the kernel asks of the dongle, until it lets go of it."""
    while True:
        header = received(connection, 48)
        command, sequence, _, inwards, _ = struct.unpack(">5I", header[:20])
        if command == Command.UNLINK:
            connection.sendall(struct.pack(">5Ii24x", Command.RET_UNLINK, sequence, 0, 0, 0, 0))
            continue
        (length,) = struct.unpack(">i", header[24:28])
        data = b"" if inwards else received(connection, length)
        kind, request, value, index, wanted = struct.unpack("<BBHHH", header[40:48])
        answer = dongle.control(kind, request, value, index, wanted, data)
        told = answer if inwards and answer is not None else b""
        status, size = (-EPIPE, 0) if answer is None else (0, len(told) if inwards else length)
        reply = struct.pack(">5IiiiiI8x", Command.RET_SUBMIT, sequence, 0, 0, 0, status, size, 0, 0, 0)
        connection.sendall(reply + told)


def main() -> None:
    """Plug the adapter in and serve it."""
    machine = Machine()

    def set_broken(number: int, _frame: object) -> None:
        machine.broken = number == signal.SIGUSR1

    signal.signal(signal.SIGUSR1, set_broken)
    signal.signal(signal.SIGUSR2, set_broken)
    dongle = Dongle(simulate("adxl345", SystemClock(), machine))
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=serve, args=(ours, dongle), daemon=True)
    thread.start()
    ATTACH.write_text(f"{PORT} {theirs.fileno()} {DEVICE_ID} {FULL_SPEED}", encoding="ascii")
    theirs.close()
    thread.join()
    sys.exit("the kernel has let go of the adapter")


if __name__ == "__main__":
    main()
