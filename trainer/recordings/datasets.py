"""Recordings as the trainer takes them: where they come from, and whether they go together."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from agent.inference.manifest import RATE_TOLERANCE
from agent.inference.window import WindowSpec
from firmware_bridge.recording import Recording
from trainer.errors import DataError
from trainer.recordings import load_recording

_WINDOW_S = 0.64
_HOP_S = 0.04
_UNKNOWN_RATE_LENGTH = 64
_CHUNK_ROWS = 1_000_000
_REPEATED_SHARE = 0.01
"""Noise makes rows of several channels differ; so many equal ones in a row are no chance."""


@dataclass(frozen=True)
class Source:
    """A recording and where it comes from."""

    name: str
    """File name, without its folder."""
    sha256: str
    """Of the file; of the samples if they never were in one."""
    recording: Recording


def load_source(path: Path, columns: Sequence[str] | None, rate_hz: float | None) -> Source:
    """Read a recording and hash its file.

    Args:
        path: The file.
        columns: Columns wanted, in order; None for all channels.
        rate_hz: Sample rate in Hz, if the file does not hold it.

    Raises:
        RecordingError: If the file cannot be read as a recording.
    """
    recording = load_recording(path, columns=columns, rate_hz=rate_hz)
    repeated = _repeated_rows(recording)
    if repeated > _REPEATED_SHARE * len(recording.samples):
        rows = len(recording.samples)
        note = f"{repeated} of {rows} rows repeat the row before: sensor read too often, or held"
        recording = replace(recording, notes=(*recording.notes, note))
    with path.open("rb") as file:
        return Source(path.name, hashlib.file_digest(file, "sha256").hexdigest(), recording)


def _repeated_rows(recording: Recording) -> int:
    """Return how many samples are, in all channels of two or more, those of the row before."""
    samples = recording.samples
    if samples.shape[1] < 2:
        return 0
    chunks = (samples[first : first + _CHUNK_ROWS + 1] for first in range(0, len(samples), _CHUNK_ROWS))
    return sum(int((chunk[1:] == chunk[:-1]).all(axis=1).sum()) for chunk in chunks)


def simulated_source(name: str, recording: Recording) -> Source:
    """Return a source for a recording that was made in memory."""
    samples = np.ascontiguousarray(recording.samples)
    return Source(name, hashlib.sha256(samples.tobytes()).hexdigest(), recording)


def default_length(rate_hz: float | None) -> int:
    """Return the samples per window: 0.64 s as the nearest power of two, 32 to 512; 64 at an unknown rate.

    0.64 s is short enough for an alarm within half a second and long enough for a spectrum.
    """
    if rate_hz is None:
        return _UNKNOWN_RATE_LENGTH
    return min(max(int(2.0 ** round(math.log2(_WINDOW_S * rate_hz))), 32), 512)


def default_hop(length: int, rate_hz: float | None) -> int:
    """Return the samples between windows: 0.04 s, but a quarter of a window at most and a sixteenth at least.

    An alarm takes two of three windows, and so up to three hops.
    """
    longest, shortest = max(length // 4, 1), max(length // 16, 1)
    return longest if rate_hz is None else min(max(round(_HOP_S * rate_hz), shortest), longest)


def choose_window(
    rate_hz: float | None,
    length: int | None = None,
    hop: int | None = None,
    padding: Literal["none", "zeros"] = "none",
) -> WindowSpec:
    """Return the window as asked for, and by default of ``default_length``, moved on by ``default_hop``.

    Args:
        rate_hz: Sample rate in Hz, or None.
        length: In samples, or None.
        hop: Samples between the beginnings of windows, or None.
        padding: See ``WindowSpec``.

    Raises:
        DataError: If the hop is longer than the window.
    """
    length = length or default_length(rate_hz)
    try:
        return WindowSpec(length, hop or default_hop(length, rate_hz), padding)
    except ValueError as error:
        raise DataError(f"{error}; choose a smaller --hop") from error


def common_rate(sources: Sequence[Source]) -> float | None:
    """Return the recordings' sample rate, to four digits, or None if none of them knows it.

    Raises:
        DataError: If the rates differ by more than 5 %, or only some are known.
    """
    known = [source for source in sources if source.recording.rate_hz is not None]
    if not known:
        return None
    if len(known) < len(sources):
        lacking = next(source for source in sources if source.recording.rate_hz is None)
        raise DataError(f"{lacking.name}: has no sample rate, other recordings have; state it with --rate")
    rates = np.array([source.recording.rate_hz for source in known], np.float64)
    median = float(np.median(rates))
    worst = int(np.argmax(np.abs(rates - median)))
    if abs(rates[worst] - median) > RATE_TOLERANCE * median:
        raise DataError(
            f"{known[worst].name}: sampled at {rates[worst]:.4g} Hz, the others at {median:.4g} Hz; "
            "train one model per rate"
        )
    return float(f"{median:.4g}")


def check_sources(sources: Sequence[Source]) -> tuple[str, ...]:
    """Return the names of the recordings' columns.

    Raises:
        DataError: If the columns differ, or a channel is constant.
    """
    axes = _common_columns(sources)
    for source in sources:
        _check_moving(source)
    return axes


def _common_columns(sources: Sequence[Source]) -> tuple[str, ...]:
    first = sources[0]
    for source in sources:
        if source.recording.columns != first.recording.columns:
            raise DataError(
                f"{source.name}: has columns {', '.join(source.recording.columns)}, {first.name} has "
                f"{', '.join(first.recording.columns)}; choose common ones with --columns"
            )
    return first.recording.columns


def _check_moving(source: Source) -> None:
    samples = source.recording.samples
    if len(samples) == 0:
        raise DataError(f"{source.name}: holds no samples")
    for column, spread in zip(source.recording.columns, np.ptp(samples, axis=0), strict=True):
        if not spread > 0:
            raise DataError(
                f"{source.name}, column '{column}': is constant, nothing can be learnt from it; "
                "name the others with --columns"
            )
