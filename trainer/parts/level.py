"""Fitting of the level part: how loud each axis of a healthy machine is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agent.inference.arrays import FloatArray
from agent.inference.features import centred
from agent.inference.level import LevelPart, rms_columns
from trainer.networks.features import check_moving
from trainer.rounding import short

_MIN_SPREAD = 0.02


def fit_level(windows: FloatArray, axes: Sequence[str]) -> LevelPart:
    """Return the level part, with a weight of 1 and without its tails.

    The spread is read from the upper and the lower decile, and never less than 2 % of the median.

    Args:
        windows: Training windows, shape (n_windows, length, n_axes).
        axes: Names of the axes.

    Raises:
        DataError: If an axis is silent in half of the windows.
    """
    rms = rms_columns(centred(windows)).astype(np.float64)
    median = np.median(rms, axis=0)
    check_moving(median, axes)
    low, high = np.quantile(rms / median, (0.1, 0.9), axis=0)
    return LevelPart(
        kind="level",
        name="level",
        weight=1.0,
        median_rms_g=short(median),
        high=short(np.maximum(high - 1.0, _MIN_SPREAD)),
        low=short(np.maximum(1.0 - low, _MIN_SPREAD)),
    )
