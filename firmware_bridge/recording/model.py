"""A recording in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from firmware_bridge.arrays import FloatArray


@dataclass(frozen=True)
class Segment:
    """A stretch of rows without a gap, ``start`` included, ``end`` excluded."""

    start: int
    end: int


@dataclass(frozen=True)
class Recording:
    """The samples of one file, shape (n_samples, n_channels), and what is known of them."""

    path: Path
    columns: tuple[str, ...]
    """Names of the channels, stripped of blanks."""
    samples: FloatArray
    """Shape (n_samples, n_channels), in the file's unit (g for acceleration)."""
    rate_hz: float | None
    """Sample rate: given by the caller, stored in the file, or measured from its time column; else None."""
    segments: tuple[Segment, ...]
    """The stretches between gaps, in order; one when there is no gap."""
    notes: tuple[str, ...]
    """What the loader found and the reader should know: gaps, jitter, duplicated time stamps."""
    rate_guessed: bool = False
    """The rate is that of times without a unit, taken for seconds."""


def find_unusable(values: npt.NDArray[np.generic]) -> npt.NDArray[np.intp]:
    """Return where a value is not finite, or too large for a 32-bit float, as flat indices, shape (n,)."""
    # Not a number is not below anything.
    return np.flatnonzero(~(np.abs(values) <= np.finfo(np.float32).max))
