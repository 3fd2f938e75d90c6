"""What the gateway reports when nothing happens: score summaries and health, each at its interval."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from agent.config.names import GatewayName
from agent.config.reporting import TelemetryIntervals
from agent.errors import StoreError
from agent.station import Station
from agent.storage.message import Message
from agent.storage.outbox import Outbox
from agent.uplink.messages import health_message, score_message
from firmware_bridge.clock import NS_PER_S, Clock

logger = logging.getLogger(__name__)


class Telemetry:
    """Puts what is due into the outbox. Used by one thread, which polls.

    Attributes:
        intervals: How often to report; may be changed at any time.
    """

    def __init__(
        self,
        intervals: TelemetryIntervals,
        gateway: GatewayName,
        stations: Sequence[Station],
        outbox: Outbox | None,
        clock: Clock,
    ) -> None:
        """Begin the first interval now.

        Args:
            intervals: How often to report.
            gateway: Who reports.
            stations: On which sensors.
            outbox: Where the messages go; None: nowhere, but what was gathered for them is let go.
            clock: For intervals and UTC.
        """
        self.intervals = intervals
        self._gateway = gateway
        self._stations = stations
        self._outbox = outbox
        self._clock = clock
        self._storing = True
        self._scores_ns = self._health_ns = clock.monotonic_ns()

    def poll(self) -> None:
        """Report what is due. Telemetry that cannot be stored is given up; the log says so once."""
        now_ns = self._clock.monotonic_ns()
        due: list[Message] = []
        if now_ns - self._scores_ns >= self.intervals.score_interval_s * NS_PER_S:
            self._scores_ns = now_ns
            summaries = (station.monitor.take_summary() for station in self._stations)
            due += [score_message(summary, self._gateway) for summary in summaries if summary]
        if now_ns - self._health_ns >= self.intervals.health_interval_s * NS_PER_S:
            self._health_ns = now_ns
            at = self._clock.utc()
            due += [
                health_message(station.name, at, station.health(), self._gateway)
                for station in self._stations
            ]
        if self._outbox is not None:
            for message in due:
                self._put(self._outbox, message)

    def _put(self, outbox: Outbox, message: Message) -> None:
        try:
            outbox.put(message)
            self._storing = True
        except StoreError as error:
            if self._storing:
                logger.error("telemetry is being lost: %s", error)
            self._storing = False
