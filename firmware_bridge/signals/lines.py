"""Steady vibration as lines: multiples of the shaft's speed, by what causes them.

Source: R. B. Randall, "Vibration-based Condition Monitoring" (2011), chapter 2: unbalance at the speed,
misalignment at twice the speed, looseness at halves of it, gears at the mesh frequency with sidebands.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from firmware_bridge.arrays import SignalArray, TimeArray
from firmware_bridge.signals.mounting import Mounting
from firmware_bridge.signals.shaft import Shaft
from firmware_bridge.signals.source import Vector, require_not_negative, require_positive


@dataclass(frozen=True)
class Line:
    """One sine of the shaft's angle, its amplitude in m/s^2."""

    order: float
    """Periods per turn."""
    amplitude_m_s2: Vector
    """Per axis, at mean speed and load."""
    phase_rad: Vector
    """Per axis."""
    of_speed: bool = False
    """True if it grows with the square of the speed, else with the load."""


@dataclass(frozen=True)
class Unbalance:
    """A rotor whose centre of mass is off its axis: one line at the shaft's speed, turning from x to y."""

    moment_kg_m: float
    """Unbalanced mass times its radius."""
    mass_kg: float
    """What the force shakes: the machine with its rotor."""

    def __post_init__(self) -> None:
        require_not_negative(moment_kg_m=self.moment_kg_m)
        require_positive(mass_kg=self.mass_kg)

    def lines(self, shaft: Shaft, random: np.random.Generator) -> Iterator[Line]:
        """Yield the line in m/s^2: force = moment * w^2, acceleration = force / mass."""
        amplitude_m_s2 = self.moment_kg_m * (2 * math.pi * shaft.speed_hz) ** 2 / self.mass_kg
        phase = float(random.uniform(0.0, 2 * math.pi))
        yield Line(
            1.0,
            (amplitude_m_s2, amplitude_m_s2, 0.0),
            (phase, phase - math.pi / 2, 0.0),
            of_speed=True,
        )


@dataclass(frozen=True)
class Misalignment:
    """Shafts of motor and machine that do not meet: an offset shakes twice a turn, an angle once, axially."""

    parallel_m_s2: float = 0.0
    """Amplitude at twice the speed, along x and half of it along y."""
    angular_m_s2: float = 0.0
    """Amplitude at the speed, along the shaft (z), and half of it at twice the speed."""

    def __post_init__(self) -> None:
        require_not_negative(parallel_m_s2=self.parallel_m_s2, angular_m_s2=self.angular_m_s2)

    def lines(self, shaft: Shaft, random: np.random.Generator) -> Iterator[Line]:
        """Yield the lines in m/s^2, at once and twice the speed."""
        radial, axial = self.parallel_m_s2, self.angular_m_s2
        yield Line(1.0, (0.0, 0.0, axial), _phases(random))
        yield Line(2.0, (radial, radial / 2, axial / 2), _phases(random))


@dataclass(frozen=True)
class Looseness:
    """A loose foot or bearing seat: lines at every half multiple of the speed, falling with their number."""

    amplitude_m_s2: float
    """Amplitude at half the speed on every axis; the n-th line has the n-th part of it."""
    lines_n: int = 12
    """How many lines: 12 reach to six times the speed."""

    def __post_init__(self) -> None:
        require_not_negative(amplitude_m_s2=self.amplitude_m_s2)
        require_positive(lines_n=self.lines_n)

    def lines(self, shaft: Shaft, random: np.random.Generator) -> Iterator[Line]:
        """Yield the lines in m/s^2, at 1/2, 1, 3/2, ... times the speed."""
        for number in range(1, self.lines_n + 1):
            level = self.amplitude_m_s2 / number
            yield Line(number / 2, (level, level, level), _phases(random))


@dataclass(frozen=True)
class Gear:
    """A gear on the shaft: the mesh frequency and its multiples, each with sidebands one speed away.

    A wheel off its centre presses harder once a turn: a (1 + m cos θ) sin(N θ) has sidebands of a m / 2.
    """

    teeth: int
    amplitude_m_s2: float
    """At the mesh frequency on every axis; the h-th multiple has the h-th part of it."""
    multiples: int = 3
    modulation: float = 0.1
    """m: part by which the amplitude swings during a turn."""

    def __post_init__(self) -> None:
        require_positive(teeth=self.teeth, multiples=self.multiples)
        require_not_negative(gear_amplitude_m_s2=self.amplitude_m_s2, modulation=self.modulation)

    def lines(self, shaft: Shaft, random: np.random.Generator) -> Iterator[Line]:
        """Yield each multiple in m/s^2 with its two sidebands, in phase with the modulation."""
        for multiple in range(1, self.multiples + 1):
            level, order = self.amplitude_m_s2 / multiple, float(multiple * self.teeth)
            phases = _phases(random)
            yield Line(order, (level, level, level), phases)
            side = level * self.modulation / 2
            for neighbour in (order - 1.0, order + 1.0):
                yield Line(neighbour, (side, side, side), phases)


@dataclass(frozen=True)
class Neighbour:
    """A second machine next door, felt through the floor: multiples of its own speed."""

    speed_hz: float = 16.3
    amplitude_m_s2: float = 0.1
    """At its speed on every axis; the n-th multiple has the n-th part of it."""
    multiples: int = 3

    def __post_init__(self) -> None:
        require_positive(neighbour_speed_hz=self.speed_hz, multiples=self.multiples)
        require_not_negative(neighbour_amplitude_m_s2=self.amplitude_m_s2)

    def lines(self, shaft: Shaft, random: np.random.Generator) -> Iterator[Line]:
        """Yield the multiples of its speed in m/s^2; ``shaft`` is the neighbour's own."""
        for multiple in range(1, self.multiples + 1):
            level = self.amplitude_m_s2 / multiple
            yield Line(float(multiple), (level, level, level), _phases(random))


def vibration_m_s2(
    lines: tuple[Line, ...], shaft: Shaft, mounting: Mounting | None, times_s: TimeArray
) -> SignalArray:
    """Return the sum of the lines as the sensor feels it, in m/s^2, shape (n, 3).

    The mounting answers to each line as to a steady one: exact at constant speed.

    Args:
        lines: What shakes.
        shaft: Whose angle the lines follow.
        mounting: The sensor's resonance; None if the sensor is one with the machine.
        times_s: When it is felt, in seconds, shape (n,).
    """
    turns, speed_hz, load = shaft.turns(times_s), shaft.speed(times_s), shaft.load(times_s)
    of_speed = (speed_hz / shaft.speed_hz) ** 2
    total = np.zeros((len(times_s), 3))
    for line in lines:
        wave = np.exp(2j * math.pi * line.order * turns) * (of_speed if line.of_speed else load)
        if mounting is not None:
            wave = wave * mounting.response(line.order * speed_hz)
        weights = np.array(line.amplitude_m_s2) * np.exp(1j * np.array(line.phase_rad))
        total += (wave[:, np.newaxis] * weights).imag
    return total


def _phases(random: np.random.Generator) -> Vector:
    x, y, z = random.uniform(0.0, 2 * math.pi, 3).tolist()
    return x, y, z
