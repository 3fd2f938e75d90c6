"""NPZ recordings: arrays by name, read without pickles."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from firmware_bridge.arrays import Array, FloatArray
from firmware_bridge.errors import RecordingError
from firmware_bridge.recording.columns import (
    MAX_CHANNELS,
    channel_names,
    check_width,
    find_columns,
    is_signal,
)
from firmware_bridge.recording.model import Recording, Segment, find_unusable
from firmware_bridge.recording.roles import Roles, roles
from firmware_bridge.recording.sample_store import ROWS, SampleStore
from firmware_bridge.recording.time_axis import (
    Times,
    Timing,
    check_rate,
    stated_rates,
    stored_rate,
    timing,
)

RATE_NAME = "rate_hz"
SEGMENTS_NAME = "segments"
"""An integer array (n_segments, 2) of first rows and rows after the last, as ``save_npz`` writes it."""


_NPY = b"\x93NUMPY"
_PIECE_BYTES = 1 << 22


def load_npz(path: Path, columns: tuple[str, ...] | None, rate_hz: float | None) -> Recording:
    """Read an NPZ file; see ``load_recording``."""
    arrays = _read(path)
    bounds = arrays.pop(SEGMENTS_NAME, None)
    scalars = {name: _scalar(path, name, array) for name, array in arrays.items() if array.ndim == 0}
    known_hz = check_rate(path, rate_hz, stored_rate(path, scalars), "the file")
    arrays, turned = _upright(_numbered(arrays))
    rows = _count_rows(path, arrays)
    columns_of, segments = _columns(path, arrays, rows)
    found = roles(columns_of)
    if not found.channels and columns is None:
        raise _no_samples(path, arrays)
    chosen = _choose(path, columns_of, columns, found)
    stated = Timing(known_hz, segments, ())
    if bounds is not None:
        stated = Timing(known_hz, _stored_segments(path, bounds, rows), ())
    elif len(segments) == 1 and found.time is not None:
        stated = timing(path, Times.of(path, found.time, columns_of[found.time]), known_hz)
    return Recording(
        path=path,
        columns=tuple(chosen),
        samples=_samples(path, {name: columns_of[name] for name in chosen}, rows),
        rate_hz=stated.rate_hz,
        segments=stated.segments,
        notes=(*_left_out(arrays, columns_of, found), *turned, *found.notes, *stated.notes),
        rate_guessed=stated.guessed,
    )


def save_npz(path: Path, recording: Recording) -> None:
    """Write a recording so that ``load_npz`` reads the same."""
    channels: dict[str, Array] = dict(zip(recording.columns, recording.samples.T, strict=True))
    bounds = np.array([(segment.start, segment.end) for segment in recording.segments], np.int64)
    channels[SEGMENTS_NAME] = bounds.reshape(-1, 2)
    if recording.rate_hz is not None:
        channels[RATE_NAME] = np.array(recording.rate_hz)
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


def _numbered(arrays: dict[str, Array]) -> dict[str, Array]:
    """Return the arrays, dates and durations as nanoseconds, whose names say so."""
    numbered = {}
    for name, array in arrays.items():
        if (kind := array.dtype.kind) in "mM":
            numbered[f"{name} (ns)"] = array.astype(f"{kind}8[ns]").astype(np.int64)
        else:
            numbered[name] = array
    return numbered


def _is_scalar(array: Array) -> bool:
    return array.ndim == 0 and array.dtype.kind in "fiu"


def _scalar(path: Path, name: str, array: Array) -> float:
    if not _is_scalar(array) and stated_rates([name]):
        raise RecordingError(f"'{array}' is no sample rate; store a number", path=path, column=name)
    return float(array) if _is_scalar(array) else math.nan


def _upright(arrays: dict[str, Array]) -> tuple[dict[str, Array], list[str]]:
    """Return the arrays with samples along the last axis but one, and notes on those that were turned."""
    turned, notes = dict(arrays), []
    lengths = {len(array) for array in arrays.values() if array.ndim == 1}
    for name, array in arrays.items():
        if array.dtype.kind in "fiu" and array.ndim in (2, 3) and _lies(array.shape[-2:], lengths):
            turned[name] = np.swapaxes(array, -1, -2)
            notes.append(f"{name} is {' x '.join(map(str, array.shape))}: its rows are channels")
    return turned, notes


def _lies(shape: tuple[int, ...], lengths: set[int]) -> bool:
    """Tell whether a table has its channels first."""
    rows, width = shape
    if rows >= width or rows > MAX_CHANNELS:
        return False
    return width > MAX_CHANNELS or (width in lengths and rows not in lengths)


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


def _columns(path: Path, arrays: dict[str, Array], rows: int) -> tuple[dict[str, Array], tuple[Segment, ...]]:
    """Return what may be channels or times, by name, and the segments."""
    columns: dict[str, Array] = {}
    segments: tuple[Segment, ...] = (Segment(0, rows),)
    for name, array in arrays.items():
        if array.ndim == 0 or array.dtype.kind not in "fiu":
            continue
        if array.ndim > 3 or _length(array) != rows:
            _refuse_samples(path, name, array, rows)
            continue
        if array.ndim == 3:
            step = array.shape[1]
            segments = tuple(Segment(start, start + step) for start in range(0, rows, step))
        flat = array.reshape(rows, -1)
        names = [name] if array.ndim == 1 else channel_names(name, array.shape[-1])
        columns.update(zip(names, flat.T, strict=True))
    return columns, segments


def _refuse_samples(path: Path, name: str, array: Array, rows: int) -> None:
    """Integers of another length are an index; samples of another length are an error."""
    if array.dtype.kind == "f" and is_signal(name):
        message = f"has shape {array.shape}, the other arrays have {rows} samples; store one length per file"
        raise RecordingError(message, path=path, column=name)


def _choose(path: Path, columns: dict[str, Array], wanted: tuple[str, ...] | None, found: Roles) -> list[str]:
    names = list(columns)
    if wanted is not None:
        return [names[index] for index in find_columns(path, names, wanted)]
    check_width(path, found.channels)
    return list(found.channels)


def _left_out(arrays: dict[str, Array], columns: dict[str, Array], found: Roles) -> list[str]:
    """Return notes on what is no channel, tables as a whole."""
    single = [name for name in arrays if name not in columns]
    none = [name for name in columns if name not in found.channels]
    tables = [name for name in single if arrays[name].ndim > 1 and arrays[name].dtype.kind in "fiu"]
    rates = stated_rates(name for name in arrays if _is_scalar(arrays[name]))
    return [f"left out: {name}" for name in (*none, *single) if name not in (*tables, *rates)]


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
