"""One IIO device as sysfs shows it.

Source: Linux ``Documentation/ABI/testing/sysfs-bus-iio`` and ``Documentation/driver-api/iio/buffers.rst``.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firmware_bridge.axes import AXES
from firmware_bridge.errors import BusError, SensorError

PREFIX = "iio:"
"""What a bus name begins with; the name or the number of the device follows."""
STANDARD_GRAVITY = 9.80665
"""m/s² per g."""

_DEVICES = Path("sys/bus/iio/devices")
# [be|le]:[s|u]bits/storagebits[>>shift]; a channel that repeats (X) is no axis.
_FORMAT = re.compile(r"(?P<order>[bl]e):(?P<sign>[su])(?P<bits>\d+)/(?P<storage>\d+)(?:>>(?P<shift>\d+))?")


@dataclass(frozen=True)
class SampleFormat:
    """How a channel stands in the buffer."""

    dtype: np.dtype[np.signedinteger[Any]]
    """Of the storage, signed, with its byte order."""
    bits: int
    """Width of the value."""
    shift: int
    """Bits below it."""


def parse_format(text: str) -> SampleFormat:
    """Return the format from a scan element's ``type``, such as ``le:s12/16>>4``.

    Raises:
        ValueError: If it is not of that form, or not a signed number of 8 to 32 bits.
    """
    match = _FORMAT.fullmatch(text.strip())
    if match is None or match["sign"] != "s" or match["storage"] not in ("8", "16", "32"):
        raise ValueError(f"'{text.strip()}' is no format such as le:s16/16>>0")
    bits, storage, shift = int(match["bits"]), int(match["storage"]), int(match["shift"] or 0)
    if not 0 < bits <= storage - shift:
        raise ValueError(f"'{text.strip()}': {bits} bits do not fit above {shift} of {storage}")
    order = ">" if match["order"] == "be" else "<"
    return SampleFormat(np.dtype(f"{order}i{storage // 8}"), bits, shift)


class Attributes:
    """The attributes of a device: read, written, and read back."""

    def __init__(self, device: str, root: Path) -> None:
        """Find a device.

        Args:
            device: Its number, or its name as in its attribute ``name``.
            root: Where ``sys`` and ``dev`` are; another than ``/`` for a twin.

        Raises:
            BusError: If there is no such device; names those there are.
        """
        self.bus = PREFIX + device
        self._folder = self._find(device, root / _DEVICES)
        self.node = root / "dev" / self._folder.name
        """The device that samples are read from."""

    def read(self, name: str) -> str:
        """Return an attribute without its line end.

        Raises:
            BusError: If it cannot be read.
        """
        try:
            return (self._folder / name).read_text("ascii").strip()
        except OSError as error:
            raise self.error(f"{name} cannot be read: {error.strerror}", error.errno) from error

    def has(self, name: str) -> bool:
        """Return whether the device has an attribute."""
        return (self._folder / name).exists()

    def write(self, name: str, value: str) -> None:
        """Write an attribute.

        Raises:
            BusError: If it cannot be written.
        """
        try:
            (self._folder / name).write_text(value, "ascii")
        except OSError as error:
            hint = f"{name} = {value} is refused: {error.strerror}"
            if error.errno in (errno.EACCES, errno.EPERM):
                hint += "; give the user write access to its files in sysfs (a udev rule), or run as root"
            raise self.error(hint, error.errno) from error

    def first_of(self, *names: str) -> str:
        """Return the first of several attributes that the device has.

        Raises:
            SensorError: If it has none of them.
        """
        for name in names:
            if self.has(name):
                return name
        raise SensorError(f"{self.bus}: has no {' or '.join(names)}; it is no accelerometer with a buffer")

    def offered(self, name: str) -> list[float]:
        """Return the values that an attribute can have, empty if the device does not say.

        Raises:
            BusError: If the list cannot be read.
        """
        available = f"{name}_available"
        if not self.has(available):
            return []
        text = self.read(available)
        # "[low step high]" is a range, which says nothing about single values.
        return [] if text.startswith("[") else [float(value) for value in text.split()]

    def formats(self) -> list[SampleFormat]:
        """Return the formats of the axes, in the order of the buffer, which must be x, y, z.

        Raises:
            BusError: If a scan element cannot be read.
            SensorError: If a format is not understood, or the axes are in another order.
        """
        indices = [int(self.read(f"scan_elements/in_accel_{axis}_index")) for axis in AXES]
        if indices != sorted(indices):
            raise SensorError(f"{self.bus}: its axes come in the order {indices} instead of x, y, z")
        try:
            return [parse_format(self.read(f"scan_elements/in_accel_{axis}_type")) for axis in AXES]
        except ValueError as error:
            raise SensorError(f"{self.bus}: scan_elements: {error}") from error

    def scan_elements(self) -> list[str]:
        """Return the switches of all channels that the buffer can hold."""
        return sorted(f"scan_elements/{path.name}" for path in (self._folder / "scan_elements").glob("*_en"))

    def error(self, message: str, code: int | None) -> BusError:
        """Return an error that names the device."""
        return BusError(message, bus=self.bus, code=code)

    def _find(self, device: str, devices: Path) -> Path:
        there = sorted(devices.glob("iio:device*"))
        names = {folder: (folder / "name").read_text("ascii").strip() for folder in there}
        for folder, name in names.items():
            if device in (name, folder.name.removeprefix("iio:device")):
                return folder
        listed = ", ".join(f"{folder.name} ({name})" for folder, name in names.items()) or "none"
        raise self.error(
            f"no such device; there are: {listed}; load the chip's kernel driver, or name another",
            errno.ENOENT,
        )
