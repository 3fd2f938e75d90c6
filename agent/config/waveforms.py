"""How much of the raw waveform is kept around an alert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from agent.decode import Range

RESERVE_S = 5.0
"""How much longer than a capture the ring buffer must be: the disk may be slow."""


@dataclass(frozen=True)
class WaveformSettings:
    """How much of the waveform is kept."""

    before_s: Annotated[float, Range(0.0, 300.0, "s")] = 10.0
    """Seconds before the alert."""
    after_s: Annotated[float, Range(0.1, 300.0, "s")] = 5.0
    """Seconds after it."""
    max_mb: Annotated[float, Range(0.0, 1e6, "MB")] = 100.0
    """The oldest waveforms are deleted beyond this; 0 keeps none."""

    def samples(self, rate_hz: float) -> int:
        """Return how many samples a ring buffer must hold for it."""
        return round((self.before_s + self.after_s + RESERVE_S) * rate_hz) if self.max_mb > 0 else 0
