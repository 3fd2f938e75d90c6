"""What is computed from a window before anything is judged."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from agent.decode import Range
from agent.inference.arrays import FloatArray
from agent.inference.bands import band_edges
from agent.inference.explanation import AxisStatistics
from agent.inference.window_numbers import WindowNumbers


def centred(windows: FloatArray) -> FloatArray:
    """Return the windows with each axis' mean removed, same shape; each axis is contiguous in memory.

    Args:
        windows: Shape (n_windows, length, n_axes).

    Raises:
        WindowError: If a sample is not finite.
    """
    return WindowNumbers(windows).samples.transpose(0, 2, 1)


def mean_square(values: FloatArray) -> FloatArray:
    """Return the mean square of each axis, shape (n_windows, n_axes).

    Args:
        values: Centred windows or residuals, shape (n_windows, n_rows, n_axes).
    """
    return _mean_row(np.square(values))


def mean_absolute(values: FloatArray) -> FloatArray:
    """Return the mean magnitude of each axis, shape (n_windows, n_axes), as ``mean_square``."""
    return _mean_row(np.abs(values))


def _mean_row(values: FloatArray) -> FloatArray:
    """Return the mean over rows, shape (n_windows, n_axes).

    As a matrix product, for numpy's own sum is slow over rows of few axes.
    """
    mean: FloatArray = np.matmul(_averaging(values.shape[1]), values)[:, 0]
    return mean


@cache
def _averaging(n_rows: int) -> FloatArray:
    """Return the row vector whose product with an array of shape (n_rows, n_axes) is the mean row."""
    return np.full((1, n_rows), 1.0 / n_rows, np.float32)


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
    """The window itself, shape (length, n_axes), mean removed, each axis divided by its scale."""

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

    def of(self, numbers: WindowNumbers) -> FloatArray:
        """Return the features, shape (n_windows, length, n_axes)."""
        if not self.offset_g:
            return row_by_row(numbers.samples * self._factor)
        return row_by_row((numbers.samples - self._offset) * self._factor)

    def target(self, features: FloatArray) -> FloatArray:
        """Return what the network's output is compared with: the features, in the same shape."""
        return features

    @cached_property
    def _factor(self) -> FloatArray:
        return _per_axis(1.0 / np.array(self.scale_g))

    @cached_property
    def _offset(self) -> FloatArray:
        return _per_axis(np.array(self.offset_g))


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
        """Return what the network's output is compared with: the features, in the same shape."""
        return features

    def edges(self, length: int) -> npt.NDArray[np.intp]:
        """Return the first bin of each row, and the end of the last, shape (n_rows + 1,)."""
        return band_edges(length // 2 + 1, len(self.mean))

    def of(self, numbers: WindowNumbers) -> FloatArray:
        """Return the features, shape (n_windows, n_rows, n_axes)."""
        rows = banded(numbers.amplitude, len(self.mean))
        if self.scale == "log":
            rows = np.log(rows + np.float32(self.floor_g))
        rows = rows - self._mean
        rows *= self._factor
        return row_by_row(rows)

    @cached_property
    def _mean(self) -> FloatArray:
        return np.ascontiguousarray(np.array(self.mean, np.float32).T)

    @cached_property
    def _factor(self) -> FloatArray:
        return np.ascontiguousarray((1.0 / np.array(self.deviation)).astype(np.float32).T)


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

    def of(self, numbers: WindowNumbers) -> FloatArray:
        """Return the features, shape (n_windows, length, n_axes)."""
        return row_by_row(numbers.samples * self._factor)

    def target(self, features: FloatArray) -> FloatArray:
        """Return the patches that the network's output is compared with, as a view.

        Args:
            features: As from ``of``.

        Returns:
            Shape (n_windows, n_patches, patch x n_axes); a patch's numbers are those of its samples in turn.
        """
        n_windows, length, n_axes = features.shape
        n_patches, width = self.output_shape(length)
        window, patch, sample = length * n_axes, self.stride * n_axes, 1
        return np.ndarray(
            (n_windows, n_patches, width),
            np.float32,
            np.ascontiguousarray(features),
            strides=tuple(features.itemsize * step for step in (window, patch, sample)),
        )

    @cached_property
    def _factor(self) -> FloatArray:
        return _per_axis(1.0 / np.array(self.scale_g))


Features = RawFeatures | SpectrumFeatures | PatchFeatures


def amplitude_spectrum(windows: FloatArray) -> FloatArray:
    """Return the amplitude spectrum in g, shape (n_windows, length // 2 + 1, n_axes).

    Args:
        windows: Shape (n_windows, length, n_axes); see ``WindowNumbers.amplitude``.
    """
    return WindowNumbers(windows).amplitude.transpose(0, 2, 1)


def banded(amplitude: FloatArray, count: int) -> FloatArray:
    """Return the amplitude of each of ``count`` bands, shape (n_windows, n_axes, count).

    Args:
        amplitude: Of each bin, shape (n_windows, n_axes, n_bins).
        count: Bands; as many as there are bins leaves them alone.
    """
    n_bins = amplitude.shape[2]
    if count >= n_bins:
        return amplitude
    bands: FloatArray = np.add.reduceat(np.square(amplitude), band_edges(n_bins, count)[:-1], axis=2)
    return np.sqrt(bands, out=bands)


def row_by_row(values: FloatArray) -> FloatArray:
    """Return values as a network takes them, shape (n_windows, n_rows, n_axes), contiguous.

    Args:
        values: Axis by axis, shape (n_windows, n_axes, n_rows).
    """
    n_windows, n_axes, n_rows = values.shape
    rows = np.empty((n_windows, n_rows, n_axes), np.float32)
    for axis in range(n_axes):  # several times as fast as one transposed copy
        rows[:, :, axis] = values[:, axis]
    return rows


def _per_axis(values: npt.NDArray[np.float64]) -> FloatArray:
    """Return a number per axis in the shape that meets (n_windows, n_axes, length)."""
    return values.astype(np.float32)[:, np.newaxis]
