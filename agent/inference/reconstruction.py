"""The part that watches with which error the autoencoder reproduces a window."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from agent.inference.arrays import FloatArray
from agent.inference.bands import band_edges, band_name
from agent.inference.error_distance import ErrorDistance
from agent.inference.explanation import Contribution
from agent.inference.features import Features, SpectrumFeatures, mean_absolute, mean_square
from agent.inference.model import STACK
from agent.inference.part import Models, Power, Weight, shares
from agent.inference.scoring import Tail
from agent.inference.window_numbers import WindowNumbers

_BANDS = 16
"""Bands in which the share of a spectrum's error is told."""


@dataclass(frozen=True, kw_only=True)
class ReconstructionPart:
    """The error with which the autoencoder reproduces the features, shape (n_rows, n_axes), by axis."""

    kind: Literal["reconstruction"]
    name: str
    weight: Weight
    features: Features
    model: str
    """Member of the bundle that holds the graph."""
    architecture: str
    """Which of the trainer's models it is."""
    quantization: Literal["int8", "float16", "dynamic", "float32"]
    metric: Literal["mse", "mae", "mahalanobis"]
    """Mean squared, mean absolute, or how far from healthy errors."""
    tails: tuple[Tail, ...] = ()
    distance: ErrorDistance | None = None
    """Of the metric ``mahalanobis``."""
    power: Power = 1.0

    def __post_init__(self) -> None:
        if self.tails and (self.metric == "mahalanobis") != (self.distance is not None):
            raise ValueError("a distance is given with the metric mahalanobis, and with no other")

    def raw_scores(self, numbers: WindowNumbers, models: Models) -> FloatArray:
        """Return raw scores, shape (n_windows, n_columns); see ``Part``.

        A column is an axis; with the distance per row there is one, the largest distance of all rows.
        """
        features = self.features.of(numbers)
        if len(features) <= STACK:
            return self._errors(features, models)
        blocks = np.array_split(features, range(STACK, len(features), STACK))  # a block stays in the cache
        return np.concatenate([self._errors(block, models) for block in blocks])

    def contributions(
        self, window: WindowNumbers, models: Models, axes: Sequence[str], rate_hz: float | None
    ) -> list[Contribution]:
        """Return each axis' share of the error, by band if the features are a spectrum; see ``Part``.

        With a distance it is the share of each row, or of each axis, in the squared distances.
        """
        residual = self.residual(self.features.of(window), models)
        if self.distance is not None:
            squares = np.square(self.distance.of(residual)[0])
            rows = [f"step {number}" for number in range(len(squares))]
            return shares(axes if self.distance.view == "axis" else rows, squares)
        error = np.abs(residual[0])
        if self.metric == "mse":
            error = np.square(error)
        if not isinstance(self.features, SpectrumFeatures):
            return shares(axes, error.sum(axis=0))
        edges = band_edges(len(error), _BANDS)
        bands = np.add.reduceat(error, edges[:-1], axis=0)
        step_hz = rate_hz / window.length if rate_hz else None
        bins = self.features.edges(window.length)
        names = [
            f"{axis} {band_name(bins[low], bins[high], step_hz)}"
            for low, high in itertools.pairwise(edges)
            for axis in axes
        ]
        return shares(names, bands.ravel())

    def residual(self, features: FloatArray, models: Models) -> FloatArray:
        """Return target minus output, shape (n_windows, n_rows, n_axes).

        Args:
            features: Of windows, as ``self.features`` makes them.
            models: The graphs of the bundle.
        """
        residual = models[self.model].reconstruct(features)
        np.subtract(self.features.target(features), residual, out=residual)
        return residual.reshape(len(features), -1, features.shape[2])

    def _errors(self, features: FloatArray, models: Models) -> FloatArray:
        residual = self.residual(features, models)
        if self.distance is not None:
            return self.distance.columns(residual)
        return mean_square(residual) if self.metric == "mse" else mean_absolute(residual)
