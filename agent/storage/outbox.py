"""What waits to be sent upstream: durable, in order of importance, bounded."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event

from agent.config.storage import OutboxLimits
from agent.storage.database import Database
from agent.storage.message import Kind, Message
from agent.utc import format_utc, parse_utc

logger = logging.getLogger(__name__)

PRIORITY = {Kind.ALERT: 0, Kind.HEALTH: 1, Kind.SCORE: 2}
REFUSALS = 3
"""Telemetry that the broker refused so often is dropped, and counted; alerts are kept."""


@dataclass(frozen=True)
class Delivery:
    """What became of messages that were handed to the broker together."""

    sent_at: datetime
    """UTC."""
    answered_at: datetime
    """UTC time of the last confirmation."""
    confirmed: tuple[Message, ...] = ()
    refused: tuple[Message, ...] = ()
    unanswered: tuple[Message, ...] = ()
    """The broker may have them or not: they are sent again."""
    error: str | None = None
    """Why the connection ended, or the last refusal; None if all are confirmed."""
    lost: bool = False
    """True if the connection ended."""
    puback_s: float = 0.0
    """From handing over to confirmation, summed over those confirmed."""


@dataclass(frozen=True)
class Total:
    """The messages of one kind: how many ever reached each state, and when the last one did (UTC)."""

    waiting: int
    waiting_bytes: int
    aside: int
    """Of those waiting, how many are set aside because the broker refused them."""
    created: int
    sent: int
    """Handed to the broker, repetitions included."""
    confirmed: int
    dropped: int
    created_at: datetime | None
    sent_at: datetime | None
    confirmed_at: datetime | None
    dropped_at: datetime | None


class Outbox:
    """The messages that no broker has confirmed yet.

    A message leaves it when the broker confirmed it, or, if it is telemetry, as the oldest of a full outbox
    or because the broker refuses it again and again. The state is in the database alone, so SIGKILL at any
    moment loses nothing.

    Attributes:
        waiting: Set whenever a message was added; who forwards clears it.
    """

    def __init__(self, database: Database, limits: OutboxLimits) -> None:
        self.waiting = Event()
        self._database = database
        self._limits = limits
        self._dropping = False

    def put(self, message: Message) -> None:
        """Add telemetry; if the outbox is full, the oldest telemetry is dropped and counted.

        It survives SIGKILL; a power cut may take the last of it.

        Raises:
            StoreError: If it cannot be written.
        """
        with self._database.transaction(durable=False) as connection:
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
        self._drop_oldest_telemetry(connection, message.created_at)

    def next(self, limit: int) -> list[Message]:
        """Return the messages to be sent first: alerts, then health, then scores; the oldest of each first.

        Raises:
            StoreError: If the database cannot be read.
        """
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT message_id, kind, sensor, topic, payload, created_at FROM outbox"
                " WHERE aside = 0 ORDER BY priority, sequence LIMIT ?",
                (limit,),
            ).fetchall()
        return [
            Message(message_id, Kind(kind), sensor, topic, payload, parse_utc(created_at))
            for message_id, kind, sensor, topic, payload, created_at in rows
        ]

    def settle(self, delivery: Delivery) -> None:
        """Note what became of messages: confirmed ones are removed, refused ones set aside.

        An alert event keeps the times when it was sent and delivered. Telemetry is dropped and counted at its
        third refusal. What is not in the outbox any more is ignored.

        Raises:
            StoreError: If it cannot be written.
        """
        sent_at, answered_at = format_utc(delivery.sent_at), format_utc(delivery.answered_at)
        with self._database.transaction(durable=False) as connection:
            for message in (*delivery.confirmed, *delivery.refused, *delivery.unanswered):
                _mark_sent(connection, message, sent_at)
            for message in delivery.confirmed:
                _remove_confirmed(connection, message, answered_at)
            for message in delivery.refused:
                _set_aside(connection, message, answered_at)

    def readmit(self) -> int:
        """Let the messages that were refused be sent again, in their old places; return how many they are.

        Raises:
            StoreError: If it cannot be written.
        """
        with self._database.transaction(durable=False) as connection:
            return connection.execute("UPDATE outbox SET aside = 0 WHERE aside = 1").rowcount

    def depth(self) -> int:
        """Return how many messages wait, those set aside included.

        Raises:
            StoreError: If the database cannot be read.
        """
        return sum(total.waiting for total in self.totals().values())

    def payload_bytes(self) -> int:
        """Return the size of all payloads that wait, in bytes.

        Raises:
            StoreError: If the database cannot be read.
        """
        return sum(total.waiting_bytes for total in self.totals().values())

    def dropped(self) -> int:
        """Return how many telemetry messages were ever dropped.

        Raises:
            StoreError: If the database cannot be read.
        """
        return sum(total.dropped for total in self.totals().values())

    def totals(self) -> dict[Kind, Total]:
        """Return the counts of each kind.

        Raises:
            StoreError: If the database cannot be read.
        """
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT kind, messages, bytes, (SELECT count(*) FROM outbox"
                " WHERE aside = 1 AND outbox.kind = outbox_total.kind), created, sent, confirmed, dropped,"
                " created_at, sent_at, confirmed_at, dropped_at FROM outbox_total"
            ).fetchall()
        return {
            Kind(kind): Total(*counts[:7], *(at and parse_utc(at) for at in counts[7:]))
            for kind, *counts in rows
        }

    def oldest_age(self, now: datetime) -> timedelta | None:
        """Return how long the oldest message has been waiting, or None if there is none.

        Raises:
            StoreError: If the database cannot be read.
        """
        with self._database.reading() as connection:
            row = connection.execute("SELECT created_at FROM outbox ORDER BY sequence LIMIT 1").fetchone()
        return None if row is None else max(now - parse_utc(row[0]), timedelta(0))

    def _drop_oldest_telemetry(self, connection: sqlite3.Connection, at: datetime) -> None:
        was_full, dropped = self._is_full(connection), False
        while self._is_full(connection) and _drop_oldest(connection, format_utc(at)):
            dropped = True
        if dropped and not self._dropping:
            logger.warning("the outbox is full; the oldest telemetry is dropped until the broker takes some")
        self._dropping = was_full and (dropped or self._dropping)

    def _is_full(self, connection: sqlite3.Connection) -> bool:
        messages, payload_bytes = connection.execute(
            "SELECT sum(messages), sum(bytes) FROM outbox_total"
        ).fetchone()
        return bool(messages > self._limits.messages or payload_bytes > self._limits.payload_bytes)


def _mark_sent(connection: sqlite3.Connection, message: Message, at: str) -> None:
    connection.execute("UPDATE outbox SET sent_at = ? WHERE message_id = ?", (at, message.message_id))
    connection.execute(
        "UPDATE outbox_total SET sent = sent + 1, sent_at = ? WHERE kind = ?", (at, message.kind.value)
    )
    if message.kind is Kind.ALERT:
        connection.execute("UPDATE event SET sent_at = ? WHERE event_id = ?", (at, message.message_id))


def _remove_confirmed(connection: sqlite3.Connection, message: Message, at: str) -> None:
    removed = connection.execute("DELETE FROM outbox WHERE message_id = ?", (message.message_id,)).rowcount
    connection.execute(
        "UPDATE outbox_total SET confirmed = confirmed + ?, confirmed_at = ? WHERE kind = ?",
        (removed, at, message.kind.value),
    )
    if message.kind is Kind.ALERT:
        connection.execute(
            "UPDATE event SET delivered_at = ? WHERE event_id = ? AND delivered_at IS NULL",
            (at, message.message_id),
        )


def _set_aside(connection: sqlite3.Connection, message: Message, at: str) -> None:
    connection.execute(
        "UPDATE outbox SET aside = 1, refusals = refusals + 1 WHERE message_id = ?", (message.message_id,)
    )
    hopeless = connection.execute(
        "SELECT sequence FROM outbox WHERE message_id = ? AND refusals >= ? AND priority > ?",
        (message.message_id, REFUSALS, PRIORITY[Kind.ALERT]),
    ).fetchone()
    if hopeless is not None:
        _drop(connection, hopeless[0], message.kind, at)


def _drop_oldest(connection: sqlite3.Connection, at: str) -> bool:
    """Drop the oldest telemetry and count it; return False if there is none."""
    oldest = connection.execute(
        "SELECT sequence, kind FROM outbox WHERE priority > ? ORDER BY sequence LIMIT 1",
        (PRIORITY[Kind.ALERT],),
    ).fetchone()
    if oldest is None:
        return False
    _drop(connection, oldest[0], Kind(oldest[1]), at)
    return True


def _drop(connection: sqlite3.Connection, sequence: int, kind: Kind, at: str) -> None:
    connection.execute("DELETE FROM outbox WHERE sequence = ?", (sequence,))
    connection.execute(
        "UPDATE outbox_total SET dropped = dropped + 1, dropped_at = ? WHERE kind = ?", (at, kind.value)
    )
