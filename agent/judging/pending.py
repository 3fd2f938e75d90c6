"""Alert events on their way to the disk: what it does not take now waits in memory."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from agent.errors import StoreError
from agent.judging.alert import AlertEvent

logger = logging.getLogger(__name__)


class PendingEvents:
    """The events of one sensor, announced oldest first. For one thread.

    Args:
        sensor: Name of the sensor in the configuration.
        announce: Stores an event; may raise ``StoreError``, then it is called again later.
    """

    def __init__(self, sensor: str, announce: Callable[[AlertEvent], None]) -> None:
        self._sensor = sensor
        self._announce = announce
        self._waiting: deque[AlertEvent] = deque()
        self._storing = True

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def add(self, event: AlertEvent) -> None:
        """Add an event behind those that wait."""
        self._waiting.append(event)

    def announce(self) -> None:
        """Announce what is waiting, oldest first; what cannot be stored now waits on."""
        while self._waiting:
            try:
                self._announce(self._waiting[0])
            except StoreError as error:
                if self._storing:
                    logger.error("sensor %s: alerts wait in memory: %s", self._sensor, error)
                self._storing = False
                return
            self._waiting.popleft()
            self._storing = True
