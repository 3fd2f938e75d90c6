"""Column names as found in the wild: leading blanks, units in parentheses, time stamps, counters, labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from firmware_bridge.axes import AXES
from firmware_bridge.errors import RecordingError, question

_UNIT = re.compile(r"\s*[(\[]([^)\]]*)[)\]]\s*$")
_TIME = re.compile(r"(?:time|timestamp|time_stamp|t|datetime|date_time)(?:_(s|ms|us|ns))?")
_COUNTERS = {"", "unnamed:0", "index", "sample", "row", "frame", "framenumber", "counter", "id", "sensorid"}
_LABELS = {"anomaly", "changepoint", "label"}

SECONDS_PER_UNIT = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def split_unit(name: str) -> tuple[str, str | None]:
    """Return a column's name without its unit, and the unit or None: "LinAccX (g)" -> "LinAccX", "g"."""
    found = _UNIT.search(name)
    if found is None:
        return name.strip(), None
    return name[: found.start()].strip(), found.group(1).strip()


def time_unit(name: str) -> str | None:
    """Return the unit of a time column, "" if it states none, or None if it is no time column."""
    base, unit = split_unit(name)
    found = _TIME.fullmatch(base.lower())
    if found is None:
        return None
    return unit or found.group(1) or ""


def time_scale(path: Path, name: str) -> tuple[float, tuple[str, ...]]:
    """Return the seconds of one unit of a time column, and a note if its name states none.

    Raises:
        RecordingError: If the unit is not known.
    """
    unit = time_unit(name) or ""
    if unit and unit not in SECONDS_PER_UNIT:
        message = f"unknown unit of time '{unit}'; known are: {', '.join(SECONDS_PER_UNIT)}"
        raise RecordingError(message, path=path, column=name)
    notes = () if unit else (f"column '{name}' states no unit; read as seconds",)
    return SECONDS_PER_UNIT[unit or "s"], notes


def channel_names(name: str, width: int) -> list[str]:
    """Return the names of a table's columns: NAME_x, NAME_y and NAME_z of three, else NAME_0, NAME_1, ..."""
    endings = AXES if width == len(AXES) else [str(index) for index in range(width)]
    return [f"{name}_{ending}" for ending in endings]


def is_signal(name: str) -> bool:
    """Tell a measured channel from a time stamp, a counter or a label."""
    base = split_unit(name)[0].lower().replace(" ", "")
    return time_unit(name) is None and base not in _COUNTERS | _LABELS


def find_columns(path: Path, names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return the position of each wanted column: by its exact name, else by its name without the unit.

    Raises:
        RecordingError: If a column is not there, or more than one fits.
    """
    return [_find(path, names, name) for name in wanted]


def _find(path: Path, names: Sequence[str], wanted: str) -> int:
    exact = [index for index, name in enumerate(names) if name == wanted.strip()]
    loose = [index for index, name in enumerate(names) if split_unit(name)[0] == wanted.strip()]
    fitting = exact or loose
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        message = f"more than one column fits; name one of: {', '.join(names[index] for index in fitting)}"
        raise RecordingError(message, path=path, column=wanted)
    raise RecordingError(
        f"not found{question(wanted, names)} (there are: {', '.join(names)})", path=path, column=wanted
    )
