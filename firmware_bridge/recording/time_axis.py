"""What a column of times says: sample rate, gaps, jitter."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_bridge.arrays import TimeArray
from firmware_bridge.errors import RecordingError
from firmware_bridge.recording.model import Segment
from firmware_bridge.recording.sample_store import ROWS

MAX_RATE_DIFFERENCE = 0.05
"""A given and a measured rate that differ by more are not the same rate."""
GAP_PERIODS = 5.0
"""A longer step ends a segment."""
# A time column of coarse resolution alternates between two steps; the mean of so many evens that out.
_STEPS_PER_MEAN = 8
_MEANS = 1_000_000
_JITTER = 0.2
_LONGEST_STEP_S = 1000.0


@dataclass(frozen=True)
class Timing:
    """What a recording's times tell: its rate in Hz, and the stretches between gaps."""

    rate_hz: float | None
    segments: tuple[Segment, ...]
    notes: tuple[str, ...]


def timing(path: Path, times_s: TimeArray, given_hz: float | None, column: str) -> Timing:
    """Return the rate, the stretches between gaps, and what is odd about the times.

    Args:
        path: The recording, for messages.
        times_s: Time of each row in seconds, never going back.
        given_hz: The rate in Hz, if the caller knows it.
        column: Name of the times, for messages.

    Raises:
        RecordingError: If the given rate is another than the times', or steps are so long that their unit
            must be another than seconds.
    """
    measured_hz = measure_rate(times_s)
    if measured_hz is not None and measured_hz * _LONGEST_STEP_S < 1.0:
        message = f"its steps would be {1 / measured_hz:.6g} s; name the right unit, such as 'time (ns)'"
        raise RecordingError(message, path=path, column=column)
    rate_hz = check_rate(path, given_hz, measured_hz, f"the column '{column}'")
    if measured_hz is None or rate_hz is None:
        return Timing(rate_hz, (Segment(0, len(times_s)),), ())
    segments = find_segments(times_s, rate_hz)
    return Timing(rate_hz, segments, tuple(describe(times_s, rate_hz, segments)))


def check_times(path: Path, times_s: TimeArray, column: str) -> None:
    """Check times that come as an array, in seconds, shape (n,).

    Raises:
        RecordingError: If one is missing, or earlier than the one before it.
    """
    bad = np.flatnonzero(~np.isfinite(times_s))
    if bad.size:
        raise RecordingError(f"time {bad[0]} (counted from 0) is missing; fill it", path=path, column=column)
    row = first_step_back(times_s)
    if row is not None:
        message = f"time runs backwards at sample {row} (counted from 0); split the file or sort its rows"
        raise RecordingError(message, path=path, column=column)


def first_step_back(times_s: TimeArray) -> int | None:
    """Return the first row that is earlier than the one before it, or None; times of shape (n,)."""
    back = np.flatnonzero(np.diff(times_s) < 0)
    return int(back[0]) + 1 if back.size else None


def check_rate(path: Path, given_hz: float | None, found_hz: float | None, source: str) -> float | None:
    """Return the rate to go by, in Hz: the given one, if the file does not contradict it.

    Raises:
        RecordingError: If both are known and differ by more than 5 %, or the given one is not positive.
    """
    if given_hz is None:
        return found_hz
    if not (np.isfinite(given_hz) and given_hz > 0):
        raise RecordingError(f"a sample rate of {given_hz:g} Hz is not possible", path=path)
    if found_hz is not None and abs(found_hz / given_hz - 1) > MAX_RATE_DIFFERENCE:
        message = (
            f"the given rate is {given_hz:g} Hz, but {source} says {found_hz:.6g} Hz; give the right one"
        )
        raise RecordingError(message, path=path)
    return float(given_hz)


def measure_rate(times_s: TimeArray) -> float | None:
    """Return the usual number of samples per second, or None with fewer than two different times.

    The median of means of eight steps: gaps do not count, nor does a resolution coarser than the steps.
    """
    span = min(_STEPS_PER_MEAN, len(times_s) - 1)
    if span < 1:
        return None
    starts = np.arange(0, len(times_s) - span, max(len(times_s) // _MEANS, 1))
    step_s = float(np.median(times_s[starts + span] - times_s[starts])) / span
    # Nine digits: what is beyond is the rounding of the time stamps.
    return float(f"{1.0 / step_s:.9g}") if step_s > 0 else None


def find_segments(times_s: TimeArray, rate_hz: float) -> tuple[Segment, ...]:
    """Return the stretches of rows between steps of more than five periods.

    Args:
        times_s: Time of each row in seconds, never going back, shape (n,).
        rate_hz: Sample rate in Hz.
    """
    ends: list[int] = []
    for first, steps in _steps(times_s, rate_hz):
        ends.extend((np.flatnonzero(steps > GAP_PERIODS) + first + 1).tolist())
    return tuple(Segment(start, end) for start, end in itertools.pairwise([0, *ends, len(times_s)]))


def _steps(times_s: TimeArray, rate_hz: float) -> Iterator[tuple[int, TimeArray]]:
    """Yield the steps in periods, shape (n,), some at a time, each time with the number of the first."""
    for start in range(0, len(times_s) - 1, ROWS):
        yield start, np.diff(times_s[start : start + ROWS + 1]) * rate_hz


def describe(times_s: TimeArray, rate_hz: float, segments: tuple[Segment, ...]) -> list[str]:
    """Return notes on duplicated times, gaps and jitter."""
    duplicated = uneven = 0
    longest = 0.0
    for _, steps in _steps(times_s, rate_hz):
        duplicated += int(np.count_nonzero(steps == 0))
        uneven += int(np.count_nonzero((np.abs(steps - 1) > _JITTER) & (steps <= GAP_PERIODS)))
        longest = max(longest, float(np.max(steps)))
    notes = []
    if duplicated:
        notes.append(f"{duplicated} time stamps are the same as the one before")
    if len(segments) > 1:
        notes.append(
            f"{len(segments) - 1} gaps of more than {GAP_PERIODS:g} periods, longest "
            f"{longest / rate_hz:.3g} s"
        )
    if uneven:
        notes.append(
            f"{uneven} of {len(times_s) - 1} steps differ from the period by more than {_JITTER:.0%}"
        )
    return notes
