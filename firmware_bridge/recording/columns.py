"""Column names as found in the wild: leading blanks, units in parentheses, time stamps, counters, labels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from firmware_bridge.axes import AXES
from firmware_bridge.errors import RecordingError, question

SECONDS_PER_UNIT = {
    "s": 1.0,
    "sec": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
    "min": 60.0,
    "h": 3600.0,
    "days": 86_400.0,
}
_TIME_WORDS = {
    "second": "s",
    "seconds": "s",
    "secs": "s",
    "msec": "ms",
    "millisecond": "ms",
    "milliseconds": "ms",
    "millis": "ms",
    "usec": "us",
    "μs": "us",
    "microsecond": "us",
    "microseconds": "us",
    "micros": "us",
    "nanoseconds": "ns",
    "nsec": "ns",
    "d": "days",
    "day": "days",
}
_STANDARD_GRAVITY = 9.80665
_G_PER_UNIT = {
    "g": 1.0,
    "mg": 1e-3,
    "m/s2": 1 / _STANDARD_GRAVITY,
    "cm/s2": 1e-2 / _STANDARD_GRAVITY,
    "mm/s2": 1e-3 / _STANDARD_GRAVITY,
}
_OTHER_UNITS = {
    "v",
    "mv",
    "a",
    "ma",
    "hz",
    "rpm",
    "n",
    "pa",
    "kpa",
    "bar",
    "°c",
    "%",
    "mm",
    "um",
    "deg/s",
    "dps",
}

MAX_CHANNELS = 32
"""A file with more is rather a table of windows; somebody must choose."""

_UNIT = re.compile(r"[\s/]*[(\[]([^()\[\]]*(?:\([^()]*\))?[^()\[\]]*)[)\]]\s*$")
_AFTER = re.compile(r"(.*?\S)\s*(?:/|\s+in\s+)\s*(\S+)\s*$")
_TIME = re.compile(
    r"(?:date_?|unix_?|epoch_?|elapsed_?)?(?:times?|time_?stamps?)|t|elapsed|uptime|epoch|zeit|zeitstempel|x_value"
)
_COUNTERS = {
    "",
    "unnamed:0",
    "index",
    "sample",
    "samplenumber",
    "row",
    "frame",
    "framenumber",
    "counter",
    "count",
}
_COUNTERS |= {"id", "sensorid", "deviceid", "seq", "sequence", "sequencenumber"}
_LABELS = {"anomaly", "changepoint", "label"}


def split_unit(name: str) -> tuple[str, str | None]:
    """Return a column's name without its unit, and the unit or None.

    "LinAccX (g)" -> "LinAccX", "g"; "X/g" and "X in g" as well, if the unit is known.
    """
    if found := _UNIT.search(name):
        return name[: found.start()].strip(), found.group(1).strip()
    found = _AFTER.fullmatch(name)
    # The slash of m/s2 is none between name and unit.
    parts = name.strip().split("/", 1) if found is None or "/" in name else [found[1], found[2]]
    if len(parts) == 2 and parts[0] and is_unit(parts[1]):
        return parts[0].strip(), parts[1].strip()
    return name.strip(), None


def is_unit(text: str) -> bool:
    """Tell whether a text is a unit that is known here."""
    plain = text.strip().strip("()[]")
    return _seconds(plain) is not None or g_per(plain) is not None or plain.lower() in _OTHER_UNITS


def g_per(unit: str) -> float | None:
    """Return the g of one unit of acceleration, or None if it is none: "m/s^2" -> 0.10197."""
    plain = unit.replace("²", "2").replace("**", "").replace("^", "").replace(" ", "")
    plain = plain.replace("(s2)", "s2").replace("/s/s", "/s2").replace("ms-2", "m/s2").replace("sec", "s")
    # A mG is a thousandth of a gauss.
    return _G_PER_UNIT.get(plain if plain in ("mg", "mG") else plain.lower()) if plain != "mG" else None


def _seconds(unit: str) -> float | None:
    plain = unit.lower()
    return SECONDS_PER_UNIT.get(_TIME_WORDS.get(plain, plain))


def seconds_per(path: Path, name: str, unit: str) -> float:
    """Return the seconds of a unit of time.

    Raises:
        RecordingError: If it is not known.
    """
    seconds = _seconds(unit)
    if seconds is None:
        message = f"unknown unit of time '{unit}'; known are: {', '.join(SECONDS_PER_UNIT)}"
        raise RecordingError(message, path=path, column=name)
    return seconds


def time_unit(name: str) -> str | None:
    """Return the unit of a time column, "" if it states none, or None if its name is not that of times."""
    base, unit = split_unit(name.rpartition(".")[2])
    word = base.lower().replace(" ", "_")
    if word in _TIME_WORDS and len(word) > 2:
        return unit or _TIME_WORDS[word]
    stem, _, ending = word.rpartition("_")
    if stem and _seconds(ending) is not None:
        word, unit = stem, unit or ending
    if _TIME.fullmatch(word) is None:
        return None
    return unit or ("s" if word == "x_value" else "")


def has_time_unit(name: str) -> bool:
    """Tell whether a name ends in a unit of time: "Dauer (s)"."""
    return _seconds(split_unit(name)[1] or "") is not None


def channel_names(name: str, width: int) -> list[str]:
    """Return the names of a table's columns: NAME_x, NAME_y and NAME_z of three, else NAME_0, NAME_1, ..."""
    endings = AXES if width == len(AXES) else [str(index) for index in range(width)]
    return [f"{name}_{ending}" for ending in endings]


def is_signal(name: str) -> bool:
    """Tell a measured channel from a time stamp, a counter or a label."""
    base = split_unit(name)[0].lower().replace(" ", "").replace("_", "")
    return time_unit(name) is None and base not in _COUNTERS | _LABELS


def check_width(path: Path, names: Sequence[str]) -> None:
    """Check that somebody can look at so many channels.

    Raises:
        RecordingError: If there are more than 32.
    """
    if len(names) > MAX_CHANNELS:
        listed = f"{', '.join(names[:3])} ... {names[-1]}"
        raise RecordingError(f"holds {len(names)} channels, {listed}; choose with --columns", path=path)


def find_columns(path: Path, names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return the position of each wanted column: by its exact name, else by its name without the unit.

    Raises:
        RecordingError: If a column is not there, or more than one fits.
    """
    return [_find(path, names, name) for name in wanted]


def _find(path: Path, names: Sequence[str], wanted: str) -> int:
    fitting = next((found for found in _fits(names, wanted.strip()) if found), [])
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        message = f"more than one column fits; name one of: {', '.join(names[index] for index in fitting)}"
        raise RecordingError(message, path=path, column=wanted)
    raise RecordingError(
        f"not found{question(wanted, names)} (there are: {', '.join(names)})", path=path, column=wanted
    )


def _fits(names: Sequence[str], wanted: str) -> Iterator[list[int]]:
    """Yield the columns of exactly that name, of that name beside a unit, and of another unit of its kind."""
    base, unit = split_unit(wanted)
    split = [split_unit(name) for name in names]
    yield [index for index, name in enumerate(names) if name == wanted]
    yield [index for index, (other, _) in enumerate(split) if other == wanted]
    yield [index for index, (other, its) in enumerate(split) if other == base and _alike(unit, its)]


def _alike(one: str | None, other: str | None) -> bool:
    """Tell whether values of one unit can be had from a column of another."""
    if one is None or other is None or one == other:
        return True
    return g_per(one) is not None and g_per(other) is not None
