"""An alert event on its way out of the judging thread: stored first, told after."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeAlias

from agent.judging.alert import AlertEvent
from agent.storage.alerts import AlertStore
from agent.storage.message import Message
from agent.system.journal import Entry, fields

logger = logging.getLogger(__name__)

Listener: TypeAlias = Callable[[AlertEvent], None]


class Announcer:
    """Stores alert events with their messages, then tells the journal and whoever listens.

    Args:
        store: Where they are kept.
        message_of: Returns the message that tells upstream of an event; None on a gateway without an uplink.
        listeners: Told of every event once it is on the disk, in this order.
    """

    def __init__(
        self,
        store: AlertStore,
        message_of: Callable[[AlertEvent], Message] | None,
        listeners: Sequence[Listener],
    ) -> None:
        self._store = store
        self._message_of = message_of
        self._listeners = tuple(listeners)

    def announce(self, event: AlertEvent) -> None:
        """Store an event, then tell it. May be called from several threads.

        Raises:
            StoreError: If it cannot be stored; then nobody is told.
        """
        self._store.record(event, self._message_of(event) if self._message_of else None)
        logger.warning(
            "sensor %s: %s alert, %s %s: %s, alert %s",
            event.sensor,
            event.subject,
            event.level,
            event.change,
            event.cause,
            event.alert_id,
            extra=fields(Entry.ALERT, sensor=event.sensor, alert_id=event.alert_id, event_id=event.event_id),
        )
        for listener in self._listeners:
            listener(event)
