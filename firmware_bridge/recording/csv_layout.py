"""How a CSV file is laid out: separator, decimal sign, where the names stand and where the numbers begin."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording.columns import is_unit, split_unit
from firmware_bridge.recording.dates import form

_LOOKED_AT = 400
"""Lines: more than any block of headers has."""
_SEPARATORS = ";\t,|"
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d*,\d+(?:[eE][-+]?\d+)?\s*")
_COMMENTS = ("#", "%", "//", ";")

Row = tuple[int, list[str]]
"""Line of the file, counted from 1, and its cells."""


@dataclass(frozen=True)
class Layout:
    """How a CSV file is laid out."""

    names: tuple[str, ...]
    first_line: int
    """Of the numbers."""
    separator: str
    decimal_comma: bool
    notes: tuple[str, ...]

    def is_comment(self, row: Sequence[str]) -> bool:
        """Tell whether a row is none of numbers."""
        return _is_comment(row, self.separator)


def find_layout(path: Path, encoding: str) -> Layout:
    """Return how a file is laid out, from its first lines.

    Raises:
        RecordingError: If it is empty, has no rows, or names and numbers do not go together.
    """
    with path.open(encoding=encoding, newline="") as file:
        lines = [line.replace("\0", "") for line in itertools.islice(file, _LOOKED_AT)]
    told = lines[0].strip().lower() if lines else ""
    separator = told[4:5] or "\t" if told.startswith("sep=") else _separator(lines)
    reader = csv.reader(lines, delimiter=separator, strict=len(lines) < _LOOKED_AT)
    rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    if told.startswith("sep="):
        del rows[0]
    comments = [(line, row) for line, row in rows if _is_comment(row, separator)]
    rows = [(line, row) for line, row in rows if not _is_comment(row, separator)]
    if not rows:
        raise RecordingError("is empty", path=path)
    comma = _has_decimal_commas(rows, separator)
    if comma and separator == "," and not any("," in cell for _, row in rows for cell in row):
        separator, rows, comments = "\n", _joined(rows), _joined(comments)
    return _named(path, rows, comments, separator, comma)


def _joined(rows: Sequence[Row]) -> list[Row]:
    return [(line, [",".join(row)]) for line, row in rows]


def _separator(lines: Sequence[str]) -> str:
    """Return the separator of the last lines, which are numbers whatever stands before them."""
    filled = [line for line in lines if line.strip()]
    later = filled[len(filled) // 2 :]
    counts = {mark: sum(mark in line for line in later) for mark in _SEPARATORS}
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] else ","


def _is_comment(row: Sequence[str], separator: str) -> bool:
    return bool(row) and row[0].lstrip().startswith(tuple(mark for mark in _COMMENTS if mark != separator))


def _has_decimal_commas(rows: Sequence[Row], separator: str) -> bool:
    cells = [cell for _, row in rows for cell in row]
    if any(_is_float(cell) and "." in cell for cell in cells):
        return False
    return any(_DECIMAL_COMMA.fullmatch(cell) for cell in cells) or (
        separator == "," and _is_one_column(rows)
    )


def _is_one_column(rows: Sequence[Row]) -> bool:
    """Tell whether what follows the comma of two cells is a fraction: digits, with a leading zero."""
    numbers = [row for _, row in rows if all(_is_float(cell) for cell in row)]
    heads = [row for _, row in rows if not any(_is_float(cell) for cell in row)]
    if not numbers or any(len(row) != 2 or not row[1].isdigit() for row in numbers):
        return False
    if heads:
        return len(heads[-1]) == 1
    return any(len(row[1]) > 1 and row[1].startswith("0") for row in numbers)


def _is_float(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def is_value(cell: str, decimal_comma: bool) -> bool:
    """Tell whether a cell holds a number or a date."""
    return _is_float(cell.replace(",", ".") if decimal_comma else cell) or bool(form(cell))


def _named(path: Path, rows: Sequence[Row], comments: Sequence[Row], separator: str, comma: bool) -> Layout:
    """Find names and first numbers."""
    begin = _begin(rows, comma)
    heads, numbers = rows[:begin], rows[begin:]
    if not numbers:
        raise RecordingError("has a header but no rows", path=path)
    width = len(numbers[0][1])
    empty = all(not row[-1].strip() for _, row in numbers if len(row) == width)
    widths = (width, width - 1) if empty else (width,)
    fitting = [(line, row) for line, row in heads if len(row) in widths]
    written = [
        (line, _uncommented(row)) for line, row in comments if len(row) == width and line < numbers[0][0]
    ]
    if not heads and written and not all(is_value(cell, comma) for cell in written[-1][1]):
        fitting = written[-1:]
    if heads and not fitting and len(heads[-1][1]) > 1 - (begin == 1):
        message = (
            f"has {len(heads[-1][1])} names, and {width} numbers in line {numbers[0][0]}; make them as many"
        )
        raise RecordingError(message, path=path, row=heads[-1][0])
    names, above = _names(fitting, width)
    notes = () if fitting else (f"no header; the columns are named {names[0]} to {names[-1]}",)
    first_head = fitting[-1 - above][0] if fitting else numbers[0][0]
    if skipped := [line for line, _ in heads if line < first_head]:
        notes = (*notes, f"left out: {len(skipped)} lines before line {first_head}, as a header block")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RecordingError("this name occurs twice; rename one", path=path, row=first_head, column=twice)
    return Layout(names, numbers[0][0], separator, comma, notes)


def _begin(rows: Sequence[Row], comma: bool) -> int:
    """Return the number of the first row that is like those further down."""
    later = rows[len(rows) // 2 :]
    widths = Counter(len(row) for _, row in later)
    everywhere = Counter(len(row) for _, row in rows)
    width = max(widths, key=lambda width: (widths[width], everywhere[width]))
    like = [row for _, row in later if len(row) == width]
    numeric = [2 * sum(is_value(row[index], comma) for row in like) >= len(like) for index in range(width)]
    if not any(numeric):
        return 1
    shares = [_share(row, numeric, comma) if len(row) == width else None for _, row in rows]
    first = next((number for number, share in enumerate(shares) if share == 1), len(rows))
    # A block of headers may have numbers, too; the row of names, below it, has none.
    names = max((number for number, share in enumerate(shares[:first]) if share == 0), default=-1)
    return next((number for number, share in enumerate(shares) if number > names and share), 1)


def _share(row: Sequence[str], numeric: Sequence[bool], comma: bool) -> float:
    """Return the share of values in the columns that hold numbers further down; blank cells may be values."""
    cells = list(itertools.compress(row, numeric))
    values = sum(is_value(cell, comma) for cell in cells)
    return (values + (values > 0) * sum(not cell.strip() for cell in cells)) / len(cells)


def _uncommented(row: Sequence[str]) -> list[str]:
    return [row[0].lstrip("#%/; "), *row[1:]]


def _names(heads: Sequence[Row], width: int) -> tuple[tuple[str, ...], int]:
    """Return the names, with the units of a row below them, and how many rows the units take."""
    if not heads:
        return tuple(f"column{index}" for index in range(1, width + 1)), 0
    last = [cell.strip() for cell in heads[-1][1]]
    filled = [cell for cell in last if cell]
    units = len(heads) > 1 and bool(filled) and 2 * sum(map(is_unit, filled)) >= len(filled)
    if not units:
        return tuple(last), 0
    names = [cell.strip() for cell in heads[-2][1]]
    joined = [_joined_name(name, unit.strip("()[] ")) for name, unit in zip(names, last, strict=False)]
    return tuple(joined), 1


def _joined_name(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit and split_unit(name)[1] is None else name
