"""What the samples themselves say about the sensor: a stuck axis, full scale, and a sensor that has moved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agent.inference.arrays import FloatArray

FULL_SCALE = 0.99
"""Part of the range from where on a sample counts as clipped; the last code of a coarse chip is above it."""
STUCK_PART = 4
STUCK_SAMPLES = 32
"""An axis is stuck if it gives one code for a quarter of a window and this many samples."""
LEARNT_WINDOWS = 32
"""Windows whose mean is taken for the sensor's position."""
MOVED_G = 0.25
"""Change of the mean that a fixed sensor never has: 0.1 g is what temperature does to a cheap one."""


def stuck_axes(window: FloatArray) -> list[int]:
    """Return the axes that give one code for a whole stretch of the window, shape (length, n_axes)."""
    stretch = max(len(window) // STUCK_PART, STUCK_SAMPLES)
    starts = range(0, max(len(window) - stretch, 0) + 1, stretch)
    still = np.maximum.reduceat(window, starts, axis=0) == np.minimum.reduceat(window, starts, axis=0)
    return [int(axis) for axis in np.flatnonzero(still.any(axis=0))]


def clipped_axes(window: FloatArray, range_g: float) -> list[int]:
    """Return the axes with a sample at or beyond full scale; window of shape (length, n_axes)."""
    return [int(axis) for axis in np.flatnonzero(np.abs(window).max(axis=0) >= FULL_SCALE * range_g)]


class SampleCheck:
    """Looks at every window before it is scored."""

    def __init__(self, axes: Sequence[str], range_g: float) -> None:
        """Say what windows look like.

        Args:
            axes: Names of the axes, in order.
            range_g: Full scale of the sensor, in g.
        """
        self._axes = axes
        self._range_g = range_g

    def problem(self, window: FloatArray) -> str | None:
        """Return why the window, shape (length, n_axes), must not be scored, or None."""
        stuck = stuck_axes(window)
        if stuck:
            return f"{self._named(stuck)} gives one code only: power-cycle the sensor, then replace it"
        clipped = clipped_axes(window, self._range_g)
        if clipped:
            return (
                f"{self._named(clipped)} reaches full scale ({self._range_g:g} g): choose a larger range_g; "
                "if the machine runs as usual, the sensor is damaged"
            )
        return None

    def _named(self, axes: Sequence[int]) -> str:
        return "axis " + ", ".join(self._axes[axis] for axis in axes)


class PositionCheck:
    """Notices a sensor that no longer sits where it sat: the mean in g lies differently over its axes.

    The position is learnt from the first windows; a machine that moves the sensor about is told by their
    spread, and is allowed four times as much.
    """

    def __init__(self) -> None:
        self._learnt: list[FloatArray] = []
        self._limit_g = 0.0
        self._position_g: FloatArray | None = None

    def problem(self, window: FloatArray) -> str | None:
        """Return what is wrong with the sensor's position in the window, shape (length, n_axes), or None."""
        mean_g = window.mean(axis=0)
        if self._position_g is None:
            self._learn(mean_g)
            return None
        shift_g = float(np.abs(mean_g - self._position_g).max())
        if shift_g <= self._limit_g:
            return None
        return (
            f"the sensor hangs otherwise than at the start (by {shift_g:.2f} g): it is loose, tighten it; "
            "if it was moved on purpose, restart judder"
        )

    def _learn(self, mean_g: FloatArray) -> None:
        self._learnt.append(mean_g)
        if len(self._learnt) < LEARNT_WINDOWS:
            return
        means_g = np.array(self._learnt)
        self._position_g = np.asarray(np.median(means_g, axis=0))
        self._limit_g = max(MOVED_G, 4 * float(np.abs(means_g - self._position_g).max()))
        self._learnt.clear()
