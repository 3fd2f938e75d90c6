"""Recordings by file name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording.acceleration import in_g
from firmware_bridge.recording.csv_file import load_csv
from firmware_bridge.recording.model import Recording
from firmware_bridge.recording.npz_file import load_npz, save_npz
from firmware_bridge.recording.wav_file import load_wav

_LOADERS = {".csv": load_csv, ".npz": load_npz, ".wav": load_wav}
ENDINGS = tuple(_LOADERS)
"""What the names of recordings end in."""


def load_recording(
    path: Path, *, columns: Sequence[str] | None = None, rate_hz: float | None = None
) -> Recording:
    """Read a CSV, NPZ or WAV recording.

    CSV: as loggers write it (``csv_layout``). A time column, known by its name, its unit or by climbing
    evenly (``roles``), gives the rate and the gaps (``time_axis``). NPZ: arrays (n,) are channels, (n, c)
    give c channels each, (files, n, c) give one segment per file, and are turned if their channels come
    first; a scalar such as ``sample_rate_hz`` or ``fs`` is the rate, and an array of times is read as a time
    column is. WAV: the counts of ``WavWriter``, with their side-car. Accelerations in other units come in g.

    Args:
        path: A ``.csv``, ``.npz`` or ``.wav`` file.
        columns: Channels in the wanted order, by name, with or without the unit; None for all but time
            stamps, counters and labels.
        rate_hz: Sample rate, if known; it must agree with the file's within 5 %.

    Raises:
        RecordingError: If the file is absent or damaged, a column is not found, a value is missing, not a
            number or not finite, time runs backwards, or the rates contradict each other. It names the file,
            line and column.
    """
    loader = _LOADERS.get(path.suffix.lower())
    if loader is None:
        raise RecordingError(f"not a recording; known are: {', '.join(_LOADERS)}", path=path)
    if not path.is_file():
        raise RecordingError("no such file; check the path", path=path)
    wanted = tuple(columns) if columns is not None else None
    if wanted == ():
        raise RecordingError("no columns were asked for; name at least one", path=path)
    return in_g(loader(path, wanted, rate_hz))


def save_recording(path: Path, recording: Recording) -> None:
    """Write a recording as NPZ; ``load_recording`` reads the same samples, rate and segments.

    Raises:
        RecordingError: If the name does not end in ``.npz``, or the file cannot be written.
    """
    if path.suffix.lower() != ".npz":
        raise RecordingError("recordings are written as .npz; change the name", path=path)
    try:
        save_npz(path, recording)
    except OSError as error:
        raise RecordingError(f"cannot be written: {error.strerror}", path=path) from error
