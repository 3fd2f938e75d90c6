"""What a network sees of a window: features, with scales from the windows that it learns from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from agent.inference.arrays import FloatArray
from agent.inference.features import (
    Features,
    RawFeatures,
    SpectrumFeatures,
    banded,
    centred,
    mean_square,
)
from agent.inference.window_numbers import WindowNumbers
from trainer.errors import ChoiceError, DataError
from trainer.rounding import short
from trainer.settings import FeatureKind

_FLOOR_SHARE = 0.2
_MIN_FLOOR_G = 1e-9
_DEVIATION_SHARE = 0.5
_NOISE_FLOOR_QUANTILE = 0.9


def fit_features(
    kind: FeatureKind, windows: FloatArray, axes: Sequence[str], bands: int | None = None
) -> Features:
    """Return the features with their scales.

    Args:
        kind: Which features.
        windows: Training windows, shape (n_windows, length, n_axes).
        axes: Names of the axes.
        bands: Bands of equal width that a spectrum is summed up in; None for every bin.

    Raises:
        DataError: If an axis does not move in these windows.
        ChoiceError: If bands are asked for where there is no spectrum, or more than there are bins.
    """
    x = centred(windows)
    scale_g = np.sqrt(mean_square(x).mean(axis=0, dtype=np.float64))
    check_moving(scale_g, axes)
    if kind in ("spectrum", "amplitude"):
        return _fit_spectrum(x, "log" if kind == "spectrum" else "linear", _checked(bands, windows.shape[1]))
    if bands is not None:
        raise ChoiceError(f"--bands sums up a spectrum; with --features {kind} there is none")
    if kind == "minmax":
        low, high = (extreme(x, axis=(0, 1)).astype(np.float64) for extreme in (np.min, np.max))
        return RawFeatures("raw", short(high - low), short(low))
    return RawFeatures("raw", short(scale_g))


def _checked(bands: int | None, length: int) -> int:
    n_bins = length // 2 + 1
    if bands is not None and not 2 <= bands <= n_bins:
        raise ChoiceError(f"{bands} bands: a window of {length} samples has 2 to {n_bins}")
    return bands or n_bins


def _fit_spectrum(x: FloatArray, scale: Literal["log", "linear"], bands: int) -> SpectrumFeatures:
    rows = banded(WindowNumbers(x).amplitude, bands).transpose(0, 2, 1)
    # Amplitudes of a noisy bin are Rayleigh distributed: now and then one is nearly 0, its logarithm far out.
    # With a fifth of the median, which is the noise floor, added, their logarithm has the kurtosis of a
    # Gaussian variable (excess 0.01; without it 2.4), and the lines are left alone.
    floor_g = max(_FLOOR_SHARE * float(np.median(rows)), _MIN_FLOOR_G)
    if scale == "log":
        rows = np.log(rows + np.float32(floor_g))
    deviation = rows.std(axis=0, dtype=np.float64)
    return SpectrumFeatures(
        "spectrum",
        float(f"{floor_g:.6g}"),
        tuple(short(row) for row in rows.mean(axis=0, dtype=np.float64)),
        tuple(short(row) for row in np.maximum(deviation, _least_deviation(deviation, scale))),
        scale,
    )


def _least_deviation(deviation: npt.NDArray[np.float64], scale: Literal["log", "linear"]) -> float:
    if scale == "linear":
        # The noise floor, below which empty bins shall not count.
        return float(np.quantile(deviation, _NOISE_FLOOR_QUANTILE))
    # A steady line hardly deviates at all; left to itself it would cry at a change of load.
    return _DEVIATION_SHARE * float(np.median(deviation))


def check_moving(scale: npt.NDArray[np.float64], axes: Sequence[str]) -> None:
    """Refuse an axis that does not move.

    Args:
        scale: RMS of each axis in g, and whatever comes after them.
        axes: Their names.

    Raises:
        DataError: With the axis.
    """
    for axis, value in zip(axes, scale[: len(axes)], strict=True):
        if not value > 0:
            raise DataError(
                f"column '{axis}' stands still in half of the training windows or more; record the machine "
                "while it runs, or leave the column out with --columns"
            )
