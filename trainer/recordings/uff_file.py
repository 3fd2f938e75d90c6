"""Universal File Format: the time responses of data sets 58, as text or binary (58b).

Source: University of Cincinnati, Structural Dynamics Research Laboratory, "Universal File Formats", data set
58 and its binary variant. The tests read what pyuff writes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording.columns import SECONDS_PER_UNIT
from trainer.recordings.contents import Array, Contents, TimeArray

_BORDER = "-1"
_BORDER_LINE = re.compile(rb"    -1[ \r]*(?:\n|$)")
_HEADER_LINES = 11
_TIME_FUNCTIONS = (0, 1)
"""Function types: general or unknown, time response."""
_TIME_AXIS = (0, 17)
"""Data types of the abscissa: unknown, time."""
_FUNCTIONS = {
    2: "auto-spectrum",
    3: "cross-spectrum",
    4: "frequency response",
    6: "coherence",
    12: "spectrum",
}
_SINGLE, _DOUBLE = 2, 4
_COMPLEX = (5, 6)
_EVEN = 1
_BYTE_ORDERS = {1: "<", 2: ">"}
_IEEE_754 = 2
_AXES = {0: "", 1: "_x", 2: "_y", 3: "_z", 4: "_rx", 5: "_ry", 6: "_rz"}
_NOTHING = ("", "NONE")

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Lines:
    """A file as bytes, read line by line and, where a data set is binary, byte by byte."""

    path: Path
    content: bytes

    def line(self, at: int) -> tuple[str, int]:
        """Return the line at a place without its end, and where the next one begins."""
        end = self.content.find(b"\n", at)
        end = len(self.content) if end < 0 else end
        return self.content[at:end].decode("latin-1").rstrip(), end + 1


@dataclass(frozen=True, kw_only=True)
class _Header:
    """What a data set 58 says of itself."""

    name: str
    title: str
    function: int
    data_type: int
    points: int
    even: bool
    step_s: float
    time_scale: float
    """Seconds of one unit of the abscissa."""
    time_axis: bool


@dataclass(frozen=True)
class _Data:
    """What follows the header of a data set."""

    content: bytes
    byte_order: str | None
    """Of binary numbers, as NumPy writes it; None for text."""
    first_row: int
    """Line of the file where it begins."""


@dataclass(frozen=True)
class _Response:
    """A time response: samples at even steps in seconds, or with a time each."""

    name: str
    title: str
    values: Numbers
    step_s: float | None
    """None if the times are given one by one."""
    times_s: TimeArray | None


def read_uff(path: Path) -> Contents:
    """Return what a UFF file holds.

    Raises:
        RecordingError: If it is no UFF file, or damaged; it names the data set.
    """
    responses: dict[str, _Response] = {}
    others: dict[str, str] = {}
    for number, (header, data) in enumerate(_sets(path), 1):
        name = header.name if header.name not in {*responses, *others} else f"{header.name}_{number}"
        if header.function not in _TIME_FUNCTIONS or not header.time_axis or header.data_type in _COMPLEX:
            others[name] = _FUNCTIONS.get(header.function, "no time response")
        else:
            responses[name] = _response(path, name, header, data)
    if not responses and not others:
        raise RecordingError("holds no data set 58; export time responses as UFF58", path=path)
    return _together(responses, others)


def _together(responses: dict[str, _Response], others: dict[str, str]) -> Contents:
    """Return the responses that were sampled together with the first one; the others are named in a note."""
    vectors: dict[str, Array] = {}
    times_s: dict[str, TimeArray] = {}
    rate_hz = None
    first = next(iter(responses.values()), None)
    for name, response in responses.items():
        assert first is not None
        if response.step_s != first.step_s:
            others[name] = f"every {response.step_s:g} s" if response.step_s else "sampled unevenly"
        elif not _same(first.times_s, response.times_s):
            others[name] = "sampled at other times"
        else:
            vectors[name] = response.values
    if first is not None:
        # The format gives the step to six digits.
        rate_hz = float(f"{1 / first.step_s:.6g}") if first.step_s else None
        times_s = {"abscissa": first.times_s} if first.times_s is not None else {}
    titles = {response.title: name for name, response in responses.items() if response.title not in _NOTHING}
    return Contents(vectors=vectors, times_s=times_s, others=others, aliases=titles, rate_hz=rate_hz)


def _same(one: TimeArray | None, other: TimeArray | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)


def _sets(path: Path) -> Iterator[tuple[_Header, _Data]]:
    """Yield the header and the data of each data set 58."""
    lines = _Lines(path, path.read_bytes())
    at = 0
    while at < len(lines.content):
        line, at = lines.line(at)
        if line.strip() != _BORDER:
            continue
        kind, at = lines.line(at)
        words = kind.split()
        if words and words[0] in ("58", "58b"):
            header, at = _header(lines, at)
            data, at = _data(lines, kind, at)
            yield header, data
        else:
            at = _end(lines, at)


def _end(lines: _Lines, at: int) -> int:
    """Return where the next data set may begin."""
    while at < len(lines.content):
        line, at = lines.line(at)
        if line.strip() == _BORDER:
            return at
    return at


def _header(lines: _Lines, at: int) -> tuple[_Header, int]:
    records = []
    for _ in range(_HEADER_LINES):
        line, at = lines.line(at)
        records.append(line.ljust(80))
    try:
        return _parsed(records), at
    except ValueError as error:
        row = lines.content[:at].count(b"\n") - _HEADER_LINES + 1
        message = f"the header of this data set 58 is damaged: {error}; export it again"
        raise RecordingError(message, path=lines.path, row=row) from error


def _parsed(records: Sequence[str]) -> _Header:
    origin, form, abscissa, ordinate = (records[index] for index in (5, 6, 7, 8))
    entity, node, direction = origin[31:41].strip(), int(origin[41:51]), int(origin[51:55])
    unit = ordinate[47:67].strip()
    axis = _AXES.get(abs(direction), "").replace("_", "_-" if direction < 0 else "_")
    name = f"{'node' if entity in _NOTHING else entity}{node}{axis}"
    points = int(form[10:20])
    if points < 1:
        raise ValueError(f"{points} points")
    return _Header(
        name=name if unit in _NOTHING else f"{name} ({unit})",
        title=records[0].strip(),
        function=int(origin[:5]),
        data_type=int(form[:10]),
        points=points,
        even=int(form[20:30]) == _EVEN,
        step_s=_number(form[43:56]) * SECONDS_PER_UNIT.get(abscissa[47:67].strip(), 1.0),
        time_scale=SECONDS_PER_UNIT.get(abscissa[47:67].strip(), 1.0),
        time_axis=int(abscissa[:10]) in _TIME_AXIS,
    )


def _number(text: str) -> float:
    """Return a number as Fortran writes it."""
    return float(text.replace("D", "E").replace("d", "e"))


def _data(lines: _Lines, kind: str, at: int) -> tuple[_Data, int]:
    """Return what follows the header of a data set, and where the next one begins."""
    first_row = lines.content[:at].count(b"\n") + 1
    words = kind.split()
    if words[0] == "58":
        border = _BORDER_LINE.search(lines.content, at)
        end = border.start() if border else len(lines.content)
        return _Data(lines.content[at:end], None, first_row), _end(lines, end)
    try:
        order, format_, _, n_bytes = (int(word) for word in words[1:5])
    except ValueError as error:
        message = "this header of binary data is damaged; export it again"
        raise RecordingError(message, path=lines.path, row=first_row - 1 - _HEADER_LINES) from error
    if order not in _BYTE_ORDERS or format_ != _IEEE_754:
        message = "its binary numbers are not IEEE 754; export it as text"
        raise RecordingError(message, path=lines.path, row=first_row - 1 - _HEADER_LINES)
    # Some programs count too few bytes; and numbers may look like a border.
    border = _BORDER_LINE.search(lines.content, at + max(n_bytes, 0))
    end = border.start() if border else len(lines.content)
    return _Data(lines.content[at:end], _BYTE_ORDERS[order], first_row), _end(lines, end)


def _response(path: Path, name: str, header: _Header, data: _Data) -> _Response:
    """Return the numbers of a time response, checked for their count."""
    if header.data_type not in (_SINGLE, _DOUBLE):
        message = f"ordinate type {header.data_type} is neither single (2) nor double (4); export it again"
        raise RecordingError(message, path=path, column=name)
    try:
        numbers = _from_text(header, data) if data.byte_order is None else _from_bytes(header, data)
    except ValueError as error:
        message = f"its numbers, from line {data.first_row} on, cannot be read: {error}; export it again"
        raise RecordingError(message, path=path, column=name) from error
    wanted = header.points * (1 if header.even else 2)
    if len(numbers) < wanted:
        message = f"is cut short: {len(numbers)} of {wanted} numbers are there; copy it again"
        raise RecordingError(message, path=path, column=name)
    numbers = numbers[:wanted]
    if not header.even:
        return _Response(name, header.title, numbers[1::2], None, numbers[::2] * header.time_scale)
    if not header.step_s > 0:
        raise RecordingError(f"its time step is {header.step_s:g} s; export it again", path=path, column=name)
    return _Response(name, header.title, numbers, header.step_s, None)


def _from_text(header: _Header, data: _Data) -> Numbers:
    """Read columns as wide as the format says: 6E13.5, 4E20.12 or 2(E13.5,E20.12)."""
    width = 13 if header.data_type == _SINGLE else 20
    widths = itertools.repeat(width) if header.even else itertools.cycle((13, width))
    return np.array([number for line in data.content.splitlines() for number in _cells(line, widths)])


def _cells(line: bytes, widths: Iterator[int]) -> Iterator[float]:
    text = line.decode("latin-1").rstrip()
    at = 0
    while at < len(text):
        end = at + next(widths)
        yield _number(text[at:end])
        at = end


def _from_bytes(header: _Header, data: _Data) -> Numbers:
    order = data.byte_order
    if not header.even and len(data.content) == header.points * 12:
        # Times in single, values in double precision, as the text format has them.
        table = np.frombuffer(data.content, np.dtype([("time", f"{order}f4"), ("value", f"{order}f8")]))
        return np.column_stack([table["time"], table["value"]]).reshape(-1).astype(np.float64)
    size = 8 if header.data_type == _DOUBLE else 4
    whole = len(data.content) // size * size
    return np.frombuffer(data.content[:whole], f"{order}f{size}").astype(np.float64)
