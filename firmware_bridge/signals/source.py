"""The signal source as the simulated chip sees it."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from firmware_bridge.arrays import SignalArray, TimeArray
from firmware_bridge.errors import SignalError

Vector = tuple[float, float, float]
"""One value per axis x, y, z."""


class SignalSource(Protocol):
    """Acceleration in g at the sensor's place as a function of time in seconds. Deterministic for a seed."""

    def acceleration_g(self, times_s: TimeArray) -> SignalArray:
        """Return what the sensor feels at the given times.

        Args:
            times_s: Increasing times since the start of the simulation, shape (n,); each call goes on
                where the previous one stopped. The result does not depend on how the times are cut
                into calls.

        Returns:
            Acceleration in g, shape (n, 3).
        """
        ...


def random_streams(seed: int, count: int) -> list[np.random.Generator]:
    """Return independent streams of random numbers, as ``Generator.spawn`` does, which Debian 12 lacks."""
    return [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(count)]


def require_positive(**values: float) -> None:
    """Check that every value is a finite number above zero.

    Raises:
        SignalError: If not; the message names the parameter.
    """
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise SignalError(f"{name} = {value!r} must be above 0")


def require_not_negative(**values: float) -> None:
    """Check that every value is a finite number, zero or above.

    Raises:
        SignalError: If not; the message names the parameter.
    """
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise SignalError(f"{name} = {value!r} must be 0 or above")
