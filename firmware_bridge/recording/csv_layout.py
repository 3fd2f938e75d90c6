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
    separator, rows = _read(path, encoding)
    comments, rows = _parted(rows, separator)
    if not rows:
        raise RecordingError("is empty", path=path)
    comma = _has_decimal_commas(rows, separator)
    if comma and separator == "," and not _any_cell_has_a_comma(rows):
        separator, rows, comments = "\n", _joined(rows), _joined(comments)
    return _named(path, rows, comments, separator, comma)


def _read(path: Path, encoding: str) -> tuple[str, list[Row]]:
    """Return the separator, and the first rows that are not blank."""
    with path.open(encoding=encoding, newline="") as file:
        lines = [line.replace("\0", "") for line in itertools.islice(file, _LOOKED_AT)]
    first = lines[0].strip().lower() if lines else ""
    stated = first.startswith("sep=")
    separator = first[4:5] or "\t" if stated else _separator(lines)
    reader = csv.reader(lines, delimiter=separator, strict=len(lines) < _LOOKED_AT)
    rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    return separator, rows[1:] if stated else rows


def _parted(rows: Sequence[Row], separator: str) -> tuple[list[Row], list[Row]]:
    """Return the comments, and the other rows."""
    comments = [row for row in rows if _is_comment(row[1], separator)]
    return comments, [row for row in rows if not _is_comment(row[1], separator)]


def _any_cell_has_a_comma(rows: Sequence[Row]) -> bool:
    return any("," in cell for _, row in rows for cell in row)


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
    numbers = [row for _, row in rows if all(map(_is_float, row))]
    heads = [row for _, row in rows if not any(map(_is_float, row))]
    pairs = [row[1] for row in numbers if len(row) == 2 and row[1].isdigit()]
    if not numbers or len(pairs) < len(numbers):
        return False
    return len(heads[-1]) == 1 if heads else any(re.fullmatch("0.+", pair) for pair in pairs)


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
    heads, skipped_above = _heads(path, heads, numbers, comments, comma)
    names, above = _names(heads, len(numbers[0][1]))
    first_head = heads[-1 - above][0] if heads else numbers[0][0]
    notes: tuple[str, ...] = ()
    if not heads:
        notes = (f"no header; the columns are named {names[0]} to {names[-1]}",)
    if skipped := sum(line < first_head for line in skipped_above):
        notes = (*notes, f"left out: {skipped} lines before line {first_head}, as a header block")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RecordingError("this name occurs twice; rename one", path=path, row=first_head, column=twice)
    return Layout(names, numbers[0][0], separator, comma, notes)


def _heads(
    path: Path, heads: Sequence[Row], numbers: Sequence[Row], comments: Sequence[Row], comma: bool
) -> tuple[list[Row], list[int]]:
    """Return the rows that may hold names, the nearest to the numbers last, and the lines of all heads.

    Raises:
        RecordingError: If names and numbers do not go together.
    """
    lines = [line for line, _ in heads]
    line, width = numbers[0][0], len(numbers[0][1])
    fitting = [head for head in heads if len(head[1]) in _widths(numbers)]
    if not heads:
        fitting = _commented_names(comments, line, width, comma)
    elif not fitting and len(heads[-1][1]) > 1 - (len(heads) == 1):
        message = f"has {len(heads[-1][1])} names, and {width} numbers in line {line}; make them as many"
        raise RecordingError(message, path=path, row=heads[-1][0])
    return fitting, lines


def _widths(numbers: Sequence[Row]) -> tuple[int, ...]:
    """Return how many names fit: one a number, and one less where each row ends with a separator."""
    width = len(numbers[0][1])
    empty = all(not row[-1].strip() for _, row in numbers if len(row) == width)
    return (width, width - 1) if empty else (width,)


def _commented_names(comments: Sequence[Row], before: int, width: int, comma: bool) -> list[Row]:
    """Return the last comment before a line, if it holds a name for each column."""
    written = [(line, _uncommented(row)) for line, row in comments if len(row) == width and line < before]
    last = written[-1:]
    return [] if all(is_value(cell, comma) for _, row in last for cell in row) else last


def _begin(rows: Sequence[Row], comma: bool) -> int:
    """Return the number of the first row that is like those further down."""
    width, numeric = _usual(rows, comma)
    if not any(numeric):
        return 1
    shares = [_share(row, numeric, comma) if len(row) == width else None for _, row in rows]
    first = next((number for number, share in enumerate(shares) if share == 1), len(rows))
    # A block of headers may have numbers, too; the row of names, below it, has none.
    names = max((number for number, share in enumerate(shares[:first]) if share == 0), default=-1)
    return next((number for number, share in enumerate(shares) if number > names and share), 1)


def _usual(rows: Sequence[Row], comma: bool) -> tuple[int, list[bool]]:
    """Return how wide the rows further down are, and which of their columns hold values."""
    later = rows[len(rows) // 2 :]
    widths = Counter(len(row) for _, row in later)
    everywhere = Counter(len(row) for _, row in rows)
    width = max(widths, key=lambda width: (widths[width], everywhere[width]))
    like = [row for _, row in later if len(row) == width]
    return width, [2 * sum(is_value(row[i], comma) for row in like) >= len(like) for i in range(width)]


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
