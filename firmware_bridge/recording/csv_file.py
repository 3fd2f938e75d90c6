"""CSV recordings, as people and loggers write them."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from firmware_bridge.arrays import Array, TimeArray
from firmware_bridge.errors import RecordingError
from firmware_bridge.recording.columns import find_columns, is_signal, time_scale, time_unit
from firmware_bridge.recording.model import Recording, Segment, find_unusable
from firmware_bridge.recording.sample_store import SampleStore
from firmware_bridge.recording.time_axis import Timing, check_rate, first_step_back, timing

_SEPARATORS = ",;\t"
_BLOCK_ROWS = 16_384
_Line = tuple[int, list[str]]


@dataclass(frozen=True)
class _Table:
    """Some rows as text, with the line of the file that each came from."""

    path: Path
    names: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]
    notes: list[str]


def load_csv(path: Path, columns: tuple[str, ...] | None, rate_hz: float | None) -> Recording:
    """Read a CSV file, some rows at a time; see ``load_recording``."""
    blocks = _blocks(path)
    first = next(blocks)
    wanted, notes = _choose(first, columns)
    store, times = SampleStore(path, len(wanted)), _TimeColumn.of(first)
    for block in itertools.chain((first,), blocks):
        store.append(np.column_stack([_numbers(block, index) for index in wanted]))
        if times is not None:
            times.append(block)
    samples = store.finish()
    if times is None:
        told = Timing(check_rate(path, rate_hz, None, ""), (Segment(0, len(samples)),), ())
    else:
        told = times.told(rate_hz)
    return Recording(
        path=path,
        columns=tuple(first.names[index] for index in wanted),
        samples=samples,
        rate_hz=told.rate_hz,
        segments=told.segments,
        notes=(*first.notes, *notes, *told.notes),
    )


def _blocks(path: Path) -> Iterator[_Table]:
    """Return the rows in blocks, the first of which there is in any case."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            separator = _separator(file.readline())
            file.seek(0)
            reader = csv.reader(file, delimiter=separator, strict=True)
            numbered = ((reader.line_num, row) for row in reader if row)
            head, begun = _head(path, numbered)
            while True:
                block = [*begun, *itertools.islice(numbered, _BLOCK_ROWS - len(begun))]
                if not block:
                    return
                yield _block(head, block)
                begun = []
    except UnicodeDecodeError as error:
        raise RecordingError("is not UTF-8 text; save it as UTF-8", path=path) from error
    except csv.Error as error:
        raise RecordingError(f"is not CSV: {error}", path=path) from error


def _separator(first_line: str) -> str:
    return max(_SEPARATORS, key=first_line.count)


def _head(path: Path, numbered: Iterator[_Line]) -> tuple[_Table, list[_Line]]:
    """Return the table without rows, and the first row."""
    line, first = next(numbered, (0, None))
    if first is None:
        raise RecordingError("is empty", path=path)
    if all(_is_number(cell) for cell in first):
        names = tuple(f"column{index}" for index in range(1, len(first) + 1))
        note = f"no header; the columns are named {names[0]} to {names[-1]}"
        return _Table(path, names, [], [], [note]), [(line, first)]
    names = tuple(cell.strip() for cell in first)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RecordingError("this name occurs twice; rename one", path=path, row=line, column=twice)
    begun = list(itertools.islice(numbered, 1))
    if not begun:
        raise RecordingError("has a header but no rows", path=path)
    return _Table(path, names, [], [], []), begun


def _block(head: _Table, numbered: Sequence[_Line]) -> _Table:
    width = len(head.names)
    for line, row in numbered:
        if len(row) != width:
            fault = "too few" if len(row) < width else "too many"
            message = f"{fault} cells: {len(row)} instead of {width}"
            raise RecordingError(message, path=head.path, row=line)
    return replace(head, rows=[row for _, row in numbered], lines=[line for line, _ in numbered])


def _choose(table: _Table, columns: tuple[str, ...] | None) -> tuple[Sequence[int], list[str]]:
    if columns is not None:
        return find_columns(table.path, table.names, columns), []
    wanted = [index for index, name in enumerate(table.names) if is_signal(name)]
    if not wanted:
        message = f"only times, counters and labels (there are: {', '.join(table.names)}); name the columns"
        raise RecordingError(message, path=table.path)
    left_out = [name for name in table.names if not is_signal(name)]
    return wanted, [f"left out: {', '.join(left_out)}"] if left_out else []


def _numbers(table: _Table, index: int) -> Array:
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


@dataclass(kw_only=True)
class _TimeColumn:
    """The first column of times, as far as it is read."""

    table: _Table
    index: int
    store: SampleStore
    scale: float | None
    """Seconds per unit; None for dates."""
    notes: tuple[str, ...]
    begin: datetime | None = None
    last_s: float = -math.inf

    @classmethod
    def of(cls, table: _Table) -> _TimeColumn | None:
        """Return the column, or None if there is none."""
        index = next((index for index, name in enumerate(table.names) if time_unit(name) is not None), None)
        if index is None:
            return None
        store = SampleStore(table.path, 1, np.float64)
        if not _is_number(table.rows[0][index]):
            return cls(table=table, index=index, store=store, scale=None, notes=())
        scale, notes = time_scale(table.path, table.names[index])
        return cls(table=table, index=index, store=store, scale=scale, notes=notes)

    def append(self, block: _Table) -> None:
        """Read the times of more rows."""
        times_s = self._dates(block) if self.scale is None else _numbers(block, self.index) * self.scale
        row = first_step_back(np.concatenate(([self.last_s], times_s)))
        if row is not None:
            message = "time runs backwards here; split the file or sort its rows"
            name = block.names[self.index]
            raise RecordingError(message, path=block.path, row=block.lines[row - 1], column=name)
        self.last_s = float(times_s[-1])
        self.store.append(times_s[:, np.newaxis])

    def told(self, given_hz: float | None) -> Timing:
        """Return what all times tell."""
        times_s = self.store.finish()[:, 0]
        told = timing(self.table.path, times_s, given_hz, self.table.names[self.index])
        return replace(told, notes=self.notes + told.notes)

    def _dates(self, block: _Table) -> TimeArray:
        """Return seconds since the first row; without a zone they are UTC, so that none is skipped."""
        seconds = []
        for line, row in zip(block.lines, block.rows, strict=True):
            try:
                date = datetime.fromisoformat(row[self.index].strip())
            except ValueError:
                message = f"'{row[self.index].strip()}' is neither a number nor an ISO 8601 date and time"
                name = block.names[self.index]
                raise RecordingError(message, path=block.path, row=line, column=name) from None
            date = date if date.tzinfo else date.replace(tzinfo=UTC)
            self.begin = self.begin or date
            seconds.append((date - self.begin).total_seconds())
        return np.array(seconds)
