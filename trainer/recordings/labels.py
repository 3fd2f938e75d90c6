"""What is known about recordings: which rows are healthy, which are not, and which say nothing."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Literal, cast

import numpy as np
import numpy.typing as npt

from trainer.errors import DataError, MethodError
from trainer.recordings.datasets import Source

LabelArray = npt.NDArray[np.int8]

_COLUMNS = {"rows": ("first_row", "last_row"), "seconds": ("first_s", "last_s")}
_SECONDS_PER = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_ASSUMPTION = re.compile(r"(normal|anomaly|ignore):(first|last):(\d{1,9}(?:\.\d+)?)(s|min|h|d)")


class Label(IntEnum):
    """What a row or a window is."""

    IGNORE = -1
    NORMAL = 0
    ANOMALY = 1


@dataclass(frozen=True)
class Stretch:
    """Consecutive rows of a file with one label, both ends included, by number or in seconds."""

    first: float
    last: float
    unit: Literal["rows", "seconds"]
    """Rows from 0, or seconds of recorded time from the first row; gaps take no time."""
    label: Label
    origin: str
    """File and line that say so."""


@dataclass(frozen=True)
class Assumption:
    """What is known of every recording without looking: "the first hour after commissioning is normal"."""

    label: Label
    side: Literal["first", "last"]
    seconds: float
    text: str
    """As it was written."""


Labels = Mapping[str, Sequence[Stretch]]
"""Stretches by file name, without the folder; where two overlap the later one holds."""


@dataclass(frozen=True)
class LabelledSource:
    """A recording and the label of each row, shape (n_samples,)."""

    source: Source
    rows: LabelArray
    """Values of ``Label``, shape (n_samples,)."""


def load_labels(path: Path) -> Labels:
    """Read a CSV file with the columns file, label and first_row, last_row (or first_s, last_s).

    Other columns are left alone.

    Raises:
        DataError: If it cannot be read, a column is missing, or a line makes no sense.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            unit = _unit(path, reader.fieldnames or ())
            found = [(row, f"{path.name}, line {reader.line_num}") for row in reader]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is not CSV: {error}") from error
    if not found:
        raise DataError(f"{path}: holds no labels")
    labels: dict[str, list[Stretch]] = {}
    for row, origin in found:
        labels.setdefault((row["file"] or "").strip(), []).append(_stretch(row, unit, origin))
    return labels


def parse_assumption(text: str) -> Assumption:
    """Return what a text such as ``normal:first:1h`` or ``anomaly:last:10min`` stands for.

    Raises:
        MethodError: If it stands for nothing.
    """
    fitting = _ASSUMPTION.fullmatch(text)
    if fitting is None or not float(fitting[3]) > 0:
        raise MethodError(f"'{text}' is no label in time; write normal:first:1h or anomaly:last:10min")
    side = cast(Literal["first", "last"], fitting[2])
    return Assumption(Label[fitting[1].upper()], side, float(fitting[3]) * _SECONDS_PER[fitting[4]], text)


def label_sources(
    sources: Sequence[Source], labels: Labels, assumptions: Sequence[Assumption], base: Label
) -> list[LabelledSource]:
    """Return the recordings with their labels.

    Args:
        sources: The recordings.
        labels: By file name; they overrule the assumptions. Those of other files are left out.
        assumptions: Hold for each recording.
        base: Of the rows that nothing is said about.

    Raises:
        DataError: If no label is of these files, a file name is not unique, or a label lies outside its file.
    """
    names = [source.name for source in sources]
    if labels and not labels.keys() & set(names):
        raise DataError(
            f"none of the labels is of {', '.join(names)}; they are of {', '.join(sorted(labels))}"
        )
    for name in labels:
        if names.count(name) > 1:
            raise DataError(f"{name}: two recordings have this name, so its labels fit neither; rename one")
    return [LabelledSource(source, _rows(source, labels, assumptions, base)) for source in sources]


def whole(source: Source, label: Label) -> LabelledSource:
    """Return a recording of one label."""
    return LabelledSource(source, np.full(len(source.recording.samples), label, np.int8))


def window_labels(rows: LabelArray, starts: npt.NDArray[np.int64], length: int) -> LabelArray:
    """Return each window's label: anomaly if half of its rows or more are, normal if all of them are.

    Args:
        rows: Label of each row, shape (n_samples,).
        starts: First row of each window, shape (n_windows,); padding takes the label of the first row.
        length: Rows per window.

    Returns:
        Values of ``Label``, shape (n_windows,).
    """
    lead = max(-int(starts.min(initial=0)), 0)
    rows, starts = np.pad(rows, (lead, 0), mode="edge"), starts + lead
    anomalous = _count(rows == Label.ANOMALY, starts, length)
    normal = _count(rows == Label.NORMAL, starts, length)
    labels = np.full(len(starts), Label.IGNORE, np.int8)
    labels[normal == length] = Label.NORMAL
    labels[2 * anomalous >= length] = Label.ANOMALY
    return labels


def anomalies(rows: LabelArray) -> list[tuple[int, int]]:
    """Return each run of anomalous rows, of shape (n_samples,), as (first, last), both included."""
    edges = np.flatnonzero(np.diff(np.pad(rows == Label.ANOMALY, 1).astype(np.int8))).tolist()
    return [(first, end - 1) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def _count(rows: npt.NDArray[np.bool_], starts: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    before = np.concatenate(([0], np.cumsum(rows, dtype=np.int64)))
    counts: npt.NDArray[np.int64] = before[starts + length] - before[starts]
    return counts


def _unit(path: Path, names: Sequence[str]) -> Literal["rows", "seconds"]:
    stripped = {name.strip() for name in names}
    for unit, columns in _COLUMNS.items():
        if stripped >= {"file", "label", *columns}:
            return cast(Literal["rows", "seconds"], unit)
    raise DataError(f"{path}: needs the columns file, label and first_row, last_row (or first_s, last_s)")


def _stretch(row: Mapping[str, str | None], unit: Literal["rows", "seconds"], origin: str) -> Stretch:
    first_name, last_name = _COLUMNS[unit]
    number = _row_number if unit == "rows" else float
    try:
        first, last = number(row[first_name] or ""), number(row[last_name] or "")
        label = Label[(row["label"] or "").strip().upper()]
    except ValueError as error:
        kind = "whole numbers" if unit == "rows" else "numbers"
        raise DataError(f"{origin}: {first_name} and {last_name} must be {kind}") from error
    except KeyError as error:
        raise DataError(f"{origin}: '{row['label']}' is no label; write anomaly, normal or ignore") from error
    if not 0 <= first <= last < math.inf:
        raise DataError(f"{origin}: {first:g} to {last:g} is no stretch; give its first and its last, from 0")
    return Stretch(first, last, unit, label, origin)


def _row_number(text: str) -> int:
    """Return a row number; spreadsheets write whole numbers as 17.0, too."""
    value = float(text)
    if not value.is_integer():
        raise ValueError(text)
    return int(value)


def _rows(source: Source, labels: Labels, assumptions: Sequence[Assumption], base: Label) -> LabelArray:
    n_rows = len(source.recording.samples)
    rows = np.full(n_rows, base, np.int8)
    for assumption in assumptions:
        span = round(assumption.seconds * _rate_hz(source, assumption.text))
        if span > n_rows:
            raise DataError(f"{source.name}: is shorter than '{assumption.text}' says")
        chosen = slice(0, span) if assumption.side == "first" else slice(n_rows - span, n_rows)
        rows[chosen] = assumption.label
    for stretch in labels.get(source.name, ()):
        factor = 1.0 if stretch.unit == "rows" else _rate_hz(source, stretch.origin)
        first, last = round(stretch.first * factor), round(stretch.last * factor)
        if last >= n_rows:
            raise DataError(f"{stretch.origin}: ends at row {last}, {source.name} ends at row {n_rows - 1}")
        rows[first : last + 1] = stretch.label
    return rows


def _rate_hz(source: Source, wanted_by: str) -> float:
    rate_hz = source.recording.rate_hz
    if rate_hz is None:
        raise DataError(f"{source.name}: has no sample rate, which {wanted_by} needs; state it with --rate")
    return rate_hz
