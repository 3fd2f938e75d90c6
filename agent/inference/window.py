"""Windows: which stretches of samples are judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from agent.decode import Range
from agent.inference.arrays import FloatArray

IndexArray = npt.NDArray[np.int64]

_CUT_AT_ONCE = 256


@dataclass(frozen=True)
class WindowSpec:
    """Length and step of windows, in samples; ``hop == length`` makes them tumble, a smaller hop slide."""

    length: Annotated[int, Range(4, 65536, "samples")]
    hop: Annotated[int, Range(1, 65536, "samples")]
    padding: Literal["none", "zeros"] = "none"
    """With ``zeros`` there is a window at every hop from the first sample of a stretch on; what it lacks on
    the left is zero. Otherwise the first window ends ``length`` samples after the stretch begins."""

    @property
    def lead(self) -> int:
        """How many samples the first window begins before its stretch."""
        return self.length - self.hop if self.padding == "zeros" else 0

    def __post_init__(self) -> None:
        if self.hop > self.length:
            raise ValueError(f"a hop of {self.hop} would skip samples between windows of {self.length}")


def window_starts(segments: Iterable[tuple[int, int]], spec: WindowSpec) -> IndexArray:
    """Return the first sample of every window that lies, but for its padding, inside one segment.

    Args:
        segments: Stretches without a gap as (start, end), end excluded.
        spec: Length and hop.

    Returns:
        Ascending sample indices, shape (n_windows,); each segment starts anew at its first sample, or
        ``spec.lead`` before it.
    """
    starts = [np.arange(start - spec.lead, end - spec.length + 1, spec.hop) for start, end in segments]
    return np.concatenate(starts, dtype=np.int64) if starts else np.empty(0, np.int64)


def segment_begins(segments: Iterable[tuple[int, int]], starts: IndexArray, length: int) -> IndexArray:
    """Return the first sample of the segment that each window lies in, shape (n_windows,).

    Args:
        segments: As for ``window_starts``.
        starts: What it gave.
        length: Samples per window.
    """
    begins = np.array([start for start, _ in segments], np.int64)
    found: IndexArray = begins[np.searchsorted(begins, starts + length - 1, side="right") - 1]
    return found


def cut(samples: FloatArray, starts: IndexArray, length: int, begins: IndexArray | None = None) -> FloatArray:
    """Return the windows that begin at ``starts``; what lies before the samples is zero.

    Args:
        samples: Shape (n_samples, n_axes).
        starts: First sample of each window, shape (n_windows,); negative if it is padded.
        length: Samples per window.
        begins: First sample of each window that counts, what lies before is zero; all if None.

    Returns:
        A copy, shape (n_windows, length, n_axes); in memory each axis of a window is contiguous, as
        ``WindowNumbers`` wants it.
    """
    windows = np.empty((len(starts), samples.shape[1], length), np.float32)
    # In parts, because a recording may be larger than memory.
    for part in range(0, len(starts), _CUT_AT_ONCE):
        chosen = slice(part, part + _CUT_AT_ONCE)
        windows[chosen] = _cut_near(samples, starts[chosen], length)
    if begins is not None:
        for padded in np.flatnonzero(begins > starts):
            windows[padded, :, : begins[padded] - starts[padded]] = 0.0
    return windows.transpose(0, 2, 1)


def _cut_near(samples: FloatArray, starts: IndexArray, length: int) -> FloatArray:
    """Return windows, shape (n_windows, n_axes, length), after copying the stretch that they lie in."""
    first, end = int(starts.min()), int(starts.max()) + length
    lead = max(-first, 0)
    stretch = samples[max(first, 0) : end]
    by_axis = np.asfortranarray(np.pad(stretch, ((lead, 0), (0, 0))) if lead else stretch)
    windows: FloatArray = np.lib.stride_tricks.sliding_window_view(by_axis, length, axis=0)[starts - first]
    return windows
