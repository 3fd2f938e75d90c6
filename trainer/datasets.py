"""From recordings to training, validation and test windows, in the order of time."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agent.inference.window import WindowSpec, cut, window_starts
from firmware_bridge.recording import Recording
from trainer.errors import DataError
from trainer.recordings import load_recording

FloatArray = npt.NDArray[np.float32]

TRAIN_END, VALIDATION_END = 0.6, 0.8
"""Shares of each recording, in samples, at which the validation and the test part begin."""

SMALLEST_SHARE = 0.2
"""Of the validation and of the test part."""

MIN_INDEPENDENT = 5
"""Windows laid end to end that each part must hold: fewer cannot show a false-alarm rate below 1/5."""

MAX_TRAINING_WINDOWS = 20_000
"""Longer recordings are thinned evenly: more windows only take longer."""

_TRAINING_OVERLAP = 4
_RATE_TOLERANCE = 0.05
_WINDOW_S = 0.64
_UNKNOWN_RATE_LENGTH = 64


@dataclass(frozen=True)
class Source:
    """A recording and where it comes from."""

    name: str
    """File name, without its folder."""
    sha256: str
    """Of the file; of the samples if they never were in one."""
    recording: Recording


@dataclass(frozen=True)
class WindowSet:
    """The windows of one part of the split."""

    windows: FloatArray
    """Shape (n_windows, length, n_axes)."""
    independent: float
    """Number of independent windows among them: overlapping ones count as hop / length."""


@dataclass(frozen=True)
class Dataset:
    """Windows that never span a gap, nor a border between the parts."""

    sources: tuple[Source, ...]
    axes: tuple[str, ...]
    rate_hz: float | None
    """None if the recordings do not say."""
    window: WindowSpec
    train: WindowSet
    """First 60 % of each recording: network and scaling. Four windows per hop, because the network must
    know the machine at every phase; with fewer it learns the windows by heart."""
    validation: WindowSet
    """Next 20 %: early stopping and calibration."""
    test: WindowSet
    """Last 20 %: untouched until the false alarms are counted."""


def load_source(path: Path, columns: Sequence[str] | None, rate_hz: float | None) -> Source:
    """Read a recording and hash its file.

    Args:
        path: The file.
        columns: Columns wanted, in order; None for all channels.
        rate_hz: Sample rate if the file does not hold it.

    Raises:
        RecordingError: If the file cannot be read as a recording.
    """
    recording = load_recording(path, columns=columns, rate_hz=rate_hz)
    return Source(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), recording)


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


def choose_window(rate_hz: float | None, length: int | None = None, hop: int | None = None) -> WindowSpec:
    """Return the window as asked for, and by default of ``default_length`` and moved on by a quarter of it.

    Args:
        rate_hz: Sample rate, or None.
        length: Samples per window, or None.
        hop: Samples between windows, or None.

    Raises:
        DataError: If the hop is longer than the window.
    """
    length = length or default_length(rate_hz)
    try:
        return WindowSpec(length, hop or max(length // 4, 1))
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
    if abs(rates[worst] - median) > _RATE_TOLERANCE * median:
        raise DataError(
            f"{known[worst].name}: sampled at {rates[worst]:.4g} Hz, the others at {median:.4g} Hz; "
            "train one model per rate"
        )
    return float(f"{median:.4g}")


def build_dataset(sources: Sequence[Source], length: int | None = None, hop: int | None = None) -> Dataset:
    """Check the recordings and cut them into windows.

    Args:
        sources: One or more recordings of the healthy machine.
        length: Samples per window, or None for ``default_length``.
        hop: Samples between windows, or None for a quarter of the length.

    Raises:
        DataError: If columns or rates differ, a channel is constant, or there is too little to learn from.
    """
    axes = check_sources(sources)
    rate_hz = common_rate(sources)
    window = choose_window(rate_hz, length, hop)
    dense = WindowSpec(window.length, max(window.hop // _TRAINING_OVERLAP, 1))
    train = _windows(sources, dense, 0.0, TRAIN_END)
    validation = _windows(sources, window, TRAIN_END, VALIDATION_END)
    test = _windows(sources, window, VALIDATION_END, 1.0)
    _check_enough(sources, window, min(part.independent for part in (train, validation, test)))
    return Dataset(tuple(sources), axes, rate_hz, window, _thinned(train), validation, test)


def pieces(recording: Recording, begin: float, end: float) -> list[tuple[int, int]]:
    """Return the gap-free stretches of a recording between two shares of its samples, as (start, end)."""
    n_samples = len(recording.samples)
    low, high = round(begin * n_samples), round(end * n_samples)
    clipped = ((max(segment.start, low), min(segment.end, high)) for segment in recording.segments)
    return [(start, stop) for start, stop in clipped if start < stop]


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


def _windows(sources: Sequence[Source], window: WindowSpec, begin: float, end: float) -> WindowSet:
    windows = []
    for source in sources:
        starts = window_starts(pieces(source.recording, begin, end), window)
        windows.append(cut(source.recording.samples, starts, window.length))
    together = np.concatenate(windows)
    return WindowSet(together, len(together) * window.hop / window.length)


def _thinned(dense: WindowSet) -> WindowSet:
    step = math.ceil(len(dense.windows) / MAX_TRAINING_WINDOWS)
    return dense if step == 1 else WindowSet(dense.windows[::step], dense.independent)


def _check_enough(sources: Sequence[Source], window: WindowSpec, independent: float) -> None:
    if independent >= MIN_INDEPENDENT:
        return
    windows = math.ceil(MIN_INDEPENDENT * window.length / window.hop)
    needed = math.ceil((window.length + (windows - 1) * window.hop) / SMALLEST_SHARE)
    available = sum(len(source.recording.samples) for source in sources)
    gaps = sum(len(source.recording.segments) - 1 for source in sources)
    raise DataError(
        f"too short: windows of {window.length} samples need {needed} samples without a gap, there are "
        f"{available}{f' with {gaps} gaps' if gaps else ''}; record longer, or choose a smaller --window"
    )
