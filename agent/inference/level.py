"""The part that watches how loud each axis is, on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from agent.inference.arrays import FloatArray
from agent.inference.explanation import Contribution
from agent.inference.features import mean_square
from agent.inference.part import Models, Power, Weight, shares
from agent.inference.scoring import Tail
from agent.inference.window_numbers import WindowNumbers


@dataclass(frozen=True, kw_only=True)
class LevelPart:
    """RMS in g of each axis and of all together, judged on both sides: too loud and too quiet.

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
