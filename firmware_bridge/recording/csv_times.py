"""Times in the columns of a CSV file, some rows at a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from firmware_bridge.arrays import TimeArray
from firmware_bridge.errors import RecordingError
from firmware_bridge.recording.columns import split_unit, time_unit
from firmware_bridge.recording.dates import DAY_S, form, is_day_first, parse
from firmware_bridge.recording.sample_store import SampleStore
from firmware_bridge.recording.time_axis import Times, Timing, first_step_back, timing

if TYPE_CHECKING:
    from firmware_bridge.recording.csv_file import Block


def find_dates(first: Block) -> tuple[int, ...]:
    """Return the columns that make up date and time: one with both, or one of each."""
    forms = [form(cell) for cell in first.rows[0]]
    if "dc" in forms:
        return (forms.index("dc"),)
    return tuple(forms.index(kind) for kind in ("d", "c") if kind in forms)


class NumberColumn:
    """A column of numbers that are times."""

    def __init__(self, first: Block, index: int) -> None:
        """Begin empty.

        Args:
            first: The first rows, for path and name.
            index: Of the column.
        """
        self._path, self._index = first.path, index
        self._name = first.layout.names[index]
        self._store = SampleStore(first.path, 1, np.float64)
        self._first: float | None = None
        self._last = -math.inf

    def append(self, block: Block) -> None:
        """Read the times of more rows.

        Raises:
            RecordingError: If one is missing, or runs backwards.
        """
        self._take(block, block.numbers(self._index))

    def timing(self, given_hz: float | None) -> Timing:
        """Return what all times tell."""
        unit = time_unit(self._name)
        stated = unit or split_unit(self._name)[1] or unit
        return timing(
            self._path, Times(self._name, self._store.finish()[:, 0], self._first or 0.0, stated), given_hz
        )

    def _take(self, block: Block, ticks: TimeArray) -> None:
        row = first_step_back(np.concatenate(([self._last], ticks)))
        if row is not None:
            message = "time runs backwards here; split the file or sort its rows"
            raise RecordingError(message, path=block.path, row=block.lines[row - 1], column=self._name)
        self._first = float(ticks[0]) if self._first is None else self._first
        self._last = float(ticks[-1])
        self._store.append((ticks - self._first)[:, np.newaxis])


class DateColumns(NumberColumn):
    """One or two columns of dates and times of day; without a zone they are UTC, so that none is skipped."""

    def __init__(self, first: Block, indices: tuple[int, ...]) -> None:
        """Begin empty.

        Args:
            first: The first rows, which say whether the day comes first.
            indices: Of the columns: date and time of day, or the one with both.
        """
        super().__init__(first, indices[-1])
        self._indices = indices
        self._day_first = is_day_first(cell for index in indices for cell in first.cells(index))
        self._dated = any("d" in form(first.rows[0][index]) for index in indices)
        self._begin: int | None = None
        self._midnights = 0
        self._before = -math.inf

    def append(self, block: Block) -> None:
        """Read the times of more rows.

        Raises:
            RecordingError: If one is no date, or runs backwards.
        """
        seconds = np.array([self._seconds(block, number) for number in range(len(block.rows))])
        if not self._dated:
            # A time of day that falls by more than half a day has passed midnight.
            passed = np.diff(np.concatenate(([self._before], seconds))) < -DAY_S / 2
            midnights = self._midnights + np.cumsum(passed)
            self._before, self._midnights = float(seconds[-1]), int(midnights[-1])
            seconds = seconds + midnights * DAY_S
        self._take(block, seconds)

    def timing(self, given_hz: float | None) -> Timing:
        """Return what all times tell."""
        return timing(self._path, Times(self._name, self._store.finish()[:, 0], unit="s"), given_hz)

    def _seconds(self, block: Block, number: int) -> float:
        days, seconds = 0, 0.0
        for index in self._indices:
            cell = block.rows[number][index].strip()
            try:
                day, second = parse(cell, self._day_first)
            except ValueError:
                message = f"'{cell}' is neither a number nor a date and time, such as those of ISO 8601"
                name = block.layout.names[index]
                raise RecordingError(message, path=block.path, row=block.lines[number], column=name) from None
            days, seconds = days + day, seconds + second
        self._begin = days if self._begin is None else self._begin
        return (days - self._begin) * DAY_S + seconds
