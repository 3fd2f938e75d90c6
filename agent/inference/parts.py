"""The parts of a detector: each sees the same window and gives raw scores that only it understands.

No single one is enough: a level switch finds the fault that keeps the spectrum, a spectrum the fault that
keeps the level. A part's raw scores are one or more columns, higher is more abnormal, each with the ``Tail``
that gives it a meaning.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, Protocol

import numpy as np
import numpy.typing as npt

from agent.decode import Range
from agent.inference.error_distance import ErrorDistance
from agent.inference.explanation import Contribution
from agent.inference.features import Features, SpectrumFeatures, mean_absolute, mean_square
from agent.inference.model import STACK, TFLiteModel
from agent.inference.scoring import Tail, Vote, sidak
from agent.inference.window_numbers import WindowNumbers

FloatArray = npt.NDArray[np.float32]

Models = Mapping[str, TFLiteModel]
"""The graphs of a bundle by member name."""

Weight = Annotated[float, Range(1e-6, 1.0)]
Power = Annotated[float, Range(0.1, 1.0)]

_BANDS = 16
"""Bands in which the share of a spectrum's error is told."""


class Part(Protocol):
    """What every part can do."""

    @property
    def name(self) -> str:
        """Name in the manifest and in alerts."""
        ...

    @property
    def weight(self) -> float:
        """Weight when parts are joined; see ``scoring.Vote``."""
        ...

    @property
    def power(self) -> float:
        """Power of the p-value when parts are joined."""
        ...

    @property
    def tails(self) -> tuple[Tail, ...]:
        """Calibration, one per column."""
        ...

    def raw_scores(self, numbers: WindowNumbers, models: Models) -> FloatArray:
        """Return raw scores, shape (n_windows, n_columns)."""
        ...

    def contributions(
        self, window: WindowNumbers, models: Models, axes: Sequence[str], rate_hz: float | None
    ) -> list[Contribution]:
        """Return where the deviation of one window lies; unsorted."""
        ...


def votes(parts: Sequence[Part]) -> list[Vote]:
    """Return how the parts' p-values count when they are joined."""
    return [Vote(math.log(part.weight), part.power) for part in parts]


def log_p(part: Part, raw: Sequence[float]) -> float:
    """Return ln of a part's p-value from its raw scores: the smallest over its columns, Sidak-corrected."""
    smallest = min([tail.log_p(value) for tail, value in zip(part.tails, raw, strict=True)])
    return sidak(smallest, len(part.tails))


@dataclass(frozen=True)
class LevelPart:
    """RMS of each axis and of all together, judged on both sides: too loud and too quiet.

    A column is max((a - 1) / high, (1 - a) / low) with a = RMS / healthy median RMS. It is linear: a
    logarithm would turn every pause of a machine that runs and rests into an alarm.
    """

    kind: Literal["level"]
    name: str
    weight: Weight
    median_rms_g: tuple[float, ...]
    """Healthy median RMS of each axis, then of their root sum of squares if there are several axes."""
    high: tuple[float, ...]
    """Healthy spread above the median, as a fraction of it, one per column."""
    low: tuple[float, ...]
    """Healthy spread below the median, likewise."""
    tails: tuple[Tail, ...] = ()
    power: Power = 1.0

    def raw_scores(self, numbers: WindowNumbers, models: Models) -> FloatArray:
        """Return raw scores, shape (n_windows, n_columns); see ``Part``."""
        excess = np.sqrt(numbers.mean_square @ self._columns)
        excess -= np.float32(1.0)
        scores: FloatArray = np.maximum(excess * self._per_high, excess * self._per_low)
        return scores

    def contributions(
        self, window: WindowNumbers, models: Models, axes: Sequence[str], rate_hz: float | None
    ) -> list[Contribution]:
        """Return each axis' share of the squared deviation in level; see ``Part``."""
        columns = self.raw_scores(window, models)[0][: len(axes)]
        return shares(axes, np.maximum(columns, 0.0) ** 2)

    @cached_property
    def _columns(self) -> FloatArray:
        """Mean squares of the axes to squared columns in units of their medians, (n_axes, n_columns)."""
        squares = 1.0 / np.array(self.median_rms_g) ** 2
        n_axes = max(len(squares) - 1, 1)
        matrix = np.hstack([np.eye(n_axes), np.ones((n_axes, 1))])[:, : len(squares)] * squares
        return matrix.astype(np.float32)

    @cached_property
    def _per_high(self) -> FloatArray:
        return (1.0 / np.array(self.high)).astype(np.float32)

    @cached_property
    def _per_low(self) -> FloatArray:
        return (-1.0 / np.array(self.low)).astype(np.float32)


def rms_columns(windows: FloatArray) -> FloatArray:
    """Return the RMS of each axis and, if there are several, their root sum of squares.

    Args:
        windows: Centred, shape (n_windows, length, n_axes).

    Returns:
        Shape (n_windows, n_axes + 1), or (n_windows, 1) for one axis.
    """
    squares = mean_square(windows)
    if squares.shape[1] > 1:
        squares = np.concatenate((squares, squares.sum(axis=1, keepdims=True)), axis=1)
    return np.sqrt(squares, out=squares)


@dataclass(frozen=True)
class ReconstructionPart:
    """The error with which the autoencoder reproduces the window's features, one column per axis."""

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
        edges = np.unique(np.linspace(0, len(error), _BANDS + 1).astype(int))
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


def band_name(low: int, high: int, step_hz: float | None) -> str:
    """Return the band of bins [low, high) as text; without a sample rate the bins are named."""
    if step_hz is None:
        return f"bins {low}-{high - 1}"
    return f"{low * step_hz:.4g}-{high * step_hz:.4g} Hz"


def shares(names: Sequence[str], values: FloatArray) -> list[Contribution]:
    """Return each value's share of their sum, or nothing if the sum is 0."""
    total = float(values.sum())
    if not total > 0:
        return []
    return [Contribution(name, float(value) / total) for name, value in zip(names, values, strict=True)]
