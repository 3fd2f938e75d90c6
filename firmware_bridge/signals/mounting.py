"""How the sensor sits on the machine: a mass on the spring of its magnet, wax or stud.

Source: ISO 5348, "Mechanical mounting of accelerometers": the mounted sensor is a resonator of one degree of
freedom, H(s) = w^2 / (s^2 + 2 z w s + w^2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_bridge.errors import SignalError
from firmware_bridge.signals.impulses import Mode
from firmware_bridge.signals.source import require_positive

ComplexArray = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class Mounting:
    """A mounted sensor's resonance, described by its frequency in Hz and its damping ratio."""

    resonance_hz: float = 2000.0
    """Natural frequency: some 2 kHz on a magnet, up to 30 kHz on a stud."""
    damping: float = 0.03
    """Damping ratio, between 0 and 1."""

    def __post_init__(self) -> None:
        require_positive(mounting_resonance_hz=self.resonance_hz, mounting_damping=self.damping)
        if self.damping >= 1:
            raise SignalError(f"mounting damping = {self.damping!r} must be below 1, or nothing rings")

    def response(self, frequencies_hz: npt.NDArray[np.float64]) -> ComplexArray:
        """Return the complex amplitude that the sensor feels of a vibration of amplitude 1, shape (n,).

        Args:
            frequencies_hz: Of the vibration, in Hz, shape (n,).
        """
        return np.asarray(self._transfer(2j * math.pi * frequencies_hz))

    def felt(self, mode: Mode) -> tuple[Mode, Mode]:
        """Return a ringing that begins at rest, as the sensor feels it: itself, and the mounting's own."""
        natural = 2 * math.pi * self.resonance_hz
        pole = natural * complex(-self.damping, math.sqrt(1.0 - self.damping**2))
        steady = complex(self._transfer(np.array(mode.pole))) * mode.weight
        # Position and speed of the sum of both begin at 0.
        real = -steady.real
        imaginary = (real * pole.real + (mode.pole * steady).real) / pole.imag
        return Mode(mode.pole, steady), Mode(pole, complex(real, imaginary))

    def _transfer(self, s: ComplexArray) -> ComplexArray:
        natural = 2 * math.pi * self.resonance_hz
        return np.asarray(natural**2 / (s**2 + 2 * self.damping * natural * s + natural**2))
