"""A rotating machine on rolling bearings, healthy or with a spall on the outer race.

Source: R. B. Randall, J. Antoni, "Rolling element bearing diagnostics - A tutorial", Mech. Syst. Signal
Process. 25 (2011): impacts at the defect frequency with a random slip of 1 to 2 %, each exciting a decaying
resonance.
"""

from __future__ import annotations

import numpy as np

from firmware_bridge.arrays import SignalArray, TimeArray
from firmware_bridge.signals.impulses import Growth, Ringing, Train
from firmware_bridge.signals.source import Vector, random_streams, require_not_negative, require_positive

BPFO_ORDER = 3.5848
"""Ball pass frequency of the outer race over the shaft's, SKF 6205-2RS (CWRU Bearing Data Center)."""
# Two slow periods without a common one, so that the load never repeats within a day.
_LOAD_PERIODS_S = (37.0, 61.0)


class RotatingMachine:
    """Shaft harmonics, bearing impacts, slowly varying load, gravity and white noise, all in g.

    Not simulated: run-up and speed variation, the anti-alias filter of a sensor (keep ``resonance_hz`` below
    half the output data rate, or it folds), gears, blades, mains hum, and the way from bearing to sensor.
    """

    def __init__(
        self,
        *,
        shaft_hz: float = 25.0,
        harmonics_g: tuple[Vector, ...] = ((0.12, 0.10, 0.03), (0.04, 0.05, 0.02), (0.02, 0.02, 0.01)),
        load_variation: float = 0.05,
        defect_order: float = BPFO_ORDER,
        severity_g: float = 0.0,
        fault_at_s: float = 0.0,
        growth_s: float = 0.0,
        slip: float = 0.015,
        resonance_hz: float = 280.0,
        damping: float = 0.05,
        impact_direction: Vector = (0.6, 1.0, 0.3),
        gravity_g: Vector = (0.0, 0.0, 1.0),
        noise_g: Vector = (0.004, 0.004, 0.006),
        seed: int = 0,
    ) -> None:
        """Describe the machine. Without ``severity_g`` it is healthy.

        Args:
            shaft_hz: Speed of the shaft in Hz.
            harmonics_g: Amplitude per axis of the 1st, 2nd, ... harmonic of the shaft; phases by the seed.
            load_variation: Largest part by which the harmonics grow and shrink over minutes.
            defect_order: Impacts per turn of the shaft.
            severity_g: Amplitude of the ringing after an impact, in g.
            fault_at_s: When the fault begins, in seconds.
            growth_s: How long it takes from there to its full severity.
            slip: Standard deviation of the time between impacts, as a part of it.
            resonance_hz: Frequency of the ringing in Hz.
            damping: Damping ratio of the ringing, between 0 and 1.
            impact_direction: Part of the ringing that each axis feels.
            gravity_g: Constant acceleration per axis.
            noise_g: Standard deviation of the noise per axis, from sample to sample.
            seed: Another seed, another machine of the same make.

        Raises:
            SignalError: If a value is impossible.
        """
        require_positive(shaft_hz=shaft_hz, defect_order=defect_order)
        require_not_negative(load_variation=load_variation, seed=seed)
        for level in noise_g:
            require_not_negative(noise_g=level)
        # A stream of random numbers for each: a fault leaves the healthy part of the signal as it was.
        phases, slips, noise = random_streams(seed, 3)
        self._shaft = _ShaftHarmonics(shaft_hz, np.array(harmonics_g).reshape(-1, 3), load_variation, phases)
        self._ringing = Ringing(resonance_hz, damping)
        self._growth = Growth(severity_g, fault_at_s, growth_s)
        self._impacts = Train.periodic(defect_order * shaft_hz, slip, fault_at_s, slips)
        self._impact_direction = np.array(impact_direction)
        self._gravity_g = np.array(gravity_g)
        self._noise_g = np.array(noise_g)
        self._random = noise

    def acceleration_g(self, times_s: TimeArray) -> SignalArray:
        """Return what a sensor on the bearing housing feels, in g, shape (n, 3)."""
        samples_g = self._gravity_g + self._shaft.acceleration_g(times_s)
        samples_g += self._noise_g * self._random.standard_normal((len(times_s), 3))
        if self._growth.severity > 0 and len(times_s):
            # An impact before the first time asked for may still ring at it.
            impacts_s = self._impacts.keep(float(times_s[0]) - self._ringing.duration_s, float(times_s[-1]))
            ringing_g = self._ringing.after(impacts_s, self._growth.at(impacts_s), times_s)
            samples_g += ringing_g[:, np.newaxis] * self._impact_direction
        return np.asarray(samples_g)


class _ShaftHarmonics:
    """Sines in g at the multiples of the shaft's speed, all swelling with the load."""

    def __init__(
        self, shaft_hz: float, amplitudes_g: SignalArray, load_variation: float, random: np.random.Generator
    ) -> None:
        self._shaft_hz = shaft_hz
        self._amplitudes_g = amplitudes_g
        self._load_variation = load_variation
        self._phases = random.uniform(0.0, 2 * np.pi, amplitudes_g.shape)
        self._load_phases = random.uniform(0.0, 2 * np.pi, len(_LOAD_PERIODS_S))

    def acceleration_g(self, times_s: TimeArray) -> SignalArray:
        turn = 2 * np.pi * self._shaft_hz * times_s[:, np.newaxis]
        total_g = np.zeros((len(times_s), 3))
        for order, (amplitude_g, phase) in enumerate(zip(self._amplitudes_g, self._phases, strict=True), 1):
            total_g += amplitude_g * np.sin(order * turn + phase)
        return total_g * self._load(times_s)[:, np.newaxis]

    def _load(self, times_s: TimeArray) -> TimeArray:
        waves = [
            np.sin(2 * np.pi * times_s / period_s + phase)
            for period_s, phase in zip(_LOAD_PERIODS_S, self._load_phases, strict=True)
        ]
        return np.asarray(1.0 + self._load_variation * np.mean(waves, axis=0))
