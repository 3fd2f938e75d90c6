"""Folds: every healthy window takes part in calibration, and none is judged by what it taught."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from agent.inference.arrays import FloatArray
from agent.inference.window import WindowSpec, cut, segment_begins, window_starts
from firmware_bridge.recording import Recording
from trainer.errors import DataError
from trainer.settings import FOLDS

IndexArray = npt.NDArray[np.int64]


MIN_INDEPENDENT = 10
"""Windows laid end to end that there must be: with fewer no line can be placed that means anything."""

MAX_WINDOWS = 20_000
"""Longer recordings are thinned evenly, before they are cut: more windows only take time and memory."""


@dataclass(frozen=True)
class FoldedWindows:
    """Windows with the fold that each belongs to; none spans a gap or two blocks."""

    windows: FloatArray
    """Shape (n_windows, length, n_axes)."""
    fold: IndexArray
    """Fold of each window, from 0, shape (n_windows,)."""
    session: IndexArray
    """Recording of each window, shape (n_windows,)."""
    count: int
    """Number of folds."""
    independent: float
    """Windows laid end to end: overlapping ones are not independent."""

    @property
    def independence(self) -> float:
        """Independent windows per window: hop over length, both in samples."""
        return self.independent / len(self.windows)

    def stretches(self, windows: FloatArray) -> int:
        """Return how many folds' worth some of the windows are, 2 or more."""
        return max(round(self.count * len(windows) / len(self.windows)), 2)


def fold_windows(recordings: Sequence[Recording], spec: WindowSpec, count: int = FOLDS) -> FoldedWindows:
    """Cut recordings into folds and these into windows, ``MAX_WINDOWS`` or fewer.

    Args:
        recordings: Of a healthy machine, all with the same columns.
        spec: Length and hop, in samples.
        count: Number of folds.

    Raises:
        DataError: If a fold has no window, or there are too few windows.
    """
    pieces = [
        (session, fold, window_starts(stretches, WindowSpec(spec.length, spec.hop)))
        for session, recording in enumerate(recordings)
        for fold, stretches in enumerate(_blocks(recording, count, spec.lead))
    ]
    session, fold, starts = _thinned(pieces)
    hop = min(spec.hop * _step(pieces), spec.length)
    independent = len(starts) * hop / spec.length
    if len(np.unique(fold)) < count or independent < MIN_INDEPENDENT:
        raise _too_short(recordings, spec, count)
    windows = [
        _cut(recording, starts[session == number], spec.length) for number, recording in enumerate(recordings)
    ]
    return FoldedWindows(np.concatenate(windows).transpose(0, 2, 1), fold, session, count, independent)


def session_groups(session: IndexArray, most: int) -> list[IndexArray]:
    """Return the recordings that are left out together: each by itself, or in ``most`` groups if more.

    Args:
        session: Recording of each window, shape (n_windows,).
        most: Largest number of groups.

    Returns:
        The recordings' numbers; nothing if there is only one recording.
    """
    present = np.unique(session)
    return list(np.array_split(present, min(len(present), most))) if len(present) > 1 else []


def _too_short(recordings: Sequence[Recording], spec: WindowSpec, count: int) -> DataError:
    needed = (MIN_INDEPENDENT + count) * spec.length
    available = sum(len(recording.samples) for recording in recordings)
    gaps = sum(len(recording.segments) - 1 for recording in recordings)
    return DataError(
        f"too short: windows of {spec.length} samples need {needed} samples without a gap, there are "
        f"{available}{f' with {gaps} gaps' if gaps else ''}; record longer, or choose a smaller --window"
    )


def _step(pieces: Sequence[tuple[int, int, IndexArray]]) -> int:
    return max(math.ceil(sum(len(starts) for _, _, starts in pieces) / MAX_WINDOWS), 1)


def _thinned(pieces: Sequence[tuple[int, int, IndexArray]]) -> tuple[IndexArray, IndexArray, IndexArray]:
    """Return session, fold and first sample of every window that is kept, each of shape (n_windows,)."""
    step = _step(pieces)
    kept = [(session, fold, starts[::step]) for session, fold, starts in pieces]
    sessions = np.concatenate([np.full(len(starts), session, np.int64) for session, _, starts in kept])
    folds = np.concatenate([np.full(len(starts), fold, np.int64) for _, fold, starts in kept])
    return sessions, folds, np.concatenate([starts for _, _, starts in kept])


def _cut(recording: Recording, starts: IndexArray, length: int) -> FloatArray:
    """Return windows as they lie in memory, shape (n_windows, n_axes, length)."""
    segments = [(segment.start, segment.end) for segment in recording.segments]
    begins = segment_begins(segments, starts, length)
    return cut(recording.samples, starts, length, begins).transpose(0, 2, 1)


def _blocks(recording: Recording, count: int, lead: int) -> list[list[tuple[int, int]]]:
    """Return the stretches of each block: the recording's segments, cut at the blocks' borders.

    A segment's first stretch begins ``lead`` samples earlier, for windows that are padded there.
    """
    borders = np.linspace(0, len(recording.samples), count + 1).round().astype(int).tolist()
    return [
        [
            (segment.start - lead if segment.start >= begin else begin, min(segment.end, end))
            for segment in recording.segments
            if segment.start < end and segment.end > begin
        ]
        for begin, end in pairwise(borders)
    ]
