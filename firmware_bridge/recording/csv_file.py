"""CSV recordings, as people and loggers write them."""

from __future__ import annotations

import codecs
import csv
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from firmware_bridge.arrays import Array
from firmware_bridge.errors import RecordingError
from firmware_bridge.recording.columns import find_columns
from firmware_bridge.recording.csv_layout import Layout, Row, find_layout, is_value
from firmware_bridge.recording.csv_times import DateColumns, NumberColumn, find_dates
from firmware_bridge.recording.model import Recording, Segment, find_unusable
from firmware_bridge.recording.roles import Roles, roles
from firmware_bridge.recording.sample_store import SampleStore
from firmware_bridge.recording.time_axis import Timing, check_rate

_BLOCK_ROWS = 16_384


@dataclass(frozen=True)
class Block:
    """Some rows as text, with the line of the file that each came from."""

    path: Path
    layout: Layout
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]

    def cells(self, index: int) -> list[str]:
        """Return a column as text."""
        return [row[index] for row in self.rows]

    def numbers(self, index: int) -> Array:
        """Return a column.

        Raises:
            RecordingError: If a cell is no number, or too large; it names the line.
        """
        values = self.readable(index)
        bad = find_unusable(values)
        if bad.size:
            raise self._error(int(bad[0]), index)
        return values

    def readable(self, index: int) -> Array:
        """Return a column, not a number where a cell is none."""
        cells = self.cells(index)
        if self.layout.decimal_comma:
            cells = [cell.replace(",", ".") for cell in cells]
        try:
            return np.array([float(cell) for cell in cells])
        except ValueError:
            return np.array([_number_or_nan(cell) for cell in cells])

    def _error(self, row: int, index: int) -> RecordingError:
        cell = self.rows[row][index].strip()
        if not cell:
            fault = "the value is missing; fill it or cut the row out"
        elif not math.isnan(_number_or_nan(cell)) or cell.lower().lstrip("+-") == "nan":
            fault = f"'{cell}' is not finite or too large; fill it or cut the row out"
        else:
            hint = "; write a decimal point" if not math.isnan(_number_or_nan(cell.replace(",", "."))) else ""
            fault = f"'{cell}' is not a number{hint}"
        return RecordingError(fault, path=self.path, row=self.lines[row], column=self.layout.names[index])


def load_csv(path: Path, columns: tuple[str, ...] | None, rate_hz: float | None) -> Recording:
    """Read a CSV file, some rows at a time; see ``load_recording``."""
    try:
        return _load(path, columns, rate_hz)
    except UnicodeError as error:
        raise RecordingError("is not UTF-8 text; save it as UTF-8", path=path) from error
    except csv.Error as error:
        raise RecordingError(f"is not CSV: {error}", path=path) from error


def _load(path: Path, columns: tuple[str, ...] | None, rate_hz: float | None) -> Recording:
    encoding = _encoding(path)
    layout = find_layout(path, encoding)
    blocks = _Blocks(path, layout, encoding)
    pieces = iter(blocks)
    first = next(pieces, None)
    if first is None:
        raise RecordingError("has a header but no rows", path=path)
    found, dates, notes = _roles(first)
    wanted = _choose(first, columns, found)
    store, times = SampleStore(path, len(wanted)), _times(first, found, dates)
    for block in itertools.chain((first,), pieces):
        store.append(np.column_stack([block.numbers(index) for index in wanted]))
        if times is not None:
            times.append(block)
    samples = store.finish()
    if times is None:
        found_timing = Timing(check_rate(path, rate_hz, None, ""), (Segment(0, len(samples)),), ())
    else:
        found_timing = times.timing(rate_hz)
    return Recording(
        path=path,
        columns=tuple(layout.names[index] for index in wanted),
        samples=samples,
        rate_hz=found_timing.rate_hz,
        segments=found_timing.segments,
        notes=(*layout.notes, *(notes if columns is None else ()), *found_timing.notes, *blocks.notes),
        rate_guessed=found_timing.guessed,
    )


def _encoding(path: Path) -> str:
    """Return the encoding by the byte order mark, which spreadsheets write."""
    with path.open("rb") as file:
        begin = file.read(2)
    return "utf-16" if begin in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


@dataclass
class _Blocks:
    """The rows of a file in blocks."""

    path: Path
    layout: Layout
    encoding: str
    notes: list[str] = field(default_factory=list)
    """What was found on the way."""

    def __iter__(self) -> Iterator[Block]:
        with self.path.open(encoding=self.encoding, newline="") as file:
            rows = self._whole(self._rows(line.replace("\0", "") for line in file))
            while block := list(itertools.islice(rows, _BLOCK_ROWS)):
                yield Block(self.path, self.layout, [row for _, row in block], [line for line, _ in block])

    def _rows(self, lines: Iterator[str]) -> Iterator[Row]:
        """Yield the rows of numbers."""
        separator = self.layout.separator
        # A column of decimal commas is one cell a line.
        reader = csv.reader(lines, delimiter="\x1f" if separator == "\n" else separator, strict=True)
        for row in reader:
            filled = len(row) > 1 or any(cell.strip() for cell in row)
            if filled and reader.line_num >= self.layout.first_line and not self.layout.is_comment(row):
                yield reader.line_num, row

    def _whole(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Yield the rows, each as wide as the names; a last one that was cut short is left out."""
        width = len(self.layout.names)
        before: Row | None = None
        for line, row in rows:
            if before is not None:
                yield self._checked(before)
            before = line, row[:width] if not any(cell.strip() for cell in row[width:]) else row
        if before is None:
            return
        if len(before[1]) >= width:
            yield self._checked(before)
        else:
            self.notes.append(f"line {before[0]}, the last one, is cut short; it is left out")

    def _checked(self, row: Row) -> Row:
        width, found = len(self.layout.names), len(row[1])
        if found != width:
            message = f"{'too few' if found < width else 'too many'} cells: {found} instead of {width}"
            raise RecordingError(message, path=self.path, row=row[0])
        return row


def _roles(first: Block) -> tuple[Roles, tuple[int, ...], list[str]]:
    """Return what the columns are, those that hold dates, and what is left out."""
    names = first.layout.names
    dates = find_dates(first)
    values = {name: first.readable(index) for index, name in enumerate(names)}
    texts = {name for index, name in enumerate(names) if index not in dates and _is_text(first, index)}
    found = roles(
        {name: value for name, value in values.items() if name not in texts}, [names[i] for i in dates]
    )
    left_out = [name for name in names if name not in found.channels]
    notes = [f"left out: {', '.join(left_out)}"] if left_out else []
    return found, dates, [*notes, *found.notes]


def _is_text(first: Block, index: int) -> bool:
    """Tell whether a column has nothing but words; one row alone does not tell."""
    if len(first.rows) < 2 or not np.isnan(first.readable(index)).all():
        return False
    cells = [cell.strip() for cell in first.cells(index)]
    return all(cell and not is_value(cell, decimal_comma=True) for cell in cells)


def _choose(first: Block, columns: tuple[str, ...] | None, found: Roles) -> Sequence[int]:
    names = first.layout.names
    if columns is not None:
        return find_columns(first.path, names, columns)
    if not found.channels:
        message = f"only times, counters and labels (there are: {', '.join(names)}); name the columns"
        raise RecordingError(message, path=first.path)
    return [names.index(name) for name in found.channels]


def _times(first: Block, found: Roles, dates: tuple[int, ...]) -> NumberColumn | DateColumns | None:
    if found.time is None:
        return None
    index = first.layout.names.index(found.time)
    numeric = not math.isnan(float(first.readable(index)[0]))
    return NumberColumn(first, index) if numeric else DateColumns(first, dates or (index,))


def _number_or_nan(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
