"""One sensor's way from FIFO to alert: sampler, ring buffer, monitor. The sampler's thread is its bus's."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.inference.scoring import Thresholds
from agent.judging.monitor import Monitor
from agent.judging.regime import RegimeJudge
from agent.sensing.ring_buffer import RingBuffer
from agent.sensing.sampler import Sampler
from agent.uplink.figures import MONITOR, ON_WIRE, SAMPLER, STATION, Part, as_json

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
        """Stop judging; a thread that does not end in so many seconds is left behind, and logged."""
        self.ring.close()
        if not self.monitor.stop(timeout_s):
            logger.error("the detector of sensor %s did not stop within %g s", self.name, timeout_s)

    def parts(self) -> Sequence[Part]:
        """Return what figures are told of, as it is now."""
        return (STATION, self), (SAMPLER, self.sampler.status()), (MONITOR, self.monitor.status())

    def status(self) -> dict[str, Any]:
        """Return all figures of the sensor as JSON types."""
        return as_json(*self.parts())

    def health(self) -> dict[str, Any]:
        """Return how well the sensor is being watched: the figures of a health message, as JSON types."""
        status = self.status()
        return {name: status[figure.name] for name, figure in ON_WIRE.items()}
