"""From what a file holds to a recording: channels chosen, times read, everything else named in notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_bridge.arrays import FloatArray
from firmware_bridge.errors import RecordingError
from firmware_bridge.recording.columns import MAX_CHANNELS, check_width, find_columns
from firmware_bridge.recording.model import Recording, Segment, find_unusable
from firmware_bridge.recording.roles import Roles, roles
from firmware_bridge.recording.time_axis import Times, Timing, check_rate, check_times, stored_rate, timing

Array = npt.NDArray[Any]
TimeArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Contents:
    """What a file holds: vectors of samples, times in seconds, a rate in Hz, and what else there is."""

    vectors: Mapping[str, Array]
    """Numbers by name, one dimension each; candidates for channels and for times."""
    _: KW_ONLY
    times_s: Mapping[str, TimeArray] = field(default_factory=dict)
    """Vectors that are times whatever they are called, in seconds."""
    scalars: Mapping[str, float] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    """What cannot be a channel, by name: what it is instead."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of vectors: alias to name."""
    rate_hz: float | None = None
    """Sample rate, if the format has a place for it."""
    notes: tuple[str, ...] = ()


def assemble(
    path: Path, contents: Contents, columns: tuple[str, ...] | None, rate_hz: float | None
) -> Recording:
    """Choose the channels, check them, and read rate and gaps.

    Args:
        path: The file, for messages.
        contents: What it holds.
        columns: Names of the channels, or None for all.
        rate_hz: Sample rate in Hz, if the caller knows it.

    Raises:
        RecordingError: See ``files.load_recording``.
    """
    found = roles(contents.vectors)
    names = _choose(path, contents, columns, found)
    n_samples = len(contents.vectors[names[0]])
    stored_hz = contents.rate_hz or stored_rate(path, contents.scalars)
    known_hz = check_rate(path, rate_hz, stored_hz, "the file")
    timed = _time(path, contents, n_samples, known_hz)
    return Recording(
        path=path,
        columns=tuple(names),
        samples=np.column_stack([_sound(path, name, contents.vectors[name]) for name in names]),
        rate_hz=timed.rate_hz,
        segments=timed.segments,
        notes=(*contents.notes, *_notes(contents, names), *found.notes, *timed.notes),
        rate_guessed=timed.guessed,
    )


def holdings(contents: Contents) -> str:
    """Return everything that a file holds, in one line."""
    held = [f"{name} ({len(values)} samples)" for name, values in contents.vectors.items()]
    held += [f"{name} ({len(values)} times)" for name, values in contents.times_s.items()]
    held += [f"{name} = {value:g}" for name, value in contents.scalars.items()]
    held += [f"{name} ({what})" for name, what in contents.others.items()]
    return ", ".join(held) or "nothing"


def _choose(path: Path, contents: Contents, columns: tuple[str, ...] | None, found: Roles) -> list[str]:
    vectors = contents.vectors
    if columns is not None:
        return _asked_for(path, contents, columns)
    names = list(found.channels)
    if not names:
        raise RecordingError(f"has no channel; it holds: {holdings(contents)}", path=path)
    if len({len(vectors[name]) for name in names}) > 1:
        message = f"its channels are of different lengths; choose with --columns from: {holdings(contents)}"
        raise RecordingError(message, path=path)
    check_width(path, names)
    _refuse_empty(path, names[0], vectors[names[0]])
    return names


def _asked_for(path: Path, contents: Contents, columns: Sequence[str]) -> list[str]:
    names = list(contents.vectors)
    if not names:
        raise RecordingError(f"has no channel; it holds: {holdings(contents)}", path=path)
    wanted = [contents.aliases.get(name, name) for name in columns]
    chosen = [names[index] for index in find_columns(path, names, wanted)]
    first = len(contents.vectors[chosen[0]])
    for name in chosen:
        _refuse_empty(path, name, contents.vectors[name])
        if len(contents.vectors[name]) != first:
            message = (
                f"has {len(contents.vectors[name])} samples, {chosen[0]} has {first}; choose one or the other"
            )
            raise RecordingError(message, path=path, column=name)
    return chosen


def _refuse_empty(path: Path, name: str, values: Array) -> None:
    if len(values) == 0:
        raise RecordingError("holds no samples", path=path, column=name)


def _sound(path: Path, name: str, values: Array) -> FloatArray:
    bad = find_unusable(values)
    if bad.size:
        message = f"sample {bad[0]} (counted from 0) is {values[bad[0]]}; cut it out or fill it"
        raise RecordingError(message, path=path, column=name)
    return values.astype(np.float32)


def _time(path: Path, contents: Contents, n_samples: int, known_hz: float | None) -> Timing:
    times = _times(path, contents, n_samples)
    if times is None:
        return Timing(known_hz, (Segment(0, n_samples),), ())
    return timing(path, times, known_hz)


def _times(path: Path, contents: Contents, n_samples: int) -> Times | None:
    """Return the first times that belong to the channels, or None."""
    for name, times_s in contents.times_s.items():
        if len(times_s) == n_samples:
            check_times(path, times_s, name)
            return Times(name, times_s - times_s[0], unit="s")
    alike = {name: values for name, values in contents.vectors.items() if len(values) == n_samples}
    time = roles(alike).time
    return Times.of(path, time, alike[time]) if time is not None else None


def _notes(contents: Contents, chosen: Sequence[str]) -> list[str]:
    notes = [f"{name} = {value:g}" for name, value in contents.scalars.items()]
    left_out = [name for name in (*contents.vectors, *contents.others) if name not in chosen]
    if left_out:
        more = f" and {len(left_out) - MAX_CHANNELS} more" if len(left_out) > MAX_CHANNELS else ""
        notes.append(f"left out: {', '.join(left_out[:MAX_CHANNELS])}{more}")
    return notes
