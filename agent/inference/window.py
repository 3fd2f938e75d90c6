"""Windows: which stretches of samples are judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from agent.decode import Range

FloatArray = npt.NDArray[np.float32]
IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class WindowSpec:
    """Length and step of the windows; ``hop == length`` makes them tumble, a smaller hop makes them slide."""

    length: Annotated[int, Range(4, 65536, "samples")]
    hop: Annotated[int, Range(1, 65536, "samples")]

    def __post_init__(self) -> None:
        if self.hop > self.length:
            raise ValueError(f"a hop of {self.hop} would skip samples between windows of {self.length}")


def window_starts(segments: Iterable[tuple[int, int]], spec: WindowSpec) -> IndexArray:
    """Return the first sample of every window that lies wholly inside one segment.

    Args:
        segments: Stretches without a gap as (start, end), end excluded.
        spec: Length and hop.

    Returns:
        Ascending sample indices, shape (n_windows,); each segment starts anew at its first sample.
    """
    starts = [np.arange(start, end - spec.length + 1, spec.hop) for start, end in segments]
    return np.concatenate(starts, dtype=np.int64) if starts else np.empty(0, np.int64)


def cut(samples: FloatArray, starts: IndexArray, length: int) -> FloatArray:
    """Return the windows that begin at ``starts``.

    Args:
        samples: Shape (n_samples, n_axes).
        starts: First sample of each window, shape (n_windows,).
        length: Samples per window.

    Returns:
        A copy, shape (n_windows, length, n_axes); in memory each axis of a window is contiguous, as
        ``WindowNumbers`` wants it.
    """
    if len(starts) == 0:
        return np.empty((0, length, samples.shape[1]), np.float32)
    by_axis = np.asfortranarray(samples)
    view = np.lib.stride_tricks.sliding_window_view(by_axis, length, axis=0)
    windows: FloatArray = view[starts]
    return windows.transpose(0, 2, 1)
