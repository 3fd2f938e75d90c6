"""Slow process values: no waveform and no network, but where each channel stands and how much it varies.

A flow or a temperature read once a second has no spectrum. What matters is the level, which for vibration is
the mounting angle and removed; and the level drifts, further than a short recording shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from agent.inference.arrays import FloatArray
from agent.inference.columns import Columns, ValueColumns, VariationColumns
from agent.inference.distance import DistancePart
from agent.inference.window_numbers import WindowNumbers
from trainer.errors import DataError
from trainer.parts.distances import Drift, fit_distance, median_deviation
from trainer.rounding import short

_DRIFT_TIMES = 6.0
"""A random walk whose stretches scatter by a variance v has moved by 6 v, in the mean square, after as long
again."""

_VARIATION_WEIGHT = 0.001
"""A guard: a channel that hunts, or freezes, is flagged when that is beyond doubt."""

_VARIATION_FLOOR = 0.5
_LEAST_SPREAD = 0.1
"""Of a window's value in spreads of the samples, and of the logarithm of its variation."""
_LEAST_OF_DEVIATION = 0.3
_DECILES_TO_SIGMA = 2.563


def fit_process(
    windows: FloatArray, axes: Sequence[str], independence: float, stretches: int
) -> tuple[DistancePart, DistancePart]:
    """Return the parts that watch the channels' values and their variation, without tails.

    Args:
        windows: Of a healthy machine in the order of time, shape (n_windows, length, n_channels).
        axes: Names of the channels.
        independence: Independent windows per window; see ``distances``.
        stretches: Consecutive parts of the recording whose means show the drift: one for each fold.

    Raises:
        DataError: If a channel does not vary.
    """
    samples = windows.reshape(-1, windows.shape[2]).astype(np.float64)
    spread = _spreads(samples)
    for axis, value in zip(axes, spread, strict=True):
        if not value > 0:
            raise DataError(f"channel '{axis}' has one value in all windows; leave it out with --columns")
    value_columns = ValueColumns("value", short(np.median(samples, axis=0)), short(spread))
    variation = VariationColumns("variation", short(spread), _VARIATION_FLOOR)
    numbers = WindowNumbers(windows)

    def part(name: str, weight: float, columns: Columns, drift: Drift | None) -> DistancePart:
        values = columns.of(numbers).astype(np.float64)
        spread = np.maximum(median_deviation(values), _LEAST_SPREAD)
        return fit_distance(
            name,
            weight=weight,
            columns=columns,
            numbers=values,
            spread=spread,
            independence=independence,
            drift=drift,
        )

    watched = part("value", 1.0 - _VARIATION_WEIGHT, value_columns, Drift(stretches, _DRIFT_TIMES))
    return replace(watched, power=0.5), part("variation", _VARIATION_WEIGHT, variation, None)


def _spreads(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the spread of each channel of samples, shape (n_samples, n_channels), as a standard deviation.

    The largest of three estimates: half of a coarse converter's samples may be the same number.
    """
    low, high = np.quantile(samples, (0.1, 0.9), axis=0)
    estimates = (
        median_deviation(samples),
        (high - low) / _DECILES_TO_SIGMA,
        _LEAST_OF_DEVIATION * samples.std(axis=0),
    )
    return np.asarray(np.maximum.reduce(estimates), np.float64)
