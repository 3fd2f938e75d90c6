"""CSV recordings, as people and loggers write them."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording.columns import find_columns, is_signal, time_scale, time_unit
from firmware_bridge.recording.model import Recording, Segment, find_unusable
from firmware_bridge.recording.time_axis import Timing, check_rate, first_step_back, timing

_SEPARATORS = ",;\t"


@dataclass(frozen=True)
class _Table:
    """Cells as text, with the line of the file that each row came from."""

    path: Path
    names: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]
    notes: list[str]


def load_csv(path: Path, columns: tuple[str, ...] | None, rate_hz: float | None) -> Recording:
    """Read a CSV file; see ``load_recording``."""
    table = _read(path)
    wanted, notes = _choose(table, columns)
    samples = np.column_stack([_numbers(table, index).astype(np.float32) for index in wanted])
    told = _time(table, rate_hz)
    return Recording(
        path=path,
        columns=tuple(table.names[index] for index in wanted),
        samples=samples,
        rate_hz=told.rate_hz,
        segments=told.segments,
        notes=(*table.notes, *notes, *told.notes),
    )


def _read(path: Path) -> _Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            separator = _separator(file.readline())
            file.seek(0)
            reader = csv.reader(file, delimiter=separator, strict=True)
            numbered = [(reader.line_num, row) for row in reader if row]
    except UnicodeDecodeError as error:
        raise RecordingError("is not UTF-8 text; save it as UTF-8", path=path) from error
    except csv.Error as error:
        raise RecordingError(f"is not CSV: {error}", path=path) from error
    if not numbered:
        raise RecordingError("is empty", path=path)
    return _table(path, numbered)


def _separator(first_line: str) -> str:
    return max(_SEPARATORS, key=first_line.count)


def _table(path: Path, numbered: list[tuple[int, list[str]]]) -> _Table:
    first = numbered[0][1]
    notes = []
    if all(_is_number(cell) for cell in first):
        names = tuple(f"column{index}" for index in range(1, len(first) + 1))
        notes.append(f"no header; the columns are named {names[0]} to {names[-1]}")
        start = 0
    else:
        names = tuple(cell.strip() for cell in first)
        start = 1
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RecordingError(
            "this name occurs twice; rename one", path=path, row=numbered[0][0], column=twice
        )
    if len(numbered) == start:
        raise RecordingError("has a header but no rows", path=path)
    lines = [line for line, _ in numbered[start:]]
    table = _Table(path, names, [row for _, row in numbered[start:]], lines, notes)
    _check_width(table)
    return table


def _check_width(table: _Table) -> None:
    width = len(table.names)
    for line, row in zip(table.lines, table.rows, strict=True):
        if len(row) != width:
            fault = "too few" if len(row) < width else "too many"
            message = f"{fault} cells: {len(row)} instead of {width}"
            raise RecordingError(message, path=table.path, row=line)


def _choose(table: _Table, columns: tuple[str, ...] | None) -> tuple[Sequence[int], list[str]]:
    if columns is not None:
        return find_columns(table.path, table.names, columns), []
    wanted = [index for index, name in enumerate(table.names) if is_signal(name)]
    if not wanted:
        message = f"only times, counters and labels (there are: {', '.join(table.names)}); name the columns"
        raise RecordingError(message, path=table.path)
    left_out = [name for name in table.names if not is_signal(name)]
    return wanted, [f"left out: {', '.join(left_out)}"] if left_out else []


def _numbers(table: _Table, index: int) -> npt.NDArray[np.float64]:
    try:
        values = np.array([float(row[index]) for row in table.rows])
    except ValueError:
        values = np.array([_number_or_nan(row[index]) for row in table.rows])
    bad = find_unusable(values)
    if bad.size:
        raise _cell_error(table, int(bad[0]), index)
    return values


def _cell_error(table: _Table, row: int, index: int) -> RecordingError:
    cell = table.rows[row][index].strip()
    if not cell:
        fault = "the value is missing; fill it or cut the row out"
    elif _is_number(cell):
        fault = f"'{cell}' is not finite or too large; fill it or cut the row out"
    else:
        hint = "; write a decimal point" if _is_number(cell.replace(",", ".")) else ""
        fault = f"'{cell}' is not a number{hint}"
    return RecordingError(fault, path=table.path, row=table.lines[row], column=table.names[index])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number_or_nan(cell: str) -> float:
    return float(cell) if _is_number(cell) else math.nan


def _time(table: _Table, given_hz: float | None) -> Timing:
    """Return what the first time column tells."""
    found = [index for index, name in enumerate(table.names) if time_unit(name) is not None]
    if not found:
        whole = (Segment(0, len(table.rows)),)
        return Timing(check_rate(table.path, given_hz, None, ""), whole, ())
    times_s, notes = _times(table, found[0])
    _check_order(table, times_s, found[0])
    told = timing(table.path, times_s, given_hz, table.names[found[0]])
    return replace(told, notes=notes + told.notes)


def _times(table: _Table, index: int) -> tuple[npt.NDArray[np.float64], tuple[str, ...]]:
    if not _is_number(table.rows[0][index]):
        return _dates(table, index), ()
    scale, notes = time_scale(table.path, table.names[index])
    return _numbers(table, index) * scale, notes


def _dates(table: _Table, index: int) -> npt.NDArray[np.float64]:
    """Return seconds since the first row; times without a zone are taken as UTC, so that none is skipped."""
    dates = []
    for line, row in zip(table.lines, table.rows, strict=True):
        try:
            date = datetime.fromisoformat(row[index].strip())
        except ValueError:
            message = f"'{row[index].strip()}' is neither a number nor an ISO 8601 date and time"
            name = table.names[index]
            raise RecordingError(message, path=table.path, row=line, column=name) from None
        dates.append(date if date.tzinfo else date.replace(tzinfo=UTC))
    return np.array([(date - dates[0]).total_seconds() for date in dates])


def _check_order(table: _Table, times_s: npt.NDArray[np.float64], index: int) -> None:
    row = first_step_back(times_s)
    if row is not None:
        message = "time runs backwards here; split the file or sort its rows"
        raise RecordingError(message, path=table.path, row=table.lines[row], column=table.names[index])
