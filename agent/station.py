"""One sensor's way from FIFO to alert: sampler, ring buffer and monitor, started and stopped together."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from agent.messages import Health
from agent.monitor import Monitor
from agent.ring_buffer import RingBuffer
from agent.sampler import Sampler

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Station:
    """The parts of one sensor."""

    name: str
    """Name of the sensor in the configuration."""
    model: str
    """Name and version of the bundle."""
    simulated: bool
    sampler: Sampler
    ring: RingBuffer
    monitor: Monitor

    def start(self) -> None:
        """Start both threads."""
        self.monitor.start()
        self.sampler.start()

    def stop(self, timeout_s: float) -> None:
        """Stop both threads; one that does not end in time is left behind, and named in the log."""
        ended = {"sampler": self.sampler.stop(timeout_s)}
        self.ring.close()
        ended["detector"] = self.monitor.stop(timeout_s)
        for thread, in_time in ended.items():
            if not in_time:
                logger.error("the %s of sensor %s did not stop within %g s", thread, self.name, timeout_s)

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
        )
