"""What is computed from a window before anything is judged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from agent.decode import Range
from agent.errors import WindowError

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class AxisStatistics:
    """Time-domain statistics of one axis of a window, mean removed."""

    axis: str
    """Name of the axis: x, y, z, or the recording's column."""
    rms_g: float
    """Root mean square."""
    peak_g: float
    """Largest magnitude."""
    crest_factor: float
    """Peak divided by RMS; 0 for a silent axis."""
    kurtosis: float
    """Fourth standardised moment (3 for Gaussian noise); 0 for a silent axis."""


@dataclass(frozen=True)
class Contribution:
    """A share of the deviation, for the person who must find the cause."""

    where: str
    """An axis, or an axis and a band: ``z`` or ``z 118-143 Hz``."""
    share: float
    """Part of the whole deviation, 0 to 1."""


def centred(windows: FloatArray) -> FloatArray:
    """Return the windows with each axis' mean removed: the mounting angle is no vibration.

    Args:
        windows: Shape (n_windows, length, n_axes).

    Raises:
        WindowError: If a sample is not finite.
    """
    mean = np.add.reduce(windows, axis=1, keepdims=True) / np.float32(windows.shape[1])
    if not all(map(math.isfinite, mean.ravel().tolist())):
        raise WindowError("a window holds a sample that is not finite, or too large to add up")
    result: FloatArray = windows - mean
    return result


def mean_square(centred_windows: FloatArray) -> FloatArray:
    """Return the mean square of each axis, shape (n_windows, n_axes).

    Args:
        centred_windows: Shape (n_windows, length, n_axes).
    """
    energy: FloatArray = np.einsum("nlc,nlc->nc", centred_windows, centred_windows)
    energy /= np.float32(centred_windows.shape[1])
    return energy


def mean_absolute(residual: FloatArray) -> FloatArray:
    """Return the mean absolute value of each axis, shape (n_windows, n_axes), as ``mean_square``."""
    total: FloatArray = np.add.reduce(np.abs(residual), axis=1)
    total /= np.float32(residual.shape[1])
    return total


def axis_statistics(window: FloatArray, axes: tuple[str, ...]) -> tuple[AxisStatistics, ...]:
    """Return the statistics of one window, shape (length, n_axes), one per axis."""
    x = centred(window[np.newaxis])[0].astype(np.float64)
    rms = np.sqrt(np.mean(x**2, axis=0))
    peak = np.abs(x).max(axis=0)
    safe = np.where(rms > 0, rms, 1.0)
    kurtosis = np.mean((x / safe) ** 4, axis=0)
    return tuple(
        AxisStatistics(axis, float(rms[i]), float(peak[i]), float(peak[i] / safe[i]), float(kurtosis[i]))
        for i, axis in enumerate(axes)
    )


@dataclass(frozen=True)
class RawFeatures:
    """The window itself, mean removed, each axis divided by its scale."""

    kind: Literal["raw"]
    scale_g: tuple[float, ...]
    """Healthy RMS per axis, or the range that is mapped to 0..1."""
    offset_g: tuple[float, ...] = ()
    """Subtracted before the division, per axis; none if empty."""

    def shape(self, length: int) -> tuple[int, int]:
        """Return the shape of one window's features: (length, n_axes)."""
        return (length, len(self.scale_g))

    def output_shape(self, length: int) -> tuple[int, int]:
        """Return the shape of the network's output: that of the features."""
        return self.shape(length)

    def of(self, centred_windows: FloatArray) -> FloatArray:
        """Return the features, shape (n_windows, length, n_axes)."""
        if not self.offset_g:
            return centred_windows * self._factor
        return (centred_windows - self._offset) * self._factor

    def target(self, features: FloatArray) -> FloatArray:
        """Return what the network's output is compared with: the features."""
        return features

    @cached_property
    def _factor(self) -> FloatArray:
        return (1.0 / np.array(self.scale_g)).astype(np.float32)

    @cached_property
    def _offset(self) -> FloatArray:
        return np.array(self.offset_g, np.float32)


@dataclass(frozen=True)
class SpectrumFeatures:
    """Spectrum of each axis, standardised per row: ln(amplitude + floor), or the amplitude itself.

    The amplitude is that of a sine wave in g, 2 |X_k| / sum of the Hann window. Bin k lies at
    k x rate / length. A row is a bin, or a band of bins with the root of their summed squares.
    """

    kind: Literal["spectrum"]
    floor_g: Annotated[float, Range(1e-12, 1e3, "g")]
    """Added before the logarithm, so that empty bins do not speak."""
    mean: tuple[tuple[float, ...], ...]
    """Healthy mean of each row and axis, shape (n_rows, n_axes)."""
    deviation: tuple[tuple[float, ...], ...]
    """Healthy standard deviation of each row and axis, same shape."""
    scale: Literal["log", "linear"] = "log"

    def shape(self, length: int) -> tuple[int, int]:
        """Return the shape of one window's features: (n_rows, n_axes)."""
        return (min(len(self.mean), length // 2 + 1), len(self.mean[0]))

    def output_shape(self, length: int) -> tuple[int, int]:
        """Return the shape of the network's output: that of the features."""
        return self.shape(length)

    def target(self, features: FloatArray) -> FloatArray:
        """Return what the network's output is compared with: the features."""
        return features

    def edges(self, length: int) -> npt.NDArray[np.int64]:
        """Return the first bin of each row, and the end of the last, shape (n_rows + 1,)."""
        return band_edges(length // 2 + 1, len(self.mean))

    def of(self, centred_windows: FloatArray) -> FloatArray:
        """Return the features, shape (n_windows, n_rows, n_axes)."""
        rows = banded(amplitude_spectrum(centred_windows), len(self.mean))
        if self.scale == "log":
            rows += np.float32(self.floor_g)
            np.log(rows, out=rows)
        rows -= self._mean
        rows *= self._factor
        return rows

    @cached_property
    def _mean(self) -> FloatArray:
        return np.array(self.mean, np.float32, order="F")

    @cached_property
    def _factor(self) -> FloatArray:
        return (1.0 / np.array(self.deviation)).astype(np.float32, order="F")


@dataclass(frozen=True)
class PatchFeatures:
    """The scaled window, of which the network reconstructs short overlapping patches.

    A patch of healthy vibration lies near a thin surface if one mechanism makes it; a bottleneck of a few
    numbers learns that surface, which no spectrum can express.
    """

    kind: Literal["patches"]
    scale_g: tuple[float, ...]
    """Healthy RMS per axis."""
    patch: Annotated[int, Range(2, 4096, "samples")]
    """Samples of all axes per patch."""
    stride: Annotated[int, Range(1, 4096, "samples")]
    """Samples from one patch to the next."""

    def shape(self, length: int) -> tuple[int, int]:
        """Return the shape of one window's features: (length, n_axes)."""
        return (length, len(self.scale_g))

    def output_shape(self, length: int) -> tuple[int, int]:
        """Return the shape of the network's output: (n_patches, patch x n_axes)."""
        return ((length - self.patch) // self.stride + 1, self.patch * len(self.scale_g))

    def of(self, centred_windows: FloatArray) -> FloatArray:
        """Return the features, shape (n_windows, length, n_axes)."""
        return centred_windows * self._factor

    def target(self, features: FloatArray) -> FloatArray:
        """Return the patches end to end, shape (n_windows, n_patches x patch, n_axes)."""
        patches = np.lib.stride_tricks.sliding_window_view(features, self.patch, axis=1)[:, :: self.stride]
        n_windows, n_patches, n_axes, _ = patches.shape
        return patches.transpose(0, 1, 3, 2).reshape(n_windows, n_patches * self.patch, n_axes)

    @cached_property
    def _factor(self) -> FloatArray:
        return (1.0 / np.array(self.scale_g)).astype(np.float32)


Features = RawFeatures | SpectrumFeatures | PatchFeatures


def amplitude_spectrum(centred_windows: FloatArray) -> FloatArray:
    """Return the Hann-windowed amplitude spectrum in g, shape (n_windows, length // 2 + 1, n_axes)."""
    length = centred_windows.shape[1]
    return np.abs(np.fft.rfft(centred_windows * _hann(length), axis=1)).astype(np.float32)


def banded(amplitude: FloatArray, count: int) -> FloatArray:
    """Return the amplitude of each of ``count`` bands, shape (n_windows, count, n_axes).

    Args:
        amplitude: Of each bin, shape (n_windows, n_bins, n_axes); overwritten.
        count: Bands; as many as there are bins leaves them alone.
    """
    n_bins = amplitude.shape[1]
    if count >= n_bins:
        return amplitude
    power = np.square(amplitude, out=amplitude)
    bands: FloatArray = np.add.reduceat(power, band_edges(n_bins, count)[:-1], axis=1)
    return np.sqrt(bands, out=bands)


def band_edges(n_bins: int, count: int) -> npt.NDArray[np.int64]:
    """Return the first bin of each of ``count`` bands of equal width, and the end of the last."""
    return np.linspace(0, n_bins, min(count, n_bins) + 1).astype(np.int64)


@cache
def _hann(length: int) -> FloatArray:
    """Return the periodic Hann window scaled so that |rfft| is the amplitude of a sine, shape (length, 1)."""
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)
    scaled: FloatArray = (hann * (2.0 / hann.sum())).astype(np.float32)
    return scaled[:, np.newaxis]
