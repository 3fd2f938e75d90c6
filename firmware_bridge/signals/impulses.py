"""Impacts and what they excite: trains of times, and the decaying resonance after each.

Source: R. B. Randall, J. Antoni, "Rolling element bearing diagnostics - A tutorial", Mech. Syst. Signal
Process. 25 (2011): impacts with a random slip, each exciting a decaying resonance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np

from firmware_bridge.arrays import SignalArray, TimeArray
from firmware_bridge.errors import SignalError
from firmware_bridge.signals.source import require_not_negative, require_positive

# The ringing is followed until it has decayed to this part of its start.
_RINGING_END = 1e-6


class Train:
    """Increasing marks, such as the times of impacts, made as they are needed."""

    def __init__(self, marks: Iterator[float]) -> None:
        """Take an endless iterator of increasing marks."""
        self._marks = marks
        self._next = next(marks)
        self.kept: TimeArray = np.empty(0)

    @classmethod
    def periodic(cls, rate_hz: float, slip: float, start: float, random: np.random.Generator) -> Self:
        """Make marks whose intervals vary by ``slip``, a standard deviation as a part of the interval.

        Raises:
            SignalError: If the slip is not from 0 to 0.1.
        """
        if not 0 <= slip <= 0.1:
            raise SignalError(f"slip = {slip!r} must be from 0 to 0.1; bearings slip by 0.01 to 0.02")
        return cls(_periodic(1.0 / rate_hz, slip, start, random))

    @classmethod
    def poisson(cls, rate_hz: float, start: float, random: np.random.Generator) -> Self:
        """Make marks at random, ``rate_hz`` of them per unit on average."""
        return cls(_poisson(1.0 / rate_hz, start, random))

    def keep(self, first: float, last: float) -> TimeArray:
        """Make all marks up to ``last``, forget those before ``first``; return the rest, shape (n_marks,)."""
        fresh = []
        while self._next <= last:
            fresh.append(self._next)
            self._next = next(self._marks)
        self.kept = np.concatenate([self.kept[self.kept >= first], fresh])
        return self.kept


def _periodic(interval: float, slip: float, start: float, random: np.random.Generator) -> Iterator[float]:
    mark = start
    while True:
        yield mark
        mark += interval * (1.0 + slip * random.standard_normal())


def _poisson(interval: float, start: float, random: np.random.Generator) -> Iterator[float]:
    mark = start
    while True:
        mark += interval * random.standard_exponential()
        yield mark


@dataclass(frozen=True)
class Mode:
    """A decaying oscillation: the real part of weight * exp(pole * t), t in seconds."""

    pole: complex
    """Minus the decay per second, and the angular frequency."""
    weight: complex


class Ringing:
    """The decaying oscillation of a resonance that an impact excites, of amplitude 1."""

    def __init__(self, resonance_hz: float, damping: float) -> None:
        """Describe the resonance.

        Args:
            resonance_hz: Natural frequency in Hz.
            damping: Damping ratio, between 0 and 1.

        Raises:
            SignalError: If a value is impossible.
        """
        require_positive(resonance_hz=resonance_hz, damping=damping)
        if damping >= 1:
            raise SignalError(f"damping = {damping!r} must be below 1, or nothing rings")
        natural = 2 * math.pi * resonance_hz
        pole = natural * complex(-damping, math.sqrt(1.0 - damping**2))
        # A sine: at rest when the impact comes.
        self._modes: tuple[Mode, ...] = (Mode(pole, -1j),)

    @property
    def duration_s(self) -> float:
        """How long it is followed, in seconds."""
        return max(math.log(_RINGING_END) / mode.pole.real for mode in self._modes)

    def felt_through(self, through: Callable[[Mode], Iterable[Mode]]) -> Self:
        """Return the ringing as it is felt behind something that makes other modes of a mode."""
        felt = copy(self)
        felt._modes = tuple(other for mode in self._modes for other in through(mode))
        return felt

    def after(self, impacts_s: TimeArray, strengths: TimeArray, times_s: TimeArray) -> TimeArray:
        """Return the sum of what all impacts left over at the given times, shape (n,).

        Args:
            impacts_s: When the impacts came, in seconds, increasing, shape (n_impacts,).
            strengths: How strong each was, shape (n_impacts,).
            times_s: When it is felt, in seconds, increasing, shape (n,).
        """
        total = np.zeros(len(times_s))
        first = np.searchsorted(times_s, impacts_s)
        last = np.searchsorted(times_s, impacts_s + self.duration_s)
        for impact_s, strength, start, end in zip(impacts_s, strengths, first, last, strict=True):
            since_s = times_s[start:end] - impact_s
            for mode in self._modes:
                total[start:end] += strength * (mode.weight * np.exp(mode.pole * since_s)).real
        return total


class Growth:
    """How a fault grows: nothing until it begins, then to its full severity."""

    def __init__(self, severity: float, fault_at_s: float, growth_s: float, exponent: float = 1.0) -> None:
        """Describe the growth.

        Args:
            severity: What it reaches, in the unit of the signal.
            fault_at_s: When it begins, in seconds.
            growth_s: How long it takes from there, in seconds.
            exponent: 1 grows evenly; above 1 slowly at first, as spalls do.

        Raises:
            SignalError: If a value is impossible.
        """
        require_not_negative(severity_g=severity, fault_at_s=fault_at_s, growth_s=growth_s)
        require_positive(growth_exponent=exponent)
        self.severity = severity
        self._fault_at_s = fault_at_s
        self._growth_s = growth_s
        self._exponent = exponent

    def at(self, times_s: TimeArray) -> SignalArray:
        """Return the severity at the given times, shape (n,)."""
        since_s = times_s - self._fault_at_s
        grown = np.clip(since_s / self._growth_s, 0.0, 1.0) if self._growth_s > 0 else since_s >= 0
        return np.asarray(self.severity * grown**self._exponent)
