"""What a WAV file cannot say of itself: a JSON file of the same name beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from firmware_bridge.errors import RecordingError
from firmware_bridge.folders import sync_folder

FORMAT = "judder-recording"
VERSION = 1

# A count of 32 bits times so much is still a 32-bit float.
_LARGEST = 1e29

T = TypeVar("T")


@dataclass(frozen=True)
class Gap:
    """Some samples are missing."""

    at: int
    """Index of the first sample after the gap."""
    lost: int | None
    """How many are missing; None if nobody knows."""


@dataclass(frozen=True, kw_only=True)
class WaveInfo:
    """What a waveform is, beside its counts: scale in g, rate in Hz, origin."""

    axes: tuple[str, ...]
    """Names of the channels, in order."""
    scale_g: float
    """Acceleration of one count."""
    range_g: float
    """Full scale of the sensor."""
    rate_hz: float
    """Samples per second: estimated from FIFO counts when enough had been seen, else nominal."""
    start: datetime
    """UTC time of the first sample."""
    chip: str
    bus: str
    address: int | None
    """7-bit I2C address; None if the kernel's driver has the chip."""
    simulated: bool
    gaps: tuple[Gap, ...] = ()
    note: str = ""
    """Why it was recorded."""


def side_car_path(path: Path) -> Path:
    """Return the name of a WAV file's side-car."""
    return path.with_suffix(".json")


def write_side_car(path: Path, info: WaveInfo) -> None:
    """Write the side-car of the WAV file ``path``, replacing an older one at once.

    Raises:
        OSError: If it cannot be written.
    """
    document = {
        "format": FORMAT,
        "version": VERSION,
        "unit": "g",
        "axes": list(info.axes),
        "scale_g_per_count": info.scale_g,
        "range_g": info.range_g,
        "rate_hz": info.rate_hz,
        "start": info.start.astimezone(UTC).isoformat(timespec="microseconds"),
        "chip": info.chip,
        "bus": info.bus,
        "address": info.address,
        "simulated": info.simulated,
        "gaps": [{"at": gap.at, "lost": gap.lost} for gap in info.gaps],
        "note": info.note,
    }
    beside = side_car_path(path)
    unfinished = beside.with_suffix(".json.new")
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(beside)
    sync_folder(beside.parent)


def read_side_car(path: Path) -> WaveInfo:
    """Return what stands in the side-car of the WAV file ``path``.

    Raises:
        RecordingError: If it is absent, damaged, of another program or of a newer judder.
    """
    beside = side_car_path(path)
    try:
        document = json.loads(beside.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        message = f"has no side-car {beside.name}, so the g of a count and the true rate are not known"
        raise RecordingError(
            f"{message}; put it beside the file, or convert to CSV in g", path=path
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise RecordingError(f"cannot be read: {error}; copy it again", path=beside) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise RecordingError("is not the side-car of a recording of judder", path=beside)
    if document.get("version") != VERSION:
        message = f"has version {document.get('version')}, this judder reads {VERSION}; update judder"
        raise RecordingError(message, path=beside)
    return _Reader(beside, document).info()


class _Reader:
    """Takes the values out of a document, one checked key at a time."""

    def __init__(self, path: Path, document: Mapping[str, Any]) -> None:
        self._path = path
        self._document = document

    def info(self) -> WaveInfo:
        return WaveInfo(
            axes=self._take("axes", _texts),
            scale_g=self._take("scale_g_per_count", _positive),
            range_g=self._take("range_g", _positive),
            rate_hz=self._take("rate_hz", _positive),
            start=self._take("start", _utc),
            chip=self._take("chip", str),
            bus=self._take("bus", str),
            address=self._take("address", _address),
            simulated=self._take("simulated", bool),
            gaps=self._take("gaps", _gaps),
            note=self._take("note", str),
        )

    def _take(self, key: str, convert: Callable[[Any], T]) -> T:
        try:
            return convert(self._document[key])
        except KeyError:
            raise RecordingError("is missing", path=self._path, column=key) from None
        except (TypeError, ValueError, AttributeError, OverflowError):
            message = f"{self._document[key]!r} is not possible"
            raise RecordingError(message, path=self._path, column=key) from None


def _positive(value: Any) -> float:  # noqa: ANN401 - untyped until converted
    number = float(value)
    if not 0 < number <= _LARGEST:
        raise ValueError(number)
    return number


def _address(value: Any) -> int | None:  # noqa: ANN401 - untyped until converted
    return None if value is None else int(value)


def _texts(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - untyped until converted
    if not value or not isinstance(value, list) or len(set(value)) < len(value):
        raise ValueError(value)
    return tuple(str(item) for item in value)


def _utc(value: Any) -> datetime:  # noqa: ANN401 - untyped until converted
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError(value)
    return at.astimezone(UTC)


def _gaps(value: Any) -> tuple[Gap, ...]:  # noqa: ANN401 - untyped until converted
    gaps = tuple(Gap(int(gap["at"]), None if gap["lost"] is None else int(gap["lost"])) for gap in value)
    if any(gap.at < 0 or (gap.lost or 0) < 0 for gap in gaps):
        raise ValueError(value)
    return gaps
