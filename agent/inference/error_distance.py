"""Mahalanobis distance of a window's absolute reconstruction error, shape (n_rows, n_axes).

Per row an observation is the error of all axes at one time step (or band), per axis the error of one axis at
all of them. The largest distance judges the window: it is abnormal if any step, or any axis, is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

import numpy as np

from agent.decode import Range
from agent.inference.arrays import FloatArray

ErrorView = Literal["row", "axis"]


@dataclass(frozen=True)
class ErrorDistance:
    """What errors a healthy machine leaves, and how far others lie from them."""

    view: ErrorView
    """``row``: one observation a time step or band, of n_axes numbers; ``axis``: one an axis, of n_rows."""
    mean: tuple[float, ...]
    """Healthy mean absolute error, shape (n,)."""
    whitening: tuple[tuple[float, ...], ...]
    """Matrix W with W^T W the inverse of the healthy covariance, shape (n, n)."""
    eps: Annotated[float, Range(0.0, 1.0)]
    """Added to each variance before the inversion, as a share of their mean."""

    def __post_init__(self) -> None:
        if {len(row) for row in self.whitening} | {len(self.whitening)} != {len(self.mean)}:
            raise ValueError("whitening must be a square matrix of the mean's length")

    def of(self, residual: FloatArray) -> FloatArray:
        """Return the distance of each observation over the root of its numbers' count.

        Args:
            residual: Target minus output, shape (n_windows, n_rows, n_axes).

        Returns:
            Shape (n_windows, n_rows) or (n_windows, n_axes).
        """
        deviation = observations(residual, self.view) - self._mean
        white = deviation @ self._whitening
        distance: FloatArray = np.sqrt(np.einsum("nok,nok->no", white, white) / np.float32(len(self.mean)))
        return distance

    def columns(self, residual: FloatArray) -> FloatArray:
        """Return what is calibrated: the largest distance of all rows, (n_windows, 1), or that of each axis.

        Args:
            residual: Shape (n_windows, n_rows, n_axes).
        """
        distance = self.of(residual)
        return distance.max(axis=1, keepdims=True) if self.view == "row" else distance

    @cached_property
    def _mean(self) -> FloatArray:
        return np.array(self.mean, np.float32)

    @cached_property
    def _whitening(self) -> FloatArray:
        return np.ascontiguousarray(np.array(self.whitening, np.float32).T)


def observations(residual: FloatArray, view: ErrorView) -> FloatArray:
    """Return absolute errors with the numbers of an observation last, shape (n_windows, n_observations, n).

    Args:
        residual: Shape (n_windows, n_rows, n_axes).
        view: What an observation is.
    """
    magnitude: FloatArray = np.abs(residual)
    return magnitude if view == "row" else magnitude.transpose(0, 2, 1)
