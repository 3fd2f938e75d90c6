"""NPZ recordings: arrays by name, read without pickles."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording.columns import channel_names, find_columns, is_signal, time_scale, time_unit
from firmware_bridge.recording.model import FloatArray, Recording, Segment, find_unusable
from firmware_bridge.recording.time_axis import Timing, check_rate, check_times, timing

RATE_NAMES = ("sample_rate_hz", "rate_hz")
SEGMENTS_NAME = "segments"
"""An integer array (n_segments, 2) of first rows and rows after the last, as ``save_npz`` writes it."""

Array = npt.NDArray[Any]


def load_npz(path: Path, columns: tuple[str, ...] | None, rate_hz: float | None) -> Recording:
    """Read an NPZ file; see ``load_recording``."""
    arrays = _read(path)
    stored_hz = _take_rate(path, arrays)
    bounds = arrays.pop(SEGMENTS_NAME, None)
    rows = _count_rows(path, arrays)
    channels, used, segments = _channels(path, arrays, rows)
    known_hz = check_rate(path, rate_hz, stored_hz, "the file")
    told = Timing(known_hz, segments, ())
    if bounds is not None:
        told = Timing(known_hz, _stored_segments(path, bounds, rows), ())
    elif len(segments) == 1:
        told = _time(path, arrays, rows, known_hz) or told
    notes = [f"left out: {name}" for name in arrays if name not in used]
    names = list(channels)
    wanted = find_columns(path, names, columns) if columns is not None else range(len(names))
    samples = np.column_stack([_check(path, names[index], channels[names[index]]) for index in wanted])
    return Recording(
        path=path,
        columns=tuple(names[index] for index in wanted),
        samples=samples,
        rate_hz=told.rate_hz,
        segments=told.segments,
        notes=(*notes, *told.notes),
    )


def save_npz(path: Path, recording: Recording) -> None:
    """Write a recording so that ``load_npz`` reads the same."""
    channels: dict[str, Array] = dict(zip(recording.columns, recording.samples.T, strict=True))
    bounds = np.array([(segment.start, segment.end) for segment in recording.segments], np.int64)
    channels[SEGMENTS_NAME] = bounds.reshape(-1, 2)
    if recording.rate_hz is not None:
        channels[RATE_NAMES[1]] = np.array(recording.rate_hz)
    with path.open("wb") as file:
        np.savez_compressed(file, **channels)


def _read(path: Path) -> dict[str, Array]:
    try:
        # Opened here, because numpy leaves a damaged file open.
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.lib.npyio.NpzFile):
                return {name: content[name] for name in content.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RecordingError(f"cannot be read as NPZ of plain numbers: {error}", path=path) from error
    raise RecordingError("is a single array, not an NPZ archive; write it with numpy.savez", path=path)


def _take_rate(path: Path, arrays: dict[str, Array]) -> float | None:
    for name in RATE_NAMES:
        if name in arrays and arrays[name].ndim == 0:
            rate_hz = float(arrays.pop(name))
            if not (np.isfinite(rate_hz) and rate_hz > 0):
                raise RecordingError(
                    f"a sample rate of {rate_hz:g} Hz is not possible", path=path, column=name
                )
            return rate_hz
    return None


def _time(path: Path, arrays: dict[str, Array], rows: int, known_hz: float | None) -> Timing | None:
    """Return what the first array of times tells, or None if there is none."""
    for name, values in arrays.items():
        if time_unit(name) is not None and values.dtype.kind in "fiu" and values.shape == (rows,):
            scale, notes = time_scale(path, name)
            times_s = values.astype(np.float64) * scale
            check_times(path, times_s, name)
            told = timing(path, times_s - times_s[0], known_hz, name)
            return replace(told, notes=notes + told.notes)
    return None


def _count_rows(path: Path, arrays: dict[str, Array]) -> int:
    """Return the common number of samples: of the arrays with most dimensions, else of the longest floats."""
    numeric = [array for array in arrays.values() if array.dtype.kind in "fiu" and 1 <= array.ndim <= 3]
    floats = [array for array in numeric if array.dtype.kind == "f"] or numeric
    if not floats:
        message = f"holds no array of samples (there are: {', '.join(arrays) or 'none'})"
        raise RecordingError(message, path=path)
    dimensions = max(array.ndim for array in floats)
    rows = max(_length(array) for array in floats if array.ndim == dimensions)
    if rows == 0:
        raise RecordingError("holds no samples", path=path)
    return rows


def _length(array: Array) -> int:
    return len(array) * array.shape[1] if array.ndim == 3 else len(array)


def _channels(
    path: Path, arrays: dict[str, Array], rows: int
) -> tuple[dict[str, Array], set[str], tuple[Segment, ...]]:
    """Return the channels by name, the arrays they came from, and the segments."""
    channels: dict[str, Array] = {}
    used = set()
    segments: tuple[Segment, ...] = (Segment(0, rows),)
    for name, array in arrays.items():
        if array.ndim == 0 or array.dtype.kind not in "fiu" or not is_signal(name):
            continue
        if array.ndim > 3 or _length(array) != rows:
            _refuse_samples(path, name, array, rows)
            continue
        used.add(name)
        if array.ndim == 3:
            step = array.shape[1]
            segments = tuple(Segment(start, start + step) for start in range(0, rows, step))
        flat = array.reshape(rows, -1)
        names = [name] if array.ndim == 1 else channel_names(name, array.shape[-1])
        channels.update(zip(names, flat.T, strict=True))
    return channels, used, segments


def _refuse_samples(path: Path, name: str, array: Array, rows: int) -> None:
    """Integers of another length are an index; samples of another length are an error."""
    if array.dtype.kind == "f":
        message = f"has shape {array.shape}, the other arrays have {rows} samples; store one length per file"
        raise RecordingError(message, path=path, column=name)


def _check(path: Path, name: str, values: Array) -> FloatArray:
    bad = find_unusable(values)
    if bad.size:
        message = f"sample {bad[0]} (counted from 0) is {values[bad[0]]}; cut it out or fill it"
        raise RecordingError(message, path=path, column=name)
    return values.astype(np.float32)


def _stored_segments(path: Path, bounds: Array, rows: int) -> tuple[Segment, ...]:
    if bounds.ndim != 2 or bounds.shape[1] != 2 or np.any(bounds < 0) or np.any(bounds > rows):
        raise RecordingError(
            f"must be rows (start, end) within {rows} samples", path=path, column=SEGMENTS_NAME
        )
    return tuple(Segment(int(start), int(end)) for start, end in bounds)
