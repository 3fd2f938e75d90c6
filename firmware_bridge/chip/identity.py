"""Which chip answers at an address: told by its identity registers, not by the address."""

from __future__ import annotations

import errno
from collections.abc import Collection
from dataclasses import dataclass

from firmware_bridge.bus.protocol import I2CBus
from firmware_bridge.chip.chip import Chip
from firmware_bridge.errors import BusError, HeldError

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


def identify(bus: I2CBus, address: int, chips: Collection[Chip]) -> str | None:
    """Return the name of the chip at an address, None if it is none of ``chips``. Nothing is written.

    A chip that is register-compatible, such as the LIS2DH12, answers as the one that is listed.

    Raises:
        BusError: If the bus fails. A register that the chip does not acknowledge only rules a chip out.
    """
    for chip in chips:
        if all(_value(bus, address, register) == value for register, value in chip.identity.items()):
            return chip.name
    return None


def scan(bus: I2CBus, chips: Collection[Chip]) -> list[Answer]:
    """Return what answers at the addresses that ``chips`` can have, in the order of the addresses.

    Other addresses are left alone: some devices take even a read badly. Nothing is written.

    Raises:
        BusError: If the bus itself fails.
    """
    candidates = sorted({address for chip in chips for address in chip.addresses})
    answers = (_answer(bus, address, chips) for address in candidates)
    return [answer for answer in answers if answer is not None]


def _answer(bus: I2CBus, address: int, chips: Collection[Chip]) -> Answer | None:
    try:
        if _value(bus, address, 0) is None:
            return None
        return Answer(address, identify(bus, address, chips))
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
