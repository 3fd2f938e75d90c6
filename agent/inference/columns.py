"""The numbers of a window that a distance part takes together: of vibration, and of slow process values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

import numpy as np

from agent.decode import Range
from agent.inference.arrays import FloatArray
from agent.inference.bands import band_edges, band_name
from agent.inference.window_numbers import WindowNumbers

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
    """Amplitude in bands of equal width in Hz of each axis' Hann spectrum, no DC, over its healthy total.

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
        starts = band_edges(power.shape[2], self.count, nearest=True)[:-1]
        bands = np.add.reduceat(power, starts, axis=2)
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


@dataclass(frozen=True)
class ValueColumns:
    """The mean of each channel over the window, from the healthy median, in healthy spreads."""

    kind: Literal["value"]
    median: tuple[float, ...]
    """Healthy median of each channel, in its own unit."""
    spread: tuple[float, ...]
    """Healthy spread of each channel's samples, in its own unit."""

    def of(self, numbers: WindowNumbers) -> FloatArray:
        """Return the numbers, shape (n_windows, n_channels)."""
        values: FloatArray = (numbers.mean - self._median) * self._per_spread
        return values

    def names(self, axes: Sequence[str], rate_hz: float | None) -> list[str]:
        """Return what each number is called."""
        return [f"{axis} value" for axis in axes]

    @cached_property
    def _median(self) -> FloatArray:
        return np.array(self.median, np.float32)

    @cached_property
    def _per_spread(self) -> FloatArray:
        return (1.0 / np.array(self.spread)).astype(np.float32)


@dataclass(frozen=True)
class VariationColumns:
    """How much each channel varies within the window: ln(RMS without mean / healthy spread + floor)."""

    kind: Literal["variation"]
    spread: tuple[float, ...]
    """Healthy spread of each channel's samples, in its own unit."""
    floor: Annotated[float, Range(1e-6, 10.0)]
    """In spreads; a channel that rests in one step of its converter has no variation, and is healthy."""

    def of(self, numbers: WindowNumbers) -> FloatArray:
        """Return the numbers, shape (n_windows, n_channels)."""
        logarithm: FloatArray = np.log(numbers.rms * self._per_spread + np.float32(self.floor))
        return logarithm

    def names(self, axes: Sequence[str], rate_hz: float | None) -> list[str]:
        """Return what each number is called."""
        return [f"{axis} variation" for axis in axes]

    @cached_property
    def _per_spread(self) -> FloatArray:
        return (1.0 / np.array(self.spread)).astype(np.float32)


Columns: TypeAlias = TimeColumns | BandColumns | ValueColumns | VariationColumns
