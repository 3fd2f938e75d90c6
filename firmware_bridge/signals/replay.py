"""A recording, played back to the simulated chip."""

from __future__ import annotations

import numpy as np

from firmware_bridge.arrays import SignalArray, TimeArray
from firmware_bridge.errors import SignalError
from firmware_bridge.recording import Recording
from firmware_bridge.signals.source import require_positive

# A time that should fall on a sample may miss it by rounding.
_GRID_SLACK = 1e-6


class RecordingReplay:
    """The first three channels of a recording as x, y and z; missing channels are 0.

    Each sample is held until the next one: a chip of the same rate sees every sample once and unchanged. Gaps
    are skipped over: the rows follow each other at the one rate.
    """

    def __init__(self, recording: Recording, rate_hz: float | None = None, *, loop: bool = True) -> None:
        """Take a recording.

        Args:
            recording: Samples in g.
            rate_hz: Samples per second of the replay; None for the recording's own rate.
            loop: Start again at the end; otherwise the signal is 0 from there on.

        Raises:
            SignalError: If there is no sample, or the rate is not known.
        """
        rate_hz = recording.rate_hz if rate_hz is None else rate_hz
        if rate_hz is None:
            raise SignalError(f"{recording.path} does not say its sample rate; give rate_hz")
        require_positive(rate_hz=rate_hz)
        if not recording.samples.size:
            raise SignalError(f"{recording.path} holds no samples")
        self._rate_hz = rate_hz
        self._loop = loop
        channels = recording.samples[:, :3]
        self._samples_g = np.zeros((len(channels), 3))
        self._samples_g[:, : channels.shape[1]] = channels

    def acceleration_g(self, times_s: TimeArray) -> SignalArray:
        """Return the samples at the given times, in g, shape (n, 3)."""
        row = np.floor(times_s * self._rate_hz + _GRID_SLACK).astype(np.int64)
        samples_g: SignalArray = self._samples_g[row % len(self._samples_g)]
        if not self._loop:
            samples_g[row >= len(self._samples_g)] = 0.0
        return samples_g
