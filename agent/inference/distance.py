"""A part that measures how far a window's numbers lie from those of healthy windows, all taken together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from agent.inference.arrays import FloatArray
from agent.inference.columns import Columns
from agent.inference.explanation import Contribution
from agent.inference.part import Models, Power, Weight, shares
from agent.inference.scoring import Tail
from agent.inference.window_numbers import WindowNumbers


@dataclass(frozen=True, kw_only=True)
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
