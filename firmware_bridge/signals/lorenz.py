"""The Lorenz attractor: a chaotic signal that never repeats, healthy or broken by its three parameters.

Source: E. N. Lorenz, "Deterministic Nonperiodic Flow", J. Atmos. Sci. 20 (1963); step rule and presets of
R. Kienzler's "lorenzattractor" (IBM developerWorks, 2017), which simulates a bearing with it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Self

import numpy as np

from firmware_bridge.arrays import SignalArray, TimeArray
from firmware_bridge.errors import SignalError
from firmware_bridge.signals.source import Vector, require_positive

HEALTHY = (10.0, 28.0, 8 / 3)
"""Parameters a, b, c of the healthy bearing."""
BROKEN = (30.0, 128.0, 28 / 3)
"""Parameters a, b, c of the broken bearing."""
STEP = 0.008
"""Step of the integration, h."""
START = (2.0, 3.0, 4.0)

# A time that should fall on a point may miss it by rounding.
_GRID_SLACK = 1e-9


def lorenz_points(
    n: int, *, a: float = 10.0, b: float = 28.0, c: float = 8 / 3, h: float = STEP, start: Vector = START
) -> SignalArray:
    """Return the first ``n`` points after ``start``, without unit, shape (n, 3).

    The step is not Euler's: x, y and z are updated one after the other, each from the new values, as in the
    source.

    Raises:
        SignalError: If the integration leaves every bound.
    """
    points = itertools.islice(_steps(a, b, c, h, start), n)
    return np.fromiter(itertools.chain.from_iterable(points), np.float64, 3 * n).reshape(n, 3)


class LorenzAttractor:
    """The attractor as a signal source: one point every ``step_s`` seconds, straight lines between.

    Not simulated: gravity, noise, or any machine; the three numbers are taken as x, y and z.
    """

    def __init__(
        self,
        *,
        a: float = 10.0,
        b: float = 28.0,
        c: float = 8 / 3,
        h: float = STEP,
        start: Vector = START,
        step_s: float = 0.01,
        scale_g: float = 0.05,
    ) -> None:
        """Describe the attractor; the point after ``start`` belongs to time 0.

        Args:
            a: First parameter (Prandtl number).
            b: Second parameter (Rayleigh number).
            c: Third parameter.
            h: Step of the integration.
            start: Point from which the first step is made.
            step_s: Time from point to point, in seconds.
            scale_g: Acceleration of one unit, in g; the default keeps the broken preset inside 16 g.

        Raises:
            SignalError: If a step is not above 0, or the integration leaves every bound.
        """
        require_positive(h=h, step_s=step_s)
        self._points = _steps(a, b, c, h, start)
        self._step_s = step_s
        self._scale_g = scale_g
        # The points from index ``_first`` on that are still needed.
        self._first = 0
        self._kept = np.empty((0, 3))

    @classmethod
    def healthy(cls, *, step_s: float = 0.01, scale_g: float = 0.05) -> Self:
        """Make the healthy preset, one point every ``step_s`` seconds."""
        return cls.between(0.0, step_s=step_s, scale_g=scale_g)

    @classmethod
    def broken(cls, *, step_s: float = 0.01, scale_g: float = 0.05) -> Self:
        """Make the broken preset, one point every ``step_s`` seconds."""
        return cls.between(1.0, step_s=step_s, scale_g=scale_g)

    @classmethod
    def between(cls, severity: float, *, step_s: float = 0.01, scale_g: float = 0.05) -> Self:
        """Make a bearing a fraction of the way from healthy (0) to broken (1)."""
        a, b, c = (good + severity * (bad - good) for good, bad in zip(HEALTHY, BROKEN, strict=True))
        return cls(a=a, b=b, c=c, step_s=step_s, scale_g=scale_g)

    def acceleration_g(self, times_s: TimeArray) -> SignalArray:
        """Return the points at the given times, in g, shape (n, 3).

        Raises:
            SignalError: If the integration leaves every bound: the parameters or the step are too large.
        """
        if len(times_s) == 0:
            return np.empty((0, 3))
        position = times_s / self._step_s + _GRID_SLACK
        index = np.floor(position).astype(np.int64)
        fraction = np.maximum(position - index - _GRID_SLACK, 0.0)[:, np.newaxis]
        self._advance(int(index[0]), int(index[-1]) + 2)
        before = self._kept[index - self._first]
        after = self._kept[index - self._first + 1]
        return np.asarray(self._scale_g * (before + fraction * (after - before)))

    def _advance(self, first: int, end: int) -> None:
        missing = end - (self._first + len(self._kept))
        if missing > 0:
            values = itertools.chain.from_iterable(itertools.islice(self._points, missing))
            fresh = np.fromiter(values, np.float64, 3 * missing).reshape(missing, 3)
            self._kept = np.concatenate([self._kept, fresh])
        self._kept = self._kept[first - self._first :]
        self._first = first


def _steps(a: float, b: float, c: float, h: float, start: Vector) -> Iterator[Vector]:
    x, y, z = start
    while True:
        x += h * a * (y - x)
        y += h * (x * (b - z) - y)
        z += h * (x * y - c * z)
        if not math.isfinite(x + y + z):
            raise SignalError(
                f"the Lorenz equations diverge with a={a:g}, b={b:g}, c={c:g}, h={h:g}; lower h"
            )
        yield x, y, z
