"""What waits to be sent upstream: durable, in order of importance, bounded."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event

from agent.database import Database
from agent.messages import Kind, Message, format_utc, parse_utc

logger = logging.getLogger(__name__)

PRIORITY = {Kind.ALERT: 0, Kind.HEALTH: 1, Kind.SCORE: 2}


@dataclass(frozen=True)
class OutboxLimits:
    """How much may wait; alerts count, but are never dropped, not even beyond the limits."""

    messages: int = 100_000
    payload_bytes: int = 64 * 1024 * 1024


class Outbox:
    """The messages that no broker has confirmed yet.

    A message leaves it when the broker confirmed it, or, if it is telemetry and the outbox is full, as the
    oldest of all telemetry. The state is in the database alone, so SIGKILL at any moment loses nothing.

    Attributes:
        waiting: Set whenever a message was added; who forwards clears it.
    """

    def __init__(self, database: Database, limits: OutboxLimits) -> None:
        self.waiting = Event()
        self._database = database
        self._limits = limits
        self._dropping = False

    def put(self, message: Message) -> None:
        """Add a message; if the outbox is full, the oldest telemetry is dropped and counted.

        Raises:
            StoreError: If it cannot be written.
        """
        with self._database.transaction() as connection:
            self.add(connection, message)
        self.waiting.set()

    def add(self, connection: sqlite3.Connection, message: Message) -> None:
        """Add a message within a transaction of the caller, who sets ``waiting`` after it."""
        connection.execute(
            "INSERT INTO outbox (message_id, kind, priority, sensor, topic, payload, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                message.message_id,
                message.kind.value,
                PRIORITY[message.kind],
                message.sensor,
                message.topic,
                message.payload,
                format_utc(message.created_at),
            ),
        )
        self._drop_oldest_telemetry(connection)

    def next(self, limit: int) -> list[Message]:
        """Return the messages to be sent first: alerts, then health, then scores; the oldest of each first.

        Raises:
            StoreError: If the database cannot be read.
        """
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT message_id, kind, sensor, topic, payload, created_at FROM outbox"
                " ORDER BY priority, sequence LIMIT ?",
                (limit,),
            ).fetchall()
        return [
            Message(message_id, Kind(kind), sensor, topic, payload, parse_utc(created_at))
            for message_id, kind, sensor, topic, payload, created_at in rows
        ]

    def confirm(self, messages: Sequence[Message], at: datetime) -> None:
        """Remove messages that the broker confirmed; an alert event keeps the time of its delivery.

        Args:
            messages: Those confirmed; what is not in the outbox any more is ignored.
            at: UTC time of the confirmation.

        Raises:
            StoreError: If it cannot be written.
        """
        with self._database.transaction() as connection:
            for message in messages:
                connection.execute("DELETE FROM outbox WHERE message_id = ?", (message.message_id,))
                connection.execute(
                    "UPDATE event SET delivered_at = ? WHERE event_id = ? AND delivered_at IS NULL",
                    (format_utc(at), message.message_id),
                )

    def depth(self) -> int:
        """Return how many messages wait.

        Raises:
            StoreError: If the database cannot be read.
        """
        return self._totals()[0]

    def payload_bytes(self) -> int:
        """Return the size of all payloads that wait.

        Raises:
            StoreError: If the database cannot be read.
        """
        return self._totals()[1]

    def dropped(self) -> int:
        """Return how many telemetry messages were ever dropped because the outbox was full.

        Raises:
            StoreError: If the database cannot be read.
        """
        return self._totals()[2]

    def oldest_age(self, now: datetime) -> timedelta | None:
        """Return how long the oldest message has been waiting, or None if there is none.

        Raises:
            StoreError: If the database cannot be read.
        """
        with self._database.reading() as connection:
            row = connection.execute("SELECT created_at FROM outbox ORDER BY sequence LIMIT 1").fetchone()
        return None if row is None else max(now - parse_utc(row[0]), timedelta(0))

    def _totals(self) -> tuple[int, int, int]:
        with self._database.reading() as connection:
            return _totals(connection)

    def _drop_oldest_telemetry(self, connection: sqlite3.Connection) -> None:
        dropped = False
        while self._is_full(connection) and _drop_one(connection):
            dropped = True
        if dropped and not self._dropping:
            logger.warning("the outbox is full; the oldest telemetry is dropped until the broker takes some")
        self._dropping = dropped

    def _is_full(self, connection: sqlite3.Connection) -> bool:
        messages, payload_bytes, _ = _totals(connection)
        return messages > self._limits.messages or payload_bytes > self._limits.payload_bytes


def _totals(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Return messages waiting, bytes waiting, messages ever dropped."""
    messages, payload_bytes, dropped = connection.execute(
        "SELECT sum(messages), sum(bytes), sum(dropped) FROM outbox_total"
    ).fetchone()
    return messages, payload_bytes, dropped


def _drop_one(connection: sqlite3.Connection) -> bool:
    """Drop the oldest telemetry and count it; return False if there is none."""
    oldest = connection.execute(
        "SELECT sequence, kind FROM outbox WHERE priority > ? ORDER BY sequence LIMIT 1",
        (PRIORITY[Kind.ALERT],),
    ).fetchone()
    if oldest is None:
        return False
    sequence, kind = oldest
    connection.execute("DELETE FROM outbox WHERE sequence = ?", (sequence,))
    connection.execute("UPDATE outbox_total SET dropped = dropped + 1 WHERE kind = ?", (kind,))
    return True
