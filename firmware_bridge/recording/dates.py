"""Dates and times of day as loggers write them: ISO 8601, day first, AM and PM, in one column or in two."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

_DATE = r"(?P<a>\d{1,4})(?P<mark>[-/.])(?P<b>\d{1,2})(?P=mark)(?P<c>\d{1,4})"
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,:](?P<part>\d+))?)?"
_HALF = r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?"
_ZONE = r"(?:\s*(?:Z|UTC|(?P<sign>[-+])(?P<zh>\d{2}):?(?P<zm>\d{2})))?"
_FORM = re.compile(rf"(?:{_DATE})?(?P<between>[T ,]*)(?:{_CLOCK}{_HALF}{_ZONE})?")
_CENTURY = 2000
DAY_S = 86_400.0


def form(cell: str) -> str:
    """Return what a cell holds: "d" for a date, "c" for a time of day, "dc" for both, "" for neither."""
    found = _FORM.fullmatch(cell.strip())
    if found is None:
        return ""
    return ("d" if found["a"] else "") + ("c" if found["hour"] else "")


def is_day_first(cells: Iterable[str]) -> bool:
    """Tell whether 03/04 is the third of April: by days beyond 12; beside AM and PM it is not."""
    half = False
    for found in filter(None, (_FORM.fullmatch(cell.strip()) for cell in cells)):
        if found["a"] and len(found["a"]) <= 2 and int(found["a"]) > 12:
            return True
        if found["b"] and int(found["b"]) > 12:
            return False
        half = half or found["half"] is not None
    return not half


def parse(cell: str, day_first: bool) -> tuple[int, float]:
    """Return the number of the day and the seconds of the day; without a date day 0, without a zone UTC.

    Raises:
        ValueError: If it is no date, or one that does not exist.
    """
    found = _FORM.fullmatch(cell.strip())
    if found is None or not (found["a"] or found["hour"]):
        raise ValueError(cell)
    day = _date(found, day_first).toordinal() if found["a"] else 0
    return day, _clock(found) if found["hour"] else 0.0


def _date(found: re.Match[str], day_first: bool) -> date:
    first, second, third = int(found["a"]), int(found["b"]), int(found["c"])
    if len(found["a"]) == 4:
        return date(first, second, third)
    year = third if len(found["c"]) == 4 else third + _CENTURY
    day, month = (first, second) if day_first or found["mark"] == "." else (second, first)
    return date(year, month, day)


def _clock(found: re.Match[str]) -> float:
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"] or 0)
    if found["half"]:
        hour = hour % 12 + (12 if found["half"] in "pP" else 0)
    if hour > 24 or minute > 59 or second > 60:
        raise ValueError(found.group())
    zone = (int(found["zh"]) * 60 + int(found["zm"])) * 60 if found["sign"] else 0
    whole = (hour * 60 + minute) * 60 + second + (zone if found["sign"] == "-" else -zone)
    return whole + float(f"0.{found['part'] or 0}")
