"""MATLAB files: versions 4 to 7 through SciPy, version 7.3, which is HDF5, through h5py.

Source: MathWorks, "MAT-File Versions" and "MAT-File Format".
"""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording.columns import channel_names
from trainer.recordings.contents import Array, Contents

# Bearing Data Center, Case Western Reserve University: number of the file, place of the sensor.
_CWRU = re.compile(r"X\d+_(DE|FE|BA)_time")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_USER_BLOCK = 512
_DAMAGED = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    NameError,  # of a name that SciPy never set
    RuntimeError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
)


def read_mat(path: Path) -> Contents:
    """Return what a MAT file holds.

    Raises:
        RecordingError: If it is no MAT file, or damaged.
    """
    variables = _read_hdf5(path) if _is_hdf5(path) else _read_plain(path)
    vectors: dict[str, Array] = {}
    scalars: dict[str, float] = {}
    others: dict[str, str] = {}
    notes: list[str] = []
    for name, value in _flattened(variables):
        kind = _kind(value)
        if kind is not None:
            others[name] = kind
        elif np.size(value) == 1:
            scalars[name] = float(np.ravel(value)[0])
        else:
            array, turned = _upright(np.asarray(value))
            notes += [f"{name} is {' x '.join(map(str, np.shape(value)))}: its rows are channels"] * turned
            names = [name] if array.ndim == 1 else channel_names(name, array.shape[1])
            vectors.update(zip(names, np.atleast_2d(array.T), strict=True))
    vectors, aliases = _short_names(vectors)
    return Contents(vectors=vectors, scalars=scalars, others=others, aliases=aliases, notes=tuple(notes))


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as file:
        begin = file.read(_USER_BLOCK + len(_HDF5))
    return begin.startswith(_HDF5) or begin[_USER_BLOCK:] == _HDF5


def _read_plain(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat, whosmat
    from scipy.io.matlab import MatReadError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that occur twice: the last one counts
            content = loadmat(str(path), appendmat=False, simplify_cells=True)
            kinds = {name: kind for name, _, kind in whosmat(str(path), appendmat=False)}
    except (MatReadError, *_DAMAGED) as error:
        raise _unreadable(path, error) from error
    # SciPy reads logical values as integers.
    return {
        name: _Opaque("logical") if kinds.get(name) == "logical" else value
        for name, value in content.items()
        if not name.startswith("__")
    }


def _read_hdf5(path: Path) -> dict[str, Any]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return _group(file)
    except _DAMAGED as error:
        raise _unreadable(path, error) from error


def _group(group: Any) -> dict[str, Any]:  # noqa: ANN401 - h5py has no types
    """Return the variables of a group; a structure is a group, too."""
    import h5py

    # Cells and the like lie in groups named with #, and are reached by references.
    found = {name: group[name] for name in group if not name.startswith("#")}
    return {
        name: _group(item) if isinstance(item, h5py.Group) else _dataset(item) for name, item in found.items()
    }


def _dataset(item: Any) -> Any:  # noqa: ANN401 - h5py has no types
    kind = item.attrs.get("MATLAB_class", b"")
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)
    if kind in ("char", "cell", "logical", "function_handle") or item.dtype.kind not in "fiu":
        return _Opaque({"char": "text"}.get(kind, kind or "no plain numbers"))
    if "MATLAB_empty" in item.attrs:
        return np.empty(0)
    # MATLAB stores columns first.
    values = np.asarray(item[()])
    return values.T if kind else values


class _Opaque:
    """A variable that cannot be a channel."""

    def __init__(self, what: str) -> None:
        self.what = what


def _flattened(variables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the variables; fields of structures as structure.field."""
    for name, value in variables.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _kind(value: object) -> str | None:
    """Return why a variable cannot be a channel, or None if it can."""
    if isinstance(value, _Opaque):
        return value.what
    if isinstance(value, str):
        return "text"
    if not isinstance(value, np.ndarray | np.generic | int | float) or isinstance(value, bool):
        return "cells" if isinstance(value, list) else "no plain numbers"
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        return {"U": "text", "O": "cells", "c": "complex numbers", "b": "logical"}.get(
            array.dtype.kind, "no plain numbers"
        )
    if array.size != 1 and np.squeeze(array).ndim > 2:
        return " x ".join(str(length) for length in array.shape)
    return None


def _upright(array: Array) -> tuple[Array, bool]:
    """Return a vector or table of samples, time along its longer side, and whether it had to be turned."""
    flat = np.squeeze(array)
    if flat.ndim < 2:
        return flat.reshape(-1), False
    turned = flat.shape[1] > flat.shape[0]
    return (flat.T if turned else flat), turned


def _short_names(vectors: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the vectors, those of Case Western by the place of the sensor, and their long names.

    So one choice of columns fits all files; a file with several numbers keeps the long names.
    """
    found = {name: match[1] for name in vectors if (match := _CWRU.fullmatch(name))}
    if len(set(found.values())) < len(found) or set(found.values()) & set(vectors):
        return dict(vectors), {}
    return {found.get(name, name): values for name, values in vectors.items()}, found


def _unreadable(path: Path, error: Exception) -> RecordingError:
    first_line = (str(error) or type(error).__name__).splitlines()[0]
    return RecordingError(f"cannot be read as a MAT file: {first_line}; save it again", path=path)
