"""Parquet tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from firmware_bridge.errors import RecordingError
from trainer.recordings.contents import Array, Contents, TimeArray

_TICKS_PER_S = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_INDEX = "__index_level_"


def read_parquet(path: Path) -> Contents:
    """Return what a Parquet file holds.

    Raises:
        RecordingError: If it is no Parquet file, damaged, or a value of a channel is missing.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        # Only this file: a folder beside it may look like partitions.
        table = pyarrow.parquet.ParquetFile(path).read()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        first_line = str(error).splitlines()[0]
        message = f"cannot be read as Parquet: {first_line}; save it again"
        raise RecordingError(message, path=path) from error
    return _contents(path, table)


def _contents(path: Path, table: Any) -> Contents:  # noqa: ANN401 - pyarrow has no types
    import pyarrow.types

    vectors: dict[str, Array] = {}
    times_s: dict[str, TimeArray] = {}
    others: dict[str, str] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if name in vectors or name in times_s or name in others:
            raise RecordingError("this name occurs twice; rename one", path=path, column=name)
        if pyarrow.types.is_timestamp(kind) or pyarrow.types.is_duration(kind):
            times_s[name] = _times(path, name, column)
        elif pyarrow.types.is_decimal(kind):
            vectors[name] = _numbers(column.cast(pyarrow.float64()))
        elif (pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind)) and not name.startswith(
            _INDEX
        ):
            vectors[name] = _numbers(column)
        else:
            others[name] = str(kind)
    return Contents(vectors=vectors, times_s=times_s, others=others, scalars=_rate(table.schema.metadata))


def _numbers(column: Any) -> Array:  # noqa: ANN401 - pyarrow has no types
    """Return the values; missing ones as not a number, which is refused when the channel is chosen."""
    values: Array = np.asarray(column.to_numpy())
    return values.astype(np.float64) if values.dtype.kind == "O" else values


def _times(path: Path, name: str, column: Any) -> TimeArray:  # noqa: ANN401 - pyarrow has no types
    import pyarrow

    if column.null_count:
        raise RecordingError("a time is missing; fill it or cut the row out", path=path, column=name)
    ticks = np.asarray(column.cast(pyarrow.int64()).to_numpy())
    if len(ticks) == 0:
        return np.empty(0)
    # Seconds since 1970 in nanoseconds are more than a float holds exactly.
    return np.asarray((ticks - ticks[0]) / _TICKS_PER_S[column.type.unit], np.float64)


def _rate(metadata: dict[bytes, bytes] | None) -> dict[str, float]:
    """Return the numbers of the table's own metadata, such as a sample rate."""
    found = {}
    for key, value in (metadata or {}).items():
        try:
            found[key.decode("utf-8", "replace")] = float(value)
        except ValueError:
            continue
    return found
