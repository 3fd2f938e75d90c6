"""The axes of a chart: how values become positions, and where the ticks are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

_LOG_FACTORS = (1.0, 2.0, 5.0)
_FEW_DECADES = 2.0
"""On a logarithmic axis of fewer decades than this 2 and 5 are ticks, too."""
_MAX_DECADES = 12.0
_ROOM = 0.05
_SMALL = 1e-3
"""Values below are written as powers of ten."""


@dataclass(frozen=True)
class Axis:
    """What an axis says, and from where to where it runs."""

    label: str
    """With its unit."""
    log: bool = False
    span: tuple[float, float] | None = None
    """Both ends; None for what is drawn."""
    room: bool = False
    """True to leave some room beyond what is drawn."""


@dataclass(frozen=True)
class Scale:
    """How the values of an axis become positions."""

    low: float
    high: float
    start: float
    """Position of ``low``, in pixels."""
    end: float
    """Position of ``high``, in pixels."""
    log: bool = False

    def at(self, value: float) -> float:
        """Return the position of one value; what lies outside is drawn at the end."""
        return float(self.at_all(np.array([value], np.float64))[0])

    def at_all(self, values: Values) -> Values:
        """Return the positions of values, of any shape."""
        inside = np.clip(values, self.low, self.high)
        if self.log:
            share = np.log(inside / self.low) / math.log(self.high / self.low)
        else:
            share = (inside - self.low) / (self.high - self.low)
        positions: Values = self.start + share * (self.end - self.start)
        return positions

    def ticks(self, count: int) -> list[float]:
        """Return about so many round values on the axis."""
        return _log_ticks(self.low, self.high, count) if self.log else ticks(self.low, self.high, count)


def fitted(axis: Axis, drawn: Sequence[Values], start: float, end: float) -> Scale:
    """Return the scale of an axis that shows all finite values.

    Args:
        axis: The axis; the ends that it states count, not the values.
        drawn: Arrays of any shapes.
        start: Position of the low end, in pixels.
        end: Position of the high end.
    """
    if axis.span is not None:
        return Scale(*axis.span, start, end, axis.log)
    together = np.concatenate([np.ravel(values) for values in drawn]) if drawn else np.zeros(1)
    together = together[np.isfinite(together)]
    if axis.log:
        return _fitted_log(together[together > 0], start, end, _ROOM if axis.room else 0.0)
    low, high = (float(together.min()), float(together.max())) if len(together) else (0.0, 0.0)
    if not high - low > 1e-12 * max(abs(low), abs(high)):
        margin = 0.5 * abs(high) or 0.5
        low, high = low - margin, high + margin
    margin = _ROOM * (high - low) if axis.room else 0.0
    return Scale(low - margin, high + margin, start, end)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about ``count`` multiples of 1, 2 or 5 times a power of ten between two values."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1.0, 2.0, 5.0, 10.0) if power * factor >= 0.8 * rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def tick_label(value: float) -> str:
    """Return a round value as short text: 0.25, −3, 2e−4."""
    short = f"{value:.0e}" if 0 < abs(value) < _SMALL else f"{value:.6g}"
    mantissa, e, exponent = short.partition("e")
    text = f"{mantissa}e{int(exponent)}" if e else mantissa
    return text.replace("-", "\N{MINUS SIGN}")


def _fitted_log(positive: Values, start: float, end: float, room: float) -> Scale:
    low, high = (float(positive.min()), float(positive.max())) if len(positive) else (1.0, 1.0)
    low = max(low, high / 10.0**_MAX_DECADES)
    if high < 2.0 * low:
        low, high = low / 1.5, high * 1.5
    margin = (high / low) ** room
    return Scale(low / margin, high * margin, start, end, log=True)


def _log_ticks(low: float, high: float, count: int) -> list[float]:
    decades = math.log10(high / low)
    if decades < 1.0:
        return ticks(low, high, count)
    factors = _LOG_FACTORS if decades < _FEW_DECADES else (1.0,)
    step = max(math.ceil(decades / count), 1)
    powers = range(math.floor(math.log10(low) / step) * step, math.ceil(math.log10(high)) + 1, step)
    found = [factor * 10.0**power for power in powers for factor in factors]
    return [value for value in found if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
