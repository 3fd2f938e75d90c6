"""What several parts ask of the same windows: each number is computed once, when it is first asked for."""

from __future__ import annotations

import math
from functools import cache, cached_property

import numpy as np

from agent.errors import WindowError
from agent.inference.arrays import FloatArray

QUARTERS = 4


class WindowNumbers:
    """Windows with each axis' mean removed (the mounting angle is no vibration), and what follows from them.

    In memory each axis of a window is contiguous: numpy adds, compares and transforms long rows fast, and
    columns of three slowly.
    """

    def __init__(self, windows: FloatArray) -> None:
        """Remove the mean.

        Args:
            windows: Shape (n_windows, length, n_axes); fastest if each axis is contiguous.

        Raises:
            WindowError: If a sample is not finite.
        """
        samples = windows.transpose(0, 2, 1)
        mean = np.add.reduce(samples, axis=2, keepdims=True)
        mean /= np.float32(samples.shape[2])
        if not all(map(math.isfinite, mean.ravel().tolist())):
            raise WindowError("a window holds a sample that is not finite, or too large to add up")
        self.mean: FloatArray = mean[:, :, 0]
        """What was removed, shape (n_windows, n_axes)."""
        self.samples: FloatArray = np.subtract(samples, mean, out=np.empty(samples.shape, np.float32))
        """Without mean, shape (n_windows, n_axes, length)."""

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def length(self) -> int:
        """How many samples a window has."""
        return self.samples.shape[2]

    @cached_property
    def mean_square(self) -> FloatArray:
        """Mean square of each axis, shape (n_windows, n_axes)."""
        squares = np.matmul(self.samples[:, :, np.newaxis], self.samples[:, :, :, np.newaxis])
        energy: FloatArray = squares[:, :, 0, 0] / np.float32(self.length)
        return energy

    @cached_property
    def rms(self) -> FloatArray:
        """Root mean square of each axis, shape (n_windows, n_axes)."""
        rms: FloatArray = np.sqrt(self.mean_square)
        return rms

    @cached_property
    def peak(self) -> FloatArray:
        """Largest magnitude of each axis, shape (n_windows, n_axes)."""
        peak: FloatArray = np.maximum.reduce(self._magnitude, axis=2)
        return peak

    @cached_property
    def mean_magnitude(self) -> FloatArray:
        """Mean magnitude of each axis, shape (n_windows, n_axes)."""
        mean: FloatArray = np.add.reduce(self._magnitude, axis=2)
        mean /= np.float32(self.length)
        return mean

    @cached_property
    def quietest_quarter(self) -> FloatArray:
        """Mean square of the quietest quarter of each axis, shape (n_windows, n_axes).

        What a length that no four divide leaves over belongs to no quarter.
        """
        size = self.length // QUARTERS
        quarters = self.samples[:, :, : QUARTERS * size].reshape(len(self), -1, QUARTERS, size)
        squares = np.matmul(quarters[:, :, :, np.newaxis], quarters[:, :, :, :, np.newaxis])
        least: FloatArray = np.minimum.reduce(squares[:, :, :, 0, 0], axis=2)
        least /= np.float32(size)
        return least

    @cached_property
    def amplitude(self) -> FloatArray:
        """Amplitude spectrum in g, shape (n_windows, n_axes, length // 2 + 1).

        Through a Hann window, and that of a sine wave: 2 |X_k| / sum of the window; bin k lies at
        k x rate / length.
        """
        # The transform wants doubles, and takes its time to make them itself.
        weighted = np.multiply(self.samples, _hann(self.length), out=np.empty(self.samples.shape))
        return np.abs(np.fft.rfft(weighted)).astype(np.float32)

    @cached_property
    def _magnitude(self) -> FloatArray:
        magnitude: FloatArray = np.abs(self.samples)
        return magnitude


@cache
def _hann(length: int) -> FloatArray:
    """Return the periodic Hann window scaled so that |rfft| is the amplitude of a sine, shape (length,)."""
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)
    scaled: FloatArray = (hann * (2.0 / hann.sum())).astype(np.float32)
    return scaled
