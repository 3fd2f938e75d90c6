"""Samples that arrive in pieces: few stay in memory, many go to a temporary file, which is mapped."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from firmware_bridge.arrays import Array
from firmware_bridge.errors import RecordingError

MEMORY_BYTES = 1 << 26
"""What stays in memory, 64 MiB: an hour of three axes at 1.5 kHz."""

ROWS = 1 << 16
"""Rows that are worked on at a time."""


class SampleStore:
    """Takes rows, and gives them back as one array of shape (n_rows, n_columns).

    The temporary file has no name: it is gone when the array is, whatever happens. ``TMPDIR`` says on which
    disk it lies.
    """

    def __init__(self, path: Path, n_columns: int, dtype: npt.DTypeLike = np.float32) -> None:
        """Begin empty.

        Args:
            path: The recording, for messages.
            n_columns: Width of a row.
            dtype: Of the numbers.
        """
        self._path = path
        self._n_columns = n_columns
        self._dtype = np.dtype(dtype)
        self._pieces: list[Array] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None

    def append(self, rows: Array) -> None:
        """Take rows, shape (n, n_columns).

        Raises:
            RecordingError: If the disk of temporary files is full.
        """
        piece = np.ascontiguousarray(rows, self._dtype)
        self._bytes += piece.nbytes
        try:
            if self._file is not None:
                self._file.write(piece.data)
                return
            self._pieces.append(piece)
            if self._bytes > MEMORY_BYTES:
                self._spill()
        except OSError as error:
            raise self._full(error) from error

    def finish(self) -> Array:
        """Return all rows, shape (n_rows, n_columns); the store is empty then.

        Raises:
            RecordingError: If the disk of temporary files is full.
        """
        shape = (self._bytes // (self._dtype.itemsize * self._n_columns), self._n_columns)
        if self._file is None:
            pieces, self._pieces = self._pieces, []
            return np.concatenate(pieces) if pieces else np.empty(shape, self._dtype)
        file, self._file = self._file, None
        try:
            with file:
                file.flush()
                mapped: Array = np.memmap(file, self._dtype, "r", shape=shape)
        except OSError as error:
            raise self._full(error) from error
        return mapped

    def _spill(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="judder-")  # noqa: SIM115 - closed by finish
        for piece in self._pieces:
            self._file.write(piece.data)
        self._pieces = []

    def _full(self, error: OSError) -> RecordingError:
        return RecordingError(
            f"is larger than memory should be, and {tempfile.gettempdir()} cannot take it: {error.strerror}; "
            "set TMPDIR to a folder with more room",
            path=self._path,
        )
