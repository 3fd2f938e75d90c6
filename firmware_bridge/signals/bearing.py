"""Rolling-element bearings: where their defects show, and what a defect does.

Source: R. B. Randall, J. Antoni, "Rolling element bearing diagnostics - A tutorial", Mech. Syst. Signal
Process. 25 (2011), equations 1 to 4 and section 2: impacts with a random slip of 1 to 2 %, each exciting a
resonance, an inner race's modulated at the shaft's speed, a ball's at the cage's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from firmware_bridge.arrays import SignalArray, TimeArray
from firmware_bridge.errors import SignalError
from firmware_bridge.signals.impulses import Growth, Ringing, Train
from firmware_bridge.signals.mounting import Mounting
from firmware_bridge.signals.shaft import Shaft
from firmware_bridge.signals.source import Vector, require_positive

Defect = Literal["outer", "inner", "ball", "cage"]
_INCH_M = 0.0254


@dataclass(frozen=True)
class Geometry:
    """Dimensions of a bearing whose outer race stands still.

    Orders are per turn of the shaft: times the shaft's speed in Hz they are frequencies in Hz.
    """

    balls: int = 9
    ball_diameter_m: float = 0.3126 * _INCH_M
    pitch_diameter_m: float = 1.537 * _INCH_M
    """From ball centre to ball centre. The defaults are an SKF 6205-2RS (CWRU Bearing Data Center)."""
    contact_angle_deg: float = 0.0

    def __post_init__(self) -> None:
        require_positive(
            balls=self.balls, ball_diameter_m=self.ball_diameter_m, pitch_diameter_m=self.pitch_diameter_m
        )
        if self.ball_diameter_m >= self.pitch_diameter_m or not 0 <= self.contact_angle_deg < 90:
            raise SignalError(
                f"a bearing of balls of {self.ball_diameter_m:g} m on a pitch diameter of "
                f"{self.pitch_diameter_m:g} m at {self.contact_angle_deg:g} degrees is not possible"
            )

    @property
    def bpfo(self) -> float:
        """Ball passes over a point of the outer race per turn; times the speed in Hz a frequency in Hz."""
        return self.balls / 2 * (1 - self._ratio)

    @property
    def bpfi(self) -> float:
        """Ball passes over a point of the inner race per turn; times the speed in Hz a frequency in Hz."""
        return self.balls / 2 * (1 + self._ratio)

    @property
    def ftf(self) -> float:
        """Turns of the cage (fundamental train)."""
        return (1 - self._ratio) / 2

    @property
    def bsf(self) -> float:
        """Turns of a ball about itself; its defect hits twice in each, once on either race."""
        return self.pitch_diameter_m / self.ball_diameter_m / 2 * (1 - self._ratio**2)

    @property
    def _ratio(self) -> float:
        angle = math.radians(self.contact_angle_deg)
        return self.ball_diameter_m / self.pitch_diameter_m * math.cos(angle)


@dataclass(frozen=True, kw_only=True)
class Bearing:
    """A bearing, sound or with a defect that grows: impacts ring with an amplitude in m/s^2."""

    geometry: Geometry = Geometry()
    defect: Defect = "outer"
    severity_m_s2: float = 0.0
    """Amplitude of the ringing after an impact at full severity; 0 is a sound bearing."""
    fault_at_s: float = 0.0
    growth_s: float = 0.0
    """How long it takes from there to its full severity."""
    growth_exponent: float = 1.0
    """1 grows evenly; 3 as spalls do: slowly, then fast."""
    slip: float = 0.015
    """Standard deviation of the angle between impacts, as a part of it."""
    resonance_hz: float = 3000.0
    """Of the housing, which each impact excites."""
    damping: float = 0.05
    direction: Vector = (0.6, 1.0, 0.3)
    """Part of the ringing that each axis feels."""

    @property
    def order(self) -> float:
        """Impacts per turn of the shaft."""
        geometry = self.geometry
        return {
            "outer": geometry.bpfo,
            "inner": geometry.bpfi,
            "ball": 2 * geometry.bsf,
            "cage": geometry.ftf,
        }[self.defect]


class BearingImpacts:
    """What a bearing's defect makes the sensor feel."""

    def __init__(
        self, bearing: Bearing, shaft: Shaft, mounting: Mounting | None, random: np.random.Generator
    ) -> None:
        """Prepare the impacts.

        Args:
            bearing: Its defect, whose impacts ring with an amplitude in m/s^2.
            shaft: What turns it.
            mounting: The sensor's resonance; None if the sensor is one with the machine.
            random: Where the slip comes from.

        Raises:
            SignalError: If a value of the bearing is impossible.
        """
        self._growth = Growth(
            bearing.severity_m_s2, bearing.fault_at_s, bearing.growth_s, bearing.growth_exponent
        )
        ringing = Ringing(bearing.resonance_hz, bearing.damping)
        self._ringing = ringing if mounting is None else ringing.felt_through(mounting.felt)
        start_turns = float(shaft.turns(np.array([bearing.fault_at_s]))[0])
        # Impacts come by angle: the faster the shaft, the faster they come.
        self._train = Train.periodic(bearing.order, bearing.slip, start_turns, random)
        self._bearing = bearing
        self._shaft = shaft

    def vibration_m_s2(self, times_s: TimeArray) -> SignalArray:
        """Return the ringing at the given times, in m/s^2, shape (n, 3)."""
        if self._growth.severity == 0 or len(times_s) == 0:
            return np.zeros((len(times_s), 3))
        # An impact before the first time asked for may still ring at it.
        span_s = np.array([max(float(times_s[0]) - self._ringing.duration_s, 0.0), float(times_s[-1])])
        first, last = self._shaft.turns(span_s).tolist()
        turns = self._train.keep(first, last)
        impacts_s = self._shaft.time_of(turns)
        strengths = self._growth.at(impacts_s) * self._shaft.load(impacts_s) * self._modulation(turns)
        felt = self._ringing.after(impacts_s, strengths, times_s)
        return np.asarray(felt[:, np.newaxis] * np.array(self._bearing.direction))

    def _modulation(self, turns: TimeArray) -> SignalArray:
        """Return how strong impacts are, as a part, shape (n,).

        A defect that moves through the load zone hits hardest there.

        Args:
            turns: Turns of the shaft at each impact, shape (n,).
        """
        orders = {"outer": 0.0, "inner": 1.0, "ball": self._bearing.geometry.ftf, "cage": 0.0}
        return np.asarray(0.5 * (1.0 + np.cos(2 * math.pi * orders[self._bearing.defect] * turns)))
