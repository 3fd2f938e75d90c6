"""Recordings by file name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording import ENDINGS as GATEWAY_ENDINGS
from firmware_bridge.recording import Recording
from firmware_bridge.recording import load_recording as load_gateway_recording
from firmware_bridge.recording.acceleration import in_g
from trainer.recordings.contents import Contents, assemble

# Ending to reader; loaded only when a file asks for it.
_READERS = {
    ".mat": "trainer.recordings.mat_file:read_mat",
    ".parquet": "trainer.recordings.parquet_file:read_parquet",
    ".uff": "trainer.recordings.uff_file:read_uff",
    ".unv": "trainer.recordings.uff_file:read_uff",
}
ENDINGS = (*GATEWAY_ENDINGS, *_READERS)
"""What the names of recordings end in."""


def load_recording(
    path: Path, *, columns: Sequence[str] | None = None, rate_hz: float | None = None
) -> Recording:
    """Read a recording: CSV, NPZ or WAV as the gateway does, or MAT, Parquet or UFF.

    MAT (version 4 to 7.3): vectors are channels, matrices give one each column, fields of structures are
    named ``structure.field``; a scalar such as ``fs`` is the rate. Vectors of the Case Western Reserve
    bearing data (``X097_DE_time``) are called ``DE``, ``FE`` and ``BA``, and may be asked for by either name.
    Parquet: columns of numbers are channels. UFF: the time responses of data sets 58. Time stamps are checked
    as those of CSV files are: they give rate and gaps.

    Args:
        path: The file.
        columns: Channels in the wanted order, by name, with or without the unit; None for all.
        rate_hz: Sample rate in Hz, if known; it must agree with the file's within 5 %.

    Raises:
        RecordingError: If the file is absent or damaged, a channel is not found, the channels are of
            different lengths and none was asked for, a value is missing or not finite, time runs backwards,
            or the rates contradict each other. It names the file and what it holds.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None and path.suffix.lower() in GATEWAY_ENDINGS:
        return load_gateway_recording(path, columns=columns, rate_hz=rate_hz)
    if reader is None:
        raise RecordingError(f"not a recording; known are: {', '.join(ENDINGS)}", path=path)
    if not path.is_file():
        raise RecordingError("no such file; check the path", path=path)
    wanted = tuple(columns) if columns is not None else None
    if wanted == ():
        raise RecordingError("no columns were asked for; name at least one", path=path)
    return in_g(assemble(path, _load(reader)(path), wanted, rate_hz))


def _load(name: str) -> Callable[[Path], Contents]:
    module, _, function = name.partition(":")
    reader: Any = getattr(importlib.import_module(module), function)
    found: Callable[[Path], Contents] = reader
    return found
