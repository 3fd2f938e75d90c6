"""Folds: every healthy window takes part in calibration, and none is judged by what it taught."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from agent.inference.window import WindowSpec, cut, window_starts
from firmware_bridge.recording import Recording
from trainer.errors import DataError

FloatArray = npt.NDArray[np.float32]
IndexArray = npt.NDArray[np.int64]

FOLDS = 5
"""Contiguous blocks that each recording is cut into; block k of every recording is fold k."""

MIN_INDEPENDENT = 10
"""Windows laid end to end that there must be: with fewer no line can be placed that means anything."""


@dataclass(frozen=True)
class FoldedWindows:
    """Windows with the fold that each belongs to; none spans a gap or two blocks."""

    windows: FloatArray
    """Shape (n_windows, length, n_axes)."""
    fold: IndexArray
    """Fold of each window, 0 to ``FOLDS`` - 1, shape (n_windows,)."""
    session: IndexArray
    """Recording of each window, shape (n_windows,)."""
    independent: float
    """Windows laid end to end: overlapping ones are not independent."""


def fold_windows(recordings: Sequence[Recording], spec: WindowSpec) -> FoldedWindows:
    """Cut recordings into folds and these into windows.

    Args:
        recordings: Of a healthy machine, all with the same columns.
        spec: Length and hop.

    Raises:
        DataError: If a fold has no window, or there are too few windows.
    """
    windows: list[FloatArray] = []
    folds: list[IndexArray] = []
    sessions: list[IndexArray] = []
    for session, recording in enumerate(recordings):
        for number, segments in enumerate(_blocks(recording)):
            starts = window_starts(segments, spec)
            windows.append(cut(recording.samples, starts, spec.length))
            folds.append(np.full(len(starts), number))
            sessions.append(np.full(len(starts), session))
    fold = np.concatenate(folds)
    independent = len(fold) * spec.hop / spec.length
    if len(np.unique(fold)) < FOLDS or independent < MIN_INDEPENDENT:
        needed = (MIN_INDEPENDENT + FOLDS) * spec.length
        raise DataError(
            f"too short: windows of {spec.length} samples need {needed} samples without a gap, there are "
            f"{sum(len(recording.samples) for recording in recordings)}; record longer, or choose a smaller "
            "--window"
        )
    together = np.concatenate([part.transpose(0, 2, 1) for part in windows]).transpose(0, 2, 1)
    return FoldedWindows(together, fold, np.concatenate(sessions), independent)


def _blocks(recording: Recording) -> list[list[tuple[int, int]]]:
    """Return the stretches of each block: the recording's segments, cut at the blocks' borders."""
    borders = np.linspace(0, len(recording.samples), FOLDS + 1).round().astype(int).tolist()
    return [
        [
            (max(segment.start, begin), min(segment.end, end))
            for segment in recording.segments
            if segment.start < end and segment.end > begin
        ]
        for begin, end in pairwise(borders)
    ]
