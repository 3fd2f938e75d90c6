"""A machine from its parts: shaft, faults of the rotor, gear, bearing, the sensor's mounting, a neighbour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_bridge.arrays import SignalArray, TimeArray
from firmware_bridge.signals.bearing import Bearing, BearingImpacts
from firmware_bridge.signals.lines import (
    Gear,
    Looseness,
    Misalignment,
    Neighbour,
    Unbalance,
    vibration_m_s2,
)
from firmware_bridge.signals.mounting import Mounting
from firmware_bridge.signals.shaft import Shaft
from firmware_bridge.signals.source import Vector, random_streams, require_not_negative

STANDARD_GRAVITY_M_S2 = 9.80665


class Drivetrain:
    """The sum of what its parts make the sensor feel, in g; x and y are radial, z lies along the shaft.

    Not simulated: the way from part to sensor, torsion, run-up, electric hum, a sensor's anti-alias filter
    (what is above half the output data rate folds).
    """

    def __init__(
        self,
        *,
        shaft: Shaft | None = None,
        unbalance: Unbalance | None = None,
        misalignment: Misalignment | None = None,
        looseness: Looseness | None = None,
        gear: Gear | None = None,
        bearing: Bearing | None = None,
        mounting: Mounting | None = None,
        neighbour: Neighbour | None = None,
        gravity_g: Vector = (0.0, 1.0, 0.0),
        noise_m_s2: Vector = (0.05, 0.05, 0.05),
        seed: int = 0,
    ) -> None:
        """Put the machine together; a part that is left out does not shake.

        Args:
            shaft: 25 turns a second, steady, if left out.
            unbalance: A line at the speed.
            misalignment: Lines at once and twice the speed.
            looseness: Lines at half multiples of the speed.
            gear: Mesh lines with sidebands.
            bearing: Impacts that excite a resonance.
            mounting: The sensor's resonance; without it the sensor is one with the machine.
            neighbour: A second machine.
            gravity_g: Constant acceleration per axis, in g.
            noise_m_s2: Standard deviation of the background noise per axis, from sample to sample, in m/s^2.
            seed: Another seed, another machine of the same make.

        Raises:
            SignalError: If a value is impossible.
        """
        require_not_negative(seed=seed)
        for level in noise_m_s2:
            require_not_negative(noise_m_s2=level)
        # A stream of random numbers for each: a part that is added leaves the others as they were.
        rotor, bearings, next_door, self._random = random_streams(seed, 4)
        shaft = shaft or Shaft()
        causes = [cause for cause in (unbalance, misalignment, looseness, gear) if cause is not None]
        self._groups = [(tuple(line for cause in causes for line in cause.lines(shaft, rotor)), shaft)]
        if neighbour is not None:
            its_shaft = replace(Shaft(), speed_hz=neighbour.speed_hz)
            self._groups.append((tuple(neighbour.lines(its_shaft, next_door)), its_shaft))
        # A sound bearing, too, so that what it is set to is checked.
        self._impacts = BearingImpacts(bearing or Bearing(), shaft, mounting, bearings)
        self._mounting = mounting
        self._gravity_g = np.array(gravity_g)
        self._noise_m_s2 = np.array(noise_m_s2)

    def acceleration_g(self, times_s: TimeArray) -> SignalArray:
        """Return what the sensor feels, in g, shape (n, 3)."""
        felt_m_s2 = self._noise_m_s2 * self._random.standard_normal((len(times_s), 3))
        for lines, shaft in self._groups:
            felt_m_s2 += vibration_m_s2(lines, shaft, self._mounting, times_s)
        felt_m_s2 += self._impacts.vibration_m_s2(times_s)
        return np.asarray(self._gravity_g + felt_m_s2 / STANDARD_GRAVITY_M_S2)
