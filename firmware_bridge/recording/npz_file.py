"""NPZ recordings: arrays by name, read without pickles."""

from __future__ import annotations

import math
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from firmware_bridge.arrays import Array, FloatArray
from firmware_bridge.errors import RecordingError
from firmware_bridge.recording.columns import channel_names, find_columns, is_signal, time_scale, time_unit
from firmware_bridge.recording.model import Recording, Segment, find_unusable
from firmware_bridge.recording.sample_store import ROWS, SampleStore
from firmware_bridge.recording.time_axis import Timing, check_rate, check_times, timing

RATE_NAMES = ("sample_rate_hz", "rate_hz")
SEGMENTS_NAME = "segments"
"""An integer array (n_segments, 2) of first rows and rows after the last, as ``save_npz`` writes it."""


_NPY = b"\x93NUMPY"
_PIECE_BYTES = 1 << 22


def load_npz(path: Path, columns: tuple[str, ...] | None, rate_hz: float | None) -> Recording:
    """Read an NPZ file; see ``load_recording``."""
    arrays = _read(path)
    stored_hz = _take_rate(path, arrays)
    bounds = arrays.pop(SEGMENTS_NAME, None)
    rows = _count_rows(path, arrays)
    channels, used, segments = _channels(path, arrays, rows)
    if not channels:
        raise _no_samples(path, arrays)
    known_hz = check_rate(path, rate_hz, stored_hz, "the file")
    told = Timing(known_hz, segments, ())
    if bounds is not None:
        told = Timing(known_hz, _stored_segments(path, bounds, rows), ())
    elif len(segments) == 1:
        told = _time(path, arrays, rows, known_hz) or told
    notes = [f"left out: {name}" for name in arrays if name not in used]
    names = list(channels)
    wanted = find_columns(path, names, columns) if columns is not None else range(len(names))
    samples = _samples(path, {names[index]: channels[names[index]] for index in wanted}, rows)
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
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file) and file.seek(0) == 0 and file.read(6) == _NPY:
                raise RecordingError(
                    "is a single array, not an NPZ archive; write it with numpy.savez", path=path
                )
            with zipfile.ZipFile(file) as archive:
                return {
                    info.filename.removesuffix(".npy"): _array(path, archive, info)
                    for info in archive.infolist()
                }
    except RecordingError:
        raise
    # zipfile says RuntimeError of what is encrypted, or packed in a way that it does not know.
    except (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise RecordingError(f"cannot be read as NPZ of plain numbers: {error}", path=path) from error


def _array(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    """Return a member of the archive; a large one is unpacked to a temporary file and mapped."""
    with archive.open(info) as member:
        shape, by_columns, dtype = _header(member)
        if dtype.hasobject:
            raise ValueError(f"'{info.filename}' holds Python objects")
        store = SampleStore(path, 1, np.uint8)
        while piece := member.read(_PIECE_BYTES):
            store.append(np.frombuffer(piece, np.uint8)[:, np.newaxis])
    content = store.finish()[:, 0]
    if len(content) != dtype.itemsize * math.prod(shape):
        raise ValueError(f"'{info.filename}' is cut short")
    array: Array = content.view(dtype).reshape(shape, order="F" if by_columns else "C")
    return array


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether the first index runs fastest, and type."""
    forms: Any = np.lib.format
    read = forms.read_array_header_1_0 if forms.read_magic(member) == (1, 0) else forms.read_array_header_2_0
    shape, by_columns, dtype = read(member)
    return shape, by_columns, dtype


def _take_rate(path: Path, arrays: dict[str, Array]) -> float | None:
    for name in RATE_NAMES:
        if name in arrays and arrays[name].ndim == 0:
            stored = arrays.pop(name)
            if stored.dtype.kind not in "fiu":
                raise RecordingError(f"'{stored}' is no sample rate; store a number", path=path, column=name)
            rate_hz = float(stored)
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
    candidates = _with_rows(arrays, "f") or _with_rows(arrays, "iu")
    if not candidates:
        raise _no_samples(path, arrays)
    _, rows = max((array.ndim, _length(array)) for array in candidates)
    if rows == 0:
        raise RecordingError("holds no samples", path=path)
    return rows


def _with_rows(arrays: dict[str, Array], kinds: str) -> list[Array]:
    """Return the arrays of these kinds of numbers (``dtype.kind``) that may hold samples."""
    return [array for array in arrays.values() if array.dtype.kind in kinds and 1 <= array.ndim <= 3]


def _no_samples(path: Path, arrays: dict[str, Array]) -> RecordingError:
    return RecordingError(f"holds no array of samples (there are: {', '.join(arrays) or 'none'})", path=path)


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


def _samples(path: Path, channels: dict[str, Array], rows: int) -> FloatArray:
    """Return the channels side by side, some rows at a time."""
    store = SampleStore(path, len(channels))
    for start in range(0, rows, ROWS):
        block = {name: values[start : start + ROWS] for name, values in channels.items()}
        for name, values in block.items():
            bad = find_unusable(values)
            if bad.size:
                message = (
                    f"sample {start + bad[0]} (counted from 0) is {values[bad[0]]}; cut it out or fill it"
                )
                raise RecordingError(message, path=path, column=name)
        store.append(np.column_stack([values.astype(np.float32) for values in block.values()]))
    return store.finish()


def _stored_segments(path: Path, bounds: Array, rows: int) -> tuple[Segment, ...]:
    message = f"must be rows (start, end) within {rows} samples, one after the other"
    if bounds.dtype.kind not in "fiu" or bounds.ndim != 2 or bounds.shape[1] != 2:
        raise RecordingError(message, path=path, column=SEGMENTS_NAME)
    borders = np.array([0.0, *bounds.ravel(), rows])
    # Not a number is not at or above anything.
    if not np.all(borders[1:] >= borders[:-1]):
        raise RecordingError(message, path=path, column=SEGMENTS_NAME)
    return tuple(Segment(int(start), int(end)) for start, end in bounds)
