"""Fitting of the distance parts: healthy centre, spread and covariance of a window's numbers.

``independence`` is the number of independent windows per window: windows that overlap teach less about a
covariance than their number says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn.covariance import empirical_covariance, ledoit_wolf, shrunk_covariance

from agent.inference.arrays import FloatArray
from agent.inference.columns import BandColumns, BandScale, Columns, TimeColumns
from agent.inference.distance import DistancePart
from agent.inference.features import amplitude_spectrum, mean_square
from agent.inference.window_numbers import WindowNumbers
from trainer.rounding import short
from trainer.settings import USUAL_BANDS

_MAD_TO_SIGMA = 1.4826
_CLIP = 8.0
"""Robust deviations at which a number is clipped before the covariance is taken."""
_SPREAD_FLOOR = 1e-6
_FLOOR_SHARE, _LEAST_FLOOR = 0.2, 1e-6
"""A fifth of the median, which is the noise floor (see ``scaling``), of the healthy total."""


@dataclass(frozen=True)
class Drift:
    """How far a machine may drift beyond what was seen."""

    stretches: int
    """Consecutive parts of the recording whose means show the drift."""
    times: float
    """The covariance of these means is added to that of the windows so many times."""


def fit_time(windows: FloatArray, weight: float, independence: float) -> DistancePart:
    """Fit the part that watches level, crest factor and form factor.

    Args:
        windows: Centred, of a healthy machine, shape (n_windows, length, n_axes).
        weight: Of the part.
        independence: Independent windows per window.
    """
    magnitude = np.abs(windows)
    rms = np.sqrt(mean_square(windows)).astype(np.float64)
    safe = np.maximum(rms, np.finfo(np.float64).tiny)
    peak, mean = magnitude.max(axis=1), magnitude.mean(axis=1)
    columns = TimeColumns(
        "time",
        median_rms_g=_medians(rms),
        median_log_crest=_medians(np.log(peak / safe)),
        median_log_form=_medians(np.log(mean / safe)),
    )
    numbers = columns.of(WindowNumbers(windows)).astype(np.float64)
    spread = np.maximum(median_deviation(numbers), _SPREAD_FLOOR)
    return fit_distance(
        "time", weight=weight, columns=columns, numbers=numbers, spread=spread, independence=independence
    )


def fit_bands(
    windows: FloatArray,
    weight: float,
    independence: float,
    scale: BandScale = "linear",
    count: int | None = None,
) -> DistancePart:
    """Fit the part that watches the spectrum in bands.

    A band's spread is at least the upper decile of all spreads: that is the noise floor, below which empty
    bands cannot count. Of logarithms it is half the median: they deviate alike, and a steady line would cry.

    Args:
        windows: Centred, of a healthy machine, shape (n_windows, length, n_axes).
        weight: Of the part.
        independence: Independent windows per window.
        scale: Of the amplitude.
        count: Bands an axis; None for ``USUAL_BANDS``, or as many as there are bins.
    """
    power = np.square(amplitude_spectrum(windows)[:, 1:].astype(np.float64))
    total_g = _medians(np.sqrt(power.sum(axis=1)))
    columns = BandColumns("bands", min(count or USUAL_BANDS, windows.shape[1] // 2), total_g)
    if scale != "linear":
        floor = max(_FLOOR_SHARE * float(np.median(columns.of(WindowNumbers(windows)))), _LEAST_FLOOR)
        columns = replace(columns, scale=scale, floor=float(f"{floor:.6g}") if scale == "log" else 0.0)
    numbers = columns.of(WindowNumbers(windows)).astype(np.float64)
    spreads = median_deviation(numbers)
    least = 0.5 * np.median(spreads) if scale == "log" else np.quantile(spreads, 0.9)
    spread = np.maximum(spreads, max(float(least), _SPREAD_FLOOR))
    return fit_distance(
        "spectrum", weight=weight, columns=columns, numbers=numbers, spread=spread, independence=independence
    )


def fit_distance(
    name: str,
    *,
    weight: float,
    columns: Columns,
    numbers: npt.NDArray[np.float64],
    spread: npt.NDArray[np.float64],
    independence: float,
    drift: Drift | None = None,
) -> DistancePart:
    """Return the part with a shrunk covariance (Ledoit and Wolf 2004): few windows do for many numbers.

    Args:
        name: Of the part.
        weight: Of the part.
        columns: What the numbers are.
        numbers: Of healthy windows in the order of time, shape (n_windows, n).
        spread: Of each number, shape (n,).
        independence: Independent windows per window.
        drift: How far the machine may go on to drift in the directions in which it does; None for not at
            all.
    """
    median = np.median(numbers, axis=0)
    standard = np.clip((numbers - median) / spread, -_CLIP, _CLIP)
    location = standard.mean(axis=0)
    covariance = _shrunk_covariance(standard, independence)
    if drift is not None:
        means = [stretch.mean(axis=0) for stretch in np.array_split(standard, drift.stretches)]
        covariance += drift.times * np.cov(means, rowvar=False)
    whitening = np.linalg.inv(np.linalg.cholesky(covariance)) / spread
    return DistancePart(
        kind="distance",
        name=name,
        weight=weight,
        columns=columns,
        centre=short(median + location * spread),
        whitening=tuple(short(row) for row in whitening),
        scale=short(spread),
    )


def _shrunk_covariance(standard: npt.NDArray[np.float64], independence: float) -> npt.NDArray[np.float64]:
    """Return the covariance, shrunk towards equal variances as the number of independent windows asks.

    The formula takes every window for independent; what it finds goes with 1 / number.

    Args:
        standard: Standardised numbers, shape (n_windows, n_columns).
        independence: Independent windows per window.
    """
    _, shrinkage = ledoit_wolf(standard)
    return np.asarray(shrunk_covariance(empirical_covariance(standard), min(shrinkage / independence, 1.0)))


def median_deviation(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the median absolute deviation of each column, as the standard deviation of a Gaussian one.

    Args:
        numbers: Of healthy windows, shape (n_windows, n_columns).
    """
    deviation: npt.NDArray[np.float64] = np.abs(numbers - np.median(numbers, axis=0))
    return _MAD_TO_SIGMA * np.asarray(np.median(deviation, axis=0), np.float64)


def _medians(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    return short(np.median(values, axis=0))
