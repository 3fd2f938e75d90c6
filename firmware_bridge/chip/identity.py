"""Which chip answers at an address: told by its identity registers, not by the address."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from firmware_bridge.adxl345 import registers as adxl345
from firmware_bridge.adxl355 import registers as adxl355
from firmware_bridge.bus.protocol import I2CBus
from firmware_bridge.errors import BusError, HeldError
from firmware_bridge.lis3dh import registers as lis3dh
from firmware_bridge.lsm6dso import registers as lsm6dso
from firmware_bridge.mpu6050 import registers as mpu6050

IDENTITIES: dict[str, Mapping[IntEnum, int]] = {
    "adxl345": adxl345.IDENTITY,
    "adxl355": adxl355.IDENTITY,
    "lis3dh": lis3dh.IDENTITY,
    "lsm6dso": lsm6dso.IDENTITY,
    "mpu6050": mpu6050.IDENTITY,
}
"""Chip to its identity registers with their values."""
ADDRESSES: dict[str, tuple[int, ...]] = {
    "adxl345": adxl345.ADDRESSES,
    "adxl355": adxl355.ADDRESSES,
    "lis3dh": lis3dh.ADDRESSES,
    "lsm6dso": lsm6dso.ADDRESSES,
    "mpu6050": mpu6050.ADDRESSES,
}
"""Chip to the 7-bit addresses that it can have; the usual one first."""

# How adapters tell a missing acknowledge (Linux, i2c/fault-codes.rst); some have only EIO for it.
_NOBODY = (errno.ENXIO, errno.EREMOTEIO, errno.EIO)


@dataclass(frozen=True)
class Answer:
    """Something that answers on a bus."""

    address: int
    """7-bit I2C address."""
    chip: str | None
    """Name of the chip, or None if its identity registers are of none that is known."""
    held: bool = False
    """A driver of the kernel has it, so nobody else may ask what it is."""


def identify(bus: I2CBus, address: int) -> str | None:
    """Return the name of the chip at an address, None if it is none that is known. Nothing is written.

    A chip that is register-compatible, such as the LIS2DH12, answers as the one that is listed.

    Raises:
        BusError: If the bus fails. A register that the chip does not acknowledge only rules a chip out.
    """
    for chip, identity in IDENTITIES.items():
        if all(_value(bus, address, register) == value for register, value in identity.items()):
            return chip
    return None


def scan(bus: I2CBus) -> list[Answer]:
    """Return what answers at the addresses that known chips can have, in the order of the addresses.

    Other addresses are left alone: some devices take even a read badly. Nothing is written.

    Raises:
        BusError: If the bus itself fails.
    """
    candidates = sorted({address for addresses in ADDRESSES.values() for address in addresses})
    answers = (_answer(bus, address) for address in candidates)
    return [answer for answer in answers if answer is not None]


def _answer(bus: I2CBus, address: int) -> Answer | None:
    try:
        if _value(bus, address, 0) is None:
            return None
        return Answer(address, identify(bus, address))
    except HeldError:
        return Answer(address, None, held=True)


def _value(bus: I2CBus, address: int, register: int) -> int | None:
    """Return a register, or None if nobody acknowledges."""
    try:
        return bus.read(address, register, 1)[0]
    except BusError as error:
        if error.code in _NOBODY:
            return None
        raise
