"""What can go wrong between the machine's surface and the first sample in g."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Mapping, Sequence
from pathlib import Path


class BridgeError(Exception):
    """Root of all errors of this package."""


class BusError(BridgeError, OSError):
    """A transfer failed or a bus cannot be opened.

    Attributes:
        bus: Name of the bus as configured, such as ``/dev/i2c-1``.
        address: 7-bit I2C address, or None when the bus itself failed.
        register: Register address, or None when no register was named.
        code: The kernel's errno, or None. (``errno`` of the base class holds the same.)
    """

    def __init__(
        self,
        message: str,
        *,
        bus: str,
        address: int | None = None,
        register: int | None = None,
        code: int | None = None,
    ) -> None:
        place = bus
        if address is not None:
            place += f" address 0x{address:02x}"
        if register is not None:
            place += f" register 0x{register:02x}"
        if code is not None:
            message += f" (errno {code}, {errno.errorcode.get(code, 'unknown')})"
        super().__init__(f"{place}: {message}")
        self.bus = bus
        self.address = address
        self.register = register
        self.code = code
        self.errno = code


class HeldError(BusError):
    """A driver of the kernel has the chip at this address."""


class SensorError(BridgeError):
    """The chip answers, but not as the data sheet says, or it cannot do what was asked.

    A wrong identity register, a setting that does not read back, a rate that the chip does not offer.
    """


class OfferError(SensorError, ValueError):
    """A chip does not offer what is asked of it.

    Attributes:
        problems: What is wrong with each setting: ``chip``, ``address``, ``rate_hz``, ``range_g``.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(problems.values()))
        self.problems = dict(problems)


class SignalError(BridgeError, ValueError):
    """A signal source was asked for something it cannot make, or described with an impossible value."""


class RecordingError(BridgeError, ValueError):
    """A recording cannot be read or used.

    Attributes:
        path: The file.
        row: Line in the file, counted from 1 as an editor does, or None.
        column: Name of the column or array, or None.
    """

    def __init__(
        self, message: str, *, path: Path, row: int | None = None, column: str | None = None
    ) -> None:
        place = str(path)
        if row is not None:
            place += f", line {row}"
        if column is not None:
            place += f", column '{column}'"
        super().__init__(f"{place}: {message}")
        self.path = path
        self.row = row
        self.column = column


def question(wrong: str, known: Sequence[str]) -> str:
    """Return ``; did you mean 'x'?`` for a name that is not known; empty if none is like it."""
    near = difflib.get_close_matches(wrong, known, n=2, cutoff=0.5)
    return f"; did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
