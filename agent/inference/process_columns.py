"""What is watched of slow process values, such as flow and temperature: where they stand, how they vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from agent.decode import Range
from agent.inference.window_numbers import WindowNumbers

FloatArray = npt.NDArray[np.float32]


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
