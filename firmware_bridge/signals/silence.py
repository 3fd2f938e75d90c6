"""A sensor on a machine that stands still."""

from __future__ import annotations

import numpy as np

from firmware_bridge.arrays import SignalArray, TimeArray
from firmware_bridge.signals.source import Vector, require_not_negative


class Silence:
    """Gravity and white noise, nothing else."""

    def __init__(
        self, *, gravity_g: Vector = (0.0, 0.0, 1.0), noise_g: Vector = (0.003, 0.003, 0.004), seed: int = 0
    ) -> None:
        """Describe the standstill.

        Args:
            gravity_g: Constant acceleration per axis, in g.
            noise_g: Standard deviation of the noise per axis, from sample to sample, in g.
            seed: Another seed, another noise.

        Raises:
            SignalError: If a noise or the seed is negative.
        """
        require_not_negative(seed=seed)
        for level in noise_g:
            require_not_negative(noise_g=level)
        self._gravity_g = np.array(gravity_g)
        self._noise_g = np.array(noise_g)
        self._random = np.random.default_rng(seed)

    def acceleration_g(self, times_s: TimeArray) -> SignalArray:
        """Return gravity and noise at the given times, in g, shape (n, 3)."""
        noise = self._random.standard_normal((len(times_s), 3))
        return np.asarray(self._gravity_g + self._noise_g * noise)
