"""Which chip answers at an address: told by its identity registers, not by the address."""

from __future__ import annotations

import errno
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

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
    identity: Mapping[IntEnum, int] = field(default_factory=dict)
    """Of a chip that is not known: the registers that would tell one which is usual at this address."""
    relative: str | None = None
    """Of a chip that is not known: its maker's name for it, if its identity register tells."""


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


def look_at(bus: I2CBus, address: int, chips: Collection[Chip]) -> Answer:
    """Return what can be told of whatever answers at an address. Nothing is written.

    Raises:
        BusError: If the bus fails.
    """
    name = identify(bus, address, chips)
    if name is not None:
        return Answer(address, name)
    usual = [chip for chip in chips if address in chip.addresses] or list(chips)
    identity = {register: _value(bus, address, register) for chip in usual for register in chip.identity}
    found = {register: value for register, value in identity.items() if value is not None}
    return Answer(address, None, identity=found, relative=_relative(found, usual))


def scan(bus: I2CBus, chips: Collection[Chip]) -> list[Answer]:
    """Return what answers at the addresses that ``chips`` can have, in the order of the addresses.

    Other addresses are left alone: some devices take even a read badly. Nothing is written.

    Raises:
        BusError: If the bus itself fails.
    """
    candidates = sorted({address for chip in chips for address in chip.addresses})
    answers = (_answer(bus, address, chips) for address in candidates)
    return [answer for answer in answers if answer is not None]


def description(answer: Answer) -> str:
    """Return in words what there is no driver for: identity registers, and the chip's name if they tell."""
    registers = ", ".join(
        f"{register.name} (0x{register:02x}) reads 0x{value:02x}"
        for register, value in answer.identity.items()
    )
    registers = registers or "acknowledges no identity register"
    if answer.relative is None:
        return f"{registers}: no chip that judder knows"
    return f"{registers}: {answer.relative}, for which judder has no driver"


def _answer(bus: I2CBus, address: int, chips: Collection[Chip]) -> Answer | None:
    try:
        if _value(bus, address, 0) is None:
            return None
        return look_at(bus, address, chips)
    except HeldError:
        return Answer(address, None, held=True)


def _relative(found: Mapping[IntEnum, int], chips: Collection[Chip]) -> str | None:
    for chip in chips:
        for register in chip.identity:
            if found.get(register) in chip.relatives:
                return chip.relatives[found[register]]
    return None


def _value(bus: I2CBus, address: int, register: int) -> int | None:
    """Return a register, or None if nobody acknowledges."""
    try:
        return bus.read(address, register, 1)[0]
    except BusError as error:
        if error.code in _NOBODY:
            return None
        raise
