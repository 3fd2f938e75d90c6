"""What a column of times says: sample rate, gaps, jitter."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_bridge.arrays import Array, TimeArray
from firmware_bridge.errors import RecordingError
from firmware_bridge.recording.columns import SECONDS_PER_UNIT, seconds_per, split_unit, time_unit
from firmware_bridge.recording.model import Segment
from firmware_bridge.recording.sample_store import ROWS

MAX_RATE_DIFFERENCE = 0.05
"""A given and a measured rate that differ by more are not the same rate."""
MAX_RATE_HZ = 200_000.0
"""No accelerometer is sampled faster."""
GAP_PERIODS = 5.0
"""A longer step ends a segment."""
_LOST_PERIODS = 2.5
"""Over a longer step samples were lost: it says nothing of the rate."""
# Where times have few digits, they alternate between two steps; the mean of so many begins the search.
_STEPS_PER_MEAN = 8
_MEANS = 1_000_000
_COARSE = 0.1
"""Of this share of steps that are zero, the times have fewer digits than the rate needs."""
_ROUNDS = 8
_WHOLE = 0.15
"""A step that is so near to a whole multiple of another is one."""
_ODD_SHARE = 0.01
_JITTER = 0.2
_LONGEST_STEP_S = 1000.0
_EPOCH_UNITS = {10: "s", 13: "ms", 16: "us", 19: "ns"}
"""Digits of the time since 1970, from 2001 to 2286."""
_DAYS = ((20_000.0, 80_000.0), (700_000.0, 800_000.0))
"""Spreadsheets count days from 1900, MATLAB from the year 0: this is 1954 to 2119, and 1916 to 2190."""
_SHORTEST_DAY = 1e-3
_RATES = {
    "fs",
    "fshz",
    "sr",
    "rate",
    "ratehz",
    "samplerate",
    "sampleratehz",
    "samplingrate",
    "samplingratehz",
    "samplingfrequency",
    "samplingfrequencyhz",
}


@dataclass(frozen=True)
class Timing:
    """What a recording's times tell: its rate in Hz, and the stretches between gaps."""

    rate_hz: float | None
    segments: tuple[Segment, ...]
    notes: tuple[str, ...]
    guessed: bool = False
    """The times state no unit, and were taken for seconds."""


@dataclass(frozen=True)
class Times:
    """A column of times, as the file has them."""

    name: str
    ticks: TimeArray
    """Since the first one, shape (n,), in the file's unit."""
    first: float = 0.0
    """The first one."""
    unit: str | None = ""
    """"" if none is stated; None if nothing but the values says that they are times."""

    @classmethod
    def of(cls, path: Path, name: str, values: Array) -> Times:
        """Return the column, checked.

        Raises:
            RecordingError: If a time is missing, or earlier than the one before it.
        """
        check_times(path, values, name)
        unit = time_unit(name)
        # Integers of nanoseconds since 1970 are more than a float holds exactly.
        return cls(
            name,
            (values - values[0]).astype(np.float64),
            float(values[0]),
            unit or split_unit(name)[1] or unit,
        )


@dataclass(frozen=True)
class _Pace:
    """How fast times run, in their own unit."""

    step: float
    grain: float
    """What they are rounded to, if that is more than a step; else 0."""


def timing(path: Path, times: Times, given_hz: float | None) -> Timing:
    """Return the rate, the stretches between gaps, and what is odd about the times.

    Args:
        path: The recording, for messages.
        times: Never going back.
        given_hz: The rate in Hz, if the caller knows it.

    Raises:
        RecordingError: If the given rate is another than the times', their unit cannot be told, or the rate
            would be impossible.
    """
    whole = (Segment(0, len(times.ticks)),)
    check_rate(path, given_hz, None, "")
    pace = _pace(times.ticks)
    if pace is None:
        same = (f"the times of '{times.name}' have too few digits: all are the same",)
        return Timing(given_hz, whole, same if len(times.ticks) > 1 else ())
    second, notes = _unit(path, times, pace, given_hz)
    if second is None:
        return Timing(given_hz, whole, notes)
    # Nine digits: what is beyond is the rounding of the time stamps.
    measured_hz = _possible(path, times, float(f"{1 / (pace.step * second):.9g}"))
    rate_hz = check_rate(path, given_hz, measured_hz, f"the column '{times.name}'") or measured_hz
    segments = find_segments(times.ticks, GAP_PERIODS / (rate_hz * second) + pace.grain)
    oddities = _describe(times.ticks * second, rate_hz, segments, pace.grain * second)
    return Timing(rate_hz, segments, (*notes, *oddities), guessed=notes == _as_seconds(times))


def _unit(
    path: Path, times: Times, pace: _Pace, given_hz: float | None
) -> tuple[float | None, tuple[str, ...]]:
    """Return the seconds of one unit of the times, or None if nobody knows, and notes."""
    if times.unit:
        return seconds_per(path, times.name, times.unit), ()
    digits = len(str(int(abs(times.first))))
    if unit := _EPOCH_UNITS.get(digits):
        note = f"column '{times.name}' states no unit; {digits} digits are read as {unit} since 1970"
        return SECONDS_PER_UNIT[unit], (note,)
    if given_hz is not None:
        return _unit_by_rate(path, times, pace, given_hz)
    if times.unit is None:
        return None, (f"if '{times.name}' is the time, give it a unit, as in 'time (s)'",)
    if reason := _doubt(times, pace):
        message = f"states no unit of time; {reason} Name it, as in 'time (ms)', or give --rate"
        raise RecordingError(message, path=path, column=times.name)
    return 1.0, _as_seconds(times)


def _as_seconds(times: Times) -> tuple[str, ...]:
    return (f"column '{times.name}' states no unit; read as seconds",)


def _unit_by_rate(
    path: Path, times: Times, pace: _Pace, given_hz: float
) -> tuple[float | None, tuple[str, ...]]:
    """Return the unit in which the times agree with the given rate."""
    for unit, seconds in {**SECONDS_PER_UNIT, "samples": 1 / given_hz}.items():
        if abs(1 / (pace.step * seconds * given_hz) - 1) <= MAX_RATE_DIFFERENCE:
            return seconds, (f"column '{times.name}' states no unit; the given rate says {unit}",)
    if times.unit is None:
        return None, (f"column '{times.name}' fits the given rate in no unit of time",)
    message = (
        f"the given rate is {given_hz:g} Hz, but the column '{times.name}' says {1 / pace.step:.6g} Hz as "
        "seconds, and agrees in no other unit; give the right one, or none"
    )
    raise RecordingError(message, path=path)


def _doubt(times: Times, pace: _Pace) -> str | None:
    """Return why times without a unit cannot be taken for seconds, or None."""
    day = any(low <= times.first <= high for low, high in _DAYS) and pace.step < _SHORTEST_DAY
    read = f"as seconds it would be {1 / pace.step:.6g} Hz."
    if day or pace.step * MAX_RATE_HZ < 1:
        return f"{read} Is this in days?"
    if times.first.is_integer() and all(np.array_equal(part, np.rint(part)) for part in _parts(times.ticks)):
        return f"{read} Are its whole numbers milliseconds, or samples?"
    return f"{read} Is this in milliseconds?" if pace.step > 1 else None


def _possible(path: Path, times: Times, rate_hz: float) -> float:
    if rate_hz * _LONGEST_STEP_S < 1.0:
        message = f"its steps would be {1 / rate_hz:.6g} s; name the right unit, such as 'time (ns)'"
        raise RecordingError(message, path=path, column=times.name)
    if rate_hz > MAX_RATE_HZ:
        message = (
            f"it would be {rate_hz:.6g} Hz, more than any accelerometer; name the right unit in the header"
        )
        raise RecordingError(message, path=path, column=times.name)
    return rate_hz


def check_times(path: Path, times: Array, column: str) -> None:
    """Check times that come as an array, shape (n,).

    Raises:
        RecordingError: If one is missing, or earlier than the one before it.
    """
    bad = np.flatnonzero(~np.isfinite(times))
    if bad.size:
        raise RecordingError(f"time {bad[0]} (counted from 0) is missing; fill it", path=path, column=column)
    row = first_step_back(times)
    if row is not None:
        message = f"time runs backwards at sample {row} (counted from 0); split the file or sort its rows"
        raise RecordingError(message, path=path, column=column)


def first_step_back(times: Array) -> int | None:
    """Return the first row that is earlier than the one before it, or None; times of shape (n,)."""
    back = np.flatnonzero(times[1:] < times[:-1])
    return int(back[0]) + 1 if back.size else None


def check_rate(path: Path, given_hz: float | None, found_hz: float | None, source: str) -> float | None:
    """Return the rate to go by, in Hz: the given one, if the file does not contradict it.

    Raises:
        RecordingError: If both are known and differ by more than 5 %, or the given one is not possible.
    """
    if given_hz is None:
        return found_hz
    if not 0 < given_hz <= MAX_RATE_HZ:
        raise RecordingError(f"a sample rate of {given_hz:g} Hz is not possible", path=path)
    if found_hz is not None and abs(found_hz / given_hz - 1) > MAX_RATE_DIFFERENCE:
        message = (
            f"the given rate is {given_hz:g} Hz, but {source} says {found_hz:.6g} Hz; give the right one, "
            "or none"
        )
        raise RecordingError(message, path=path)
    return float(given_hz)


def stored_rate(path: Path, scalars: Mapping[str, float]) -> float | None:
    """Return the rate in Hz that a file states, by the names of its scalars, or None.

    Raises:
        RecordingError: If it is not possible, or two differ by more than 5 %; it names both.
    """
    found = {name: scalars[name] for name in stated_rates(scalars)}
    for name, value in found.items():
        if not 0 < value <= MAX_RATE_HZ:
            raise RecordingError(f"a sample rate of {value:g} Hz is not possible", path=path, column=name)
    if not found:
        return None
    low, high = min(found, key=found.__getitem__), max(found, key=found.__getitem__)
    if found[high] / found[low] - 1 > MAX_RATE_DIFFERENCE:
        message = f"states two rates: {low} = {found[low]:g} and {high} = {found[high]:g}; keep the right one"
        raise RecordingError(message, path=path)
    return next(iter(found.values()))


def stated_rates(names: Iterable[str]) -> list[str]:
    """Return those names that are the names of sample rates."""
    return [name for name in names if _plain(name) in _RATES]


def _plain(name: str) -> str:
    return split_unit(name)[0].rpartition(".")[2].lower().replace("_", "").replace(" ", "")


def _pace(ticks: TimeArray) -> _Pace | None:
    """Return how fast times run between gaps, or None with fewer than two different ones.

    The mean over all steps without lost samples, which is right however few digits the times have; it is
    sought from the median of means of eight steps.
    """
    if len(ticks) < 2 or not ticks[-1] > ticks[0]:
        return None
    span = min(_STEPS_PER_MEAN, len(ticks) - 1)
    starts = np.arange(0, len(ticks) - span, max(len(ticks) // _MEANS, 1))
    step = float(np.median(ticks[starts + span] - ticks[starts])) / span
    firsts = np.arange(0, len(ticks) - 1, max(len(ticks) // _MEANS, 1))
    steps = ticks[firsts + 1] - ticks[firsts]
    coarse = float(np.mean(steps == 0)) > _COARSE and bool((steps > 0).any())
    grain = float(np.median(steps[steps > 0])) if coarse else 0.0
    step = step or float(ticks[-1] - ticks[0]) / (len(ticks) - 1)
    for _ in range(_ROUNDS):
        longest = _LOST_PERIODS * step + grain
        found = _mean_step_between_changes(ticks, longest) if coarse else _mean_step(ticks, longest)
        before, step = step, found or step
        if step == before:
            break
    return _Pace(step if coarse else _without_single_losses(ticks, steps, step), grain)


def _without_single_losses(ticks: TimeArray, steps: TimeArray, step: float) -> float:
    """Return the step where single samples are missing, which a mean over all steps would count in.

    Then all steps are whole multiples of one, and lie unevenly: times of few digits at a steady rate, which
    have steps of one and two as well, stray from it by no more than a digit.

    Args:
        ticks: Times, shape (n,).
        steps: Some of their steps.
        step: The mean of all that are no gaps.
    """
    one = float(np.median(steps))
    if not one > 0 or step <= one * (1 + _WHOLE / _STEPS_PER_MEAN):
        return step
    near = steps[steps <= _LOST_PERIODS * step]
    off = near / one - np.maximum(np.rint(near / one), 1)
    strayed = np.cumsum(near - step)
    if np.mean(np.abs(off) > _WHOLE) > _ODD_SHARE or np.ptp(strayed) <= 2 * one:
        return step
    return _mean_step(ticks, 1.5 * one) or step


def _mean_step(ticks: TimeArray, longest: float) -> float:
    total, count = 0.0, 0
    for steps in map(np.diff, _parts(ticks)):
        kept = steps[steps <= longest]
        total, count = total + float(kept.sum()), count + len(kept)
    return total / count if count else 0.0


def _mean_step_between_changes(ticks: TimeArray, longest: float) -> float:
    """Return the mean step from change to change, where coarse times are right to a sample."""
    changes = [np.flatnonzero(np.diff(part)) + ROWS * number for number, part in enumerate(_parts(ticks))]
    rows = np.concatenate(changes) + 1
    climbed = np.diff(ticks[rows])
    kept = climbed <= longest
    return float(climbed[kept].sum() / max(np.diff(rows)[kept].sum(), 1))


def _parts(ticks: TimeArray) -> Iterator[TimeArray]:
    """Yield times some at a time, the last of each again as the first of the next."""
    for start in range(0, max(len(ticks) - 1, 1), ROWS):
        yield ticks[start : start + ROWS + 1]


def find_segments(ticks: TimeArray, longest: float) -> tuple[Segment, ...]:
    """Return the stretches of rows between steps of more than the longest."""
    ends: list[int] = []
    for number, part in enumerate(_parts(ticks)):
        ends.extend((np.flatnonzero(np.diff(part) > longest) + number * ROWS + 1).tolist())
    return tuple(Segment(start, end) for start, end in itertools.pairwise([0, *ends, len(ticks)]))


def _describe(
    times_s: TimeArray, rate_hz: float, segments: tuple[Segment, ...], grain_s: float
) -> Iterator[str]:
    """Yield notes on duplicated times, gaps and jitter."""
    duplicated = uneven = 0
    longest = 0.0
    for part in _parts(times_s):
        steps = np.diff(part) * rate_hz
        duplicated += int(np.count_nonzero(steps == 0))
        uneven += int(np.count_nonzero((np.abs(steps - 1) > _JITTER) & (steps <= GAP_PERIODS)))
        longest = max(longest, float(np.max(steps)))
    if grain_s:
        yield f"times in whole steps of {grain_s:.3g} s, longer than a period; the rate is that of the span"
    elif duplicated:
        yield f"{duplicated} time stamps are the same as the one before"
    if len(segments) > 1:
        yield (
            f"{len(segments) - 1} gaps of more than {GAP_PERIODS:g} periods, longest "
            f"{longest / rate_hz:.3g} s"
        )
    if uneven and not grain_s:
        yield f"{uneven} of {len(times_s) - 1} steps differ from the period by more than {_JITTER:.0%}"
