"""One chip's registers on a bus: who it is, what it was set to, and whether it still is."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import IntEnum

from firmware_bridge.bus.protocol import I2CBus
from firmware_bridge.chip.chip import Chip
from firmware_bridge.chip.identity import look_at
from firmware_bridge.errors import SensorError

Setting = tuple[IntEnum, int]
"""A register and the value that it shall have."""


class RegisterChip:
    """Reads and writes one chip; remembers its configuration, so that a lost one is noticed."""

    def __init__(self, chip: Chip, bus: I2CBus, address: int, known: Collection[Chip] = ()) -> None:
        """Describe the chip; nothing is sent.

        Args:
            chip: Which one it is to be.
            bus: Where it is.
            address: 7-bit I2C address.
            known: Chips that can be told by name if another one answers.
        """
        self._chip = chip
        self._bus = bus
        self._known = known
        self._address = address
        self._settings: dict[IntEnum, int] = {}

    def read(self, register: int, length: int) -> bytes:
        """Read ``length`` bytes in one transfer.

        Raises:
            BusError: If the transfer fails.
        """
        return self._bus.read(self._address, register, length)

    def read_burst(self, register: int, length: int, count: int) -> bytes:
        """Do the same read ``count`` times, in as few system calls as the kernel allows.

        Raises:
            BusError: If a transfer fails.
        """
        return self._bus.read_burst(self._address, register, length, count)

    def value(self, register: int) -> int:
        """Return one register.

        Raises:
            BusError: If the transfer fails.
        """
        return self._bus.read(self._address, register, 1)[0]

    def write(self, register: int, value: int) -> None:
        """Write one register, and neither read it back nor remember it: for commands, such as a reset.

        Raises:
            BusError: If the transfer fails.
        """
        self._bus.write(self._address, register, bytes([value]))

    def check_identity(self) -> None:
        """Refuse any other chip before anything is written to it.

        Raises:
            BusError: If a transfer fails.
            SensorError: If an identity register has another value; names the chip if it is a known one.
        """
        for register, value in self._chip.identity.items():
            found = self.value(register)
            if found != value:
                raise self.error(
                    f"{register.name} reads 0x{found:02x} instead of 0x{value:02x}: {self._other()}; "
                    "check the configured chip and address (judder sensor scan)"
                )

    def _other(self) -> str:
        """Return in words who answers in place of the chip."""
        there = look_at(self._bus, self._address, self._known)
        if there.relative is not None:
            return f"{there.relative} answers here, for which judder has no driver"
        return f"{there.chip or 'another chip'} answers here"

    def configure(self, settings: Iterable[Setting]) -> None:
        """Write each setting and read it back; earlier settings are forgotten.

        Raises:
            BusError: If a transfer fails.
            SensorError: If a setting does not read back.
        """
        self._settings = {}
        for register, value in settings:
            self.write(register, value)
            found = self.value(register)
            if found != value:
                raise self.error(
                    f"{register.name} reads 0x{found:02x} after 0x{value:02x} was written; "
                    "check wiring and power"
                )
            self._settings[register] = value

    def check_configuration(self) -> None:
        """Compare all settings: a chip that lost its supply for a moment is back at its reset values.

        Raises:
            BusError: If a transfer fails.
            SensorError: If a setting is not what it was set to.
        """
        for register, value in self._settings.items():
            found = self.value(register)
            if found != value:
                raise self.error(
                    f"lost its configuration ({register.name} reads 0x{found:02x} instead of 0x{value:02x}); "
                    "check its supply, then start it again"
                )

    def error(self, message: str) -> SensorError:
        """Return an error that says which chip it is and where."""
        return SensorError(f"{self._chip.name} on {self._bus.name} at 0x{self._address:02x}: {message}")
