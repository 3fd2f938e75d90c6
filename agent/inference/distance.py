"""A part that measures how far a window's numbers lie from those of healthy windows, all taken together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from agent.decode import Range
from agent.inference.explanation import Contribution
from agent.inference.parts import Models, Power, Weight, band_name, shares
from agent.inference.process_columns import ValueColumns, VariationColumns
from agent.inference.scoring import Tail
from agent.inference.window_numbers import WindowNumbers

FloatArray = npt.NDArray[np.float32]

BandScale = Literal["linear", "root", "log"]

_QUIET = 0.3
"""A quarter of a window is quiet below this part of the healthy RMS."""
_TINY = np.float32(1e-20)


@dataclass(frozen=True)
class TimeColumns:
    """Three numbers an axis: RMS, logarithm of the crest factor, logarithm of mean magnitude over RMS.

    The last two are weighted by w = q^2 / (q^2 + (0.3 m)^2), q the RMS of the quietest quarter of the window
    and m the healthy median RMS: the step from standstill to motion has the crest factor of an impact, and
    is none.
    """

    kind: Literal["time"]
    median_rms_g: tuple[float, ...]
    """Healthy median RMS per axis."""
    median_log_crest: tuple[float, ...]
    median_log_form: tuple[float, ...]
    """Healthy median of ln(mean |x| / RMS) per axis."""

    def of(self, numbers: WindowNumbers) -> FloatArray:
        """Return the numbers, shape (n_windows, 3 n_axes)."""
        numbers_of_axis = np.empty((len(numbers), 3, len(self.median_rms_g)), np.float32)
        np.divide(numbers.rms, self._rms, out=numbers_of_axis[:, 0])
        shape = numbers_of_axis[:, 1:]
        shape[:, 0], shape[:, 1] = numbers.peak, numbers.mean_magnitude
        shape /= (numbers.rms + _TINY)[:, np.newaxis]
        shape += _TINY
        np.log(shape, out=shape)
        shape -= self._log_shape
        shape *= self._steadiness(numbers)[:, np.newaxis]
        return numbers_of_axis.reshape(len(numbers), -1)

    def names(self, axes: Sequence[str], rate_hz: float | None) -> list[str]:
        """Return what each number is called."""
        return [f"{axis} {name}" for name in ("rms", "crest factor", "form factor") for axis in axes]

    def _steadiness(self, numbers: WindowNumbers) -> FloatArray:
        quietest = numbers.quietest_quarter
        steady: FloatArray = quietest / (quietest + self._quiet_square)
        return steady

    @cached_property
    def _rms(self) -> FloatArray:
        return np.array(self.median_rms_g, np.float32)

    @cached_property
    def _quiet_square(self) -> FloatArray:
        quiet: FloatArray = np.square(np.float32(_QUIET) * self._rms)
        return quiet

    @cached_property
    def _log_shape(self) -> FloatArray:
        return np.array((self.median_log_crest, self.median_log_form), np.float32)


@dataclass(frozen=True)
class BandColumns:
    """Amplitude in equally wide bands of each axis' Hann spectrum, without DC, over the axis' healthy total.

    The amplitude is usually linear: a logarithm hides level and makes empty bands speak. Where weak bands
    tell more than strong ones its root, or its logarithm above a floor, may see better.
    """

    kind: Literal["bands"]
    count: Annotated[int, Range(2, 4096, "bands")]
    """Bands an axis."""
    total_g: tuple[float, ...]
    """Healthy median amplitude of the whole spectrum per axis."""
    scale: BandScale = "linear"
    """The amplitude itself, its square root, or ln(amplitude + floor)."""
    floor: Annotated[float, Range(0.0, 1.0)] = 0.0
    """Added before the logarithm, as a part of the healthy total."""

    def __post_init__(self) -> None:
        if (self.scale == "log") != (self.floor > 0.0):
            raise ValueError("a floor above 0 goes with the scale log, and with no other")

    def of(self, numbers: WindowNumbers) -> FloatArray:
        """Return the amplitudes, shape (n_windows, n_axes x count), axis by axis."""
        power = np.square(numbers.amplitude[:, :, 1:])
        bands = np.add.reduceat(power, _band_starts(power.shape[2], self.count), axis=2)
        np.sqrt(bands, out=bands)
        bands *= self._per_total
        if self.scale == "root":
            np.sqrt(bands, out=bands)
        elif self.scale == "log":
            bands += np.float32(self.floor)
            np.log(bands, out=bands)
        by_axis: FloatArray = bands.reshape(len(numbers), -1)
        return by_axis

    def names(self, axes: Sequence[str], rate_hz: float | None) -> list[str]:
        """Return what each number is called; without a sample rate the bands are numbered."""
        step_hz = rate_hz / 2 / self.count if rate_hz else None
        edges = range(self.count + 1)
        return [f"{axis} {band_name(low, high, step_hz)}" for axis in axes for low, high in pairwise(edges)]

    @cached_property
    def _per_total(self) -> FloatArray:
        return (1.0 / np.array(self.total_g)).astype(np.float32)[:, np.newaxis]


@cache
def _band_starts(n_bins: int, count: int) -> npt.NDArray[np.intp]:
    """Return the first bin of each band."""
    return np.linspace(0, n_bins, count + 1).round().astype(np.intp)[:-1]


Columns = TimeColumns | BandColumns | ValueColumns | VariationColumns


@dataclass(frozen=True)
class DistancePart:
    """Mahalanobis distance of a window's numbers from the healthy centre, over the root of their count."""

    kind: Literal["distance"]
    name: str
    weight: Weight
    columns: Columns
    centre: tuple[float, ...]
    """Healthy centre of each number."""
    whitening: tuple[tuple[float, ...], ...]
    """Matrix W with W^T W the inverse of the healthy covariance, shape (n, n)."""
    scale: tuple[float, ...]
    """Healthy spread of each number, for telling which one deviates."""
    tails: tuple[Tail, ...] = ()
    power: Power = 1.0

    def raw_scores(self, numbers: WindowNumbers, models: Models) -> FloatArray:
        """Return raw scores, shape (n_windows, 1); see ``Part``."""
        white = (self.columns.of(numbers) - self._centre) @ self._whitening
        square: FloatArray = np.einsum("nk,nk->n", white, white)
        distance: FloatArray = np.sqrt(square / np.float32(white.shape[1]))
        return distance[:, np.newaxis]

    def contributions(
        self, window: WindowNumbers, models: Models, axes: Sequence[str], rate_hz: float | None
    ) -> list[Contribution]:
        """Return each number's share of the squared deviations in units of their spread; see ``Part``."""
        deviation = (self.columns.of(window)[0] - self._centre) / self._scale
        return shares(self.columns.names(axes, rate_hz), np.square(deviation))

    @cached_property
    def _centre(self) -> FloatArray:
        return np.array(self.centre, np.float32)

    @cached_property
    def _scale(self) -> FloatArray:
        return np.array(self.scale, np.float32)

    @cached_property
    def _whitening(self) -> FloatArray:
        return np.ascontiguousarray(np.array(self.whitening, np.float32).T)
