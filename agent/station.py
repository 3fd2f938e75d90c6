"""One sensor's way from FIFO to alert: sampler, ring buffer, monitor. The sampler's thread is its bus's."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from agent.inference.scoring import Thresholds
from agent.judging.monitor import Monitor
from agent.judging.regime import RegimeJudge
from agent.sensing.ring_buffer import RingBuffer
from agent.sensing.sampler import Sampler
from agent.uplink.messages import Health

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Station:
    """The parts of one sensor."""

    name: str
    """Name of the sensor in the configuration."""
    model: str
    """Name and version of the bundle."""
    bundle_thresholds: Thresholds
    """Those of the bundle, in force unless a person has set others."""
    simulated: bool
    sampler: Sampler
    ring: RingBuffer
    monitor: Monitor
    regimes: RegimeJudge | None = None
    """Its models by regime, if it has several."""

    def start(self) -> None:
        """Start to judge."""
        self.monitor.start()

    def stop(self, timeout_s: float) -> None:
        """Stop judging; a thread that does not end in time is left behind, and named in the log."""
        self.ring.close()
        if not self.monitor.stop(timeout_s):
            logger.error("the detector of sensor %s did not stop within %g s", self.name, timeout_s)

    def health(self, at: datetime) -> Health:
        """Return how well the sensor is being watched."""
        sampler, monitor = self.sampler.status(), self.monitor.status()
        return Health(
            sensor=self.name,
            at=at,
            sensor_state=str(sampler.state),
            rate_hz=sampler.rate_hz,
            samples=sampler.samples,
            samples_lost=sampler.samples_lost,
            windows_scored=monitor.windows_scored,
            windows_skipped_gap=monitor.windows_skipped_gap,
            windows_skipped_late=monitor.windows_skipped_late,
            windows_bad=monitor.windows_bad,
            simulated=self.simulated,
            temperature_c=sampler.temperature_c,
            regime=monitor.regime,
            windows_outside=monitor.windows_outside,
        )
