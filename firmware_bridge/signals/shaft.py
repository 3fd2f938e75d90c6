"""The shaft: how fast it turns, and how hard it works."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from firmware_bridge.arrays import SignalArray, TimeArray
from firmware_bridge.errors import SignalError
from firmware_bridge.signals.source import require_positive

# Newton's method on a function whose slope varies by less than a factor of three.
_NEWTON_STEPS = 8


@dataclass(frozen=True)
class Shaft:
    """A shaft whose speed, in Hz, and load swing slowly about their means."""

    speed_hz: float = 25.0
    """Mean turns per second."""
    speed_variation: float = 0.0
    """Largest part by which the speed deviates from its mean."""
    speed_period_s: float = 37.0
    """Time from one fastest moment to the next."""
    load_variation: float = 0.0
    """Largest part by which the load deviates from its mean."""
    load_period_s: float = 61.0
    """Time from one highest load to the next."""

    def __post_init__(self) -> None:
        require_positive(
            speed_hz=self.speed_hz, speed_period_s=self.speed_period_s, load_period_s=self.load_period_s
        )
        for name in ("speed_variation", "load_variation"):
            value = getattr(self, name)
            if not 0 <= value <= 0.5:
                raise SignalError(f"{name} = {value!r} must be from 0 to 0.5")

    def speed(self, times_s: TimeArray) -> SignalArray:
        """Return the speed at the given times, in Hz (turns per second), shape (n,)."""
        swing = np.sin(2 * math.pi * times_s / self.speed_period_s)
        return np.asarray(self.speed_hz * (1.0 + self.speed_variation * swing))

    def turns(self, times_s: TimeArray) -> SignalArray:
        """Return the turns made since time 0, the integral of ``speed``, shape (n,)."""
        rate = 2 * math.pi / self.speed_period_s
        swing = self.speed_variation / rate * (1.0 - np.cos(rate * times_s))
        return np.asarray(self.speed_hz * (times_s + swing))

    def time_of(self, turns: TimeArray) -> SignalArray:
        """Return when the shaft has made so many turns, in s, shape (n,)."""
        times_s = np.asarray(turns / self.speed_hz)
        # ``turns`` has no inverse in closed form.
        if self.speed_variation:
            for _ in range(_NEWTON_STEPS):
                times_s = times_s - (self.turns(times_s) - turns) / self.speed(times_s)
        return times_s

    def load(self, times_s: TimeArray) -> SignalArray:
        """Return the load at the given times as a part of its mean, shape (n,)."""
        return np.asarray(1.0 + self.load_variation * np.sin(2 * math.pi * times_s / self.load_period_s))
