"""The alert store: what happened to the machines, and what upstream has not heard yet."""

from __future__ import annotations

import json
import logging
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from agent.config.storage import HistoryLimits, OutboxLimits
from agent.decode import parse_json
from agent.errors import StoreError
from agent.inference.scoring import Level
from agent.judging.alert import AlertEvent, Change, Subject, event_from_json, event_to_json
from agent.storage.database import Database, check, quarantine
from agent.storage.message import Message
from agent.storage.outbox import Outbox
from agent.storage.overrides import ThresholdOverrides
from agent.storage.regimes import CommandedRegimes
from agent.system.journal import Entry, fields
from agent.utc import format_utc, parse_utc

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AlertRecord:
    """One alert with its life so far. All times are UTC."""

    alert_id: str
    """UUIDv7."""
    sensor: str
    level: Level
    """The highest that it had."""
    score: float
    """The highest that was told, in standard deviations."""
    raised_at: datetime
    escalated_at: datetime | None
    cleared_at: datetime | None
    """None while the alert is active."""
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    sent_at: datetime | None
    """When the message of its last event was handed to the broker; None if it never was."""
    delivered_at: datetime | None
    """When the broker confirmed that message."""
    last_event: AlertEvent
    delivered: bool
    """True if the broker confirmed the messages of all its events."""
    waiting: bool
    """True if a message of it waits to be delivered; never where there was no uplink."""

    @property
    def active(self) -> bool:
        """True until the alert is cleared."""
        return self.cleared_at is None


class AlertStore:
    """Alerts and the outbox in one SQLite file. May be used from any thread.

    A context manager; ``close`` may be called twice.

    Args:
        path: The file; made if it is absent.
        limits: How much may wait to be sent.
        history: How much of the past is kept.
        read_only: See ``read_only``.
        patient: See ``open``.

    Raises:
        StoreError: If the file cannot be opened, is damaged, or was written by a newer judder.

    Attributes:
        path: The file.
        database: What it stands in.
        outbox: The messages that wait.
        overrides: Thresholds that a person has set.
        regimes: How each machine was last said to run.
        quarantined: Where ``open`` set a damaged file aside, or None.
    """

    def __init__(
        self,
        path: Path,
        limits: OutboxLimits | None = None,
        history: HistoryLimits | None = None,
        *,
        read_only: bool = False,
        patient: bool = False,
    ) -> None:
        self.path = path
        self.quarantined: Path | None = None
        self._history = history or HistoryLimits()
        self.database = Database(path, read_only=read_only, patient=patient)
        self.outbox = Outbox(self.database, limits or OutboxLimits())
        self.overrides = ThresholdOverrides(self.database)
        self.regimes = CommandedRegimes(self.database)

    @classmethod
    def open(
        cls,
        path: Path,
        at: datetime,
        limits: OutboxLimits | None = None,
        history: HistoryLimits | None = None,
    ) -> Self:
        """Open the store of a daemon, which must start, and score.

        A damaged file is set aside, and nothing is deleted. On a disk that is full or does not work, what can
        be read is read, and changes are refused until the disk takes them (see ``error``).

        Args:
            path: The file; made if it is absent.
            at: UTC time now, for the name of a damaged file.
            limits: How much may wait to be sent.
            history: How much of the past is kept.

        Raises:
            StoreError: If the file cannot be opened, or was written by a newer judder.
        """
        damage = check(path)
        aside = None if damage is None else quarantine(path, at)
        if aside is not None:
            logger.error(
                "%s is damaged (%s); kept as %s, a new one is started",
                path,
                damage,
                aside.name,
                extra=fields(Entry.STORE_FAILS),
            )
        store = cls(path, limits, history, patient=True)
        store.quarantined = aside
        return store

    @classmethod
    def read_only(cls, path: Path) -> Self:
        """Open the store for reading, beside a running daemon or without one.

        Raises:
            StoreError: If the file is absent, is no alert store, or cannot be opened.
        """
        return cls(path, read_only=True)

    @property
    def error(self) -> str | None:
        """Why the last change could not be written; None when changes are on the disk again."""
        return self.database.error

    @property
    def damaged(self) -> bool:
        """True once damage was found; the store has to be opened anew."""
        return self.database.damaged

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record(self, event: AlertEvent, message: Message | None) -> None:
        """Store an alert event and the message that tells of it in one transaction.

        When this returns, both are on the disk. An event that was stored before is left as it is.

        Args:
            event: What happened.
            message: ``messages.alert_message`` of the event, or None on a gateway without an uplink.

        Raises:
            StoreError: If it cannot be written.
        """
        with self.database.transaction() as connection:
            _write_alert(connection, event)
            is_new = _write_event(connection, event)
            if is_new and message is not None:
                self.outbox.add(connection, message)
            if event.change is Change.CLEARED:
                _prune(connection, self._history.cleared_alerts)
        if message is not None:
            self.outbox.waiting.set()

    def alerts(self, *, active_only: bool = False, limit: int = 100) -> list[AlertRecord]:
        """Return all alerts that are active, then those that have cleared; each the newest first.

        The order is that of writing, for the clock may have been wrong.

        Args:
            active_only: Leave out those that have cleared.
            limit: How many at least of all, if there are so many; what is active is never left out.

        Raises:
            StoreError: If the database cannot be read.
        """
        active = self._select(f"WHERE cleared_at IS NULL {_NEWEST_FIRST}")
        if active_only or len(active) >= limit:
            return active
        return active + self._select(
            f"WHERE cleared_at IS NOT NULL {_NEWEST_FIRST} LIMIT ?", limit - len(active)
        )

    def active_alerts(self) -> int:
        """Return how many alerts have not cleared.

        Raises:
            StoreError: If the database cannot be read.
        """
        with self.database.reading() as connection:
            (count,) = connection.execute("SELECT count(*) FROM alert WHERE cleared_at IS NULL").fetchone()
        return int(count)

    def open_alert(self, sensor: str, subject: Subject = Subject.MACHINE) -> AlertRecord | None:
        """Return the alert that is still active, for a daemon that continues after a restart.

        Args:
            sensor: Name of the sensor in the configuration.
            subject: Whether that of its machine or its own.

        Raises:
            StoreError: If the database cannot be read.
        """
        found = self._select(f"WHERE sensor = ? AND cleared_at IS NULL {_NEWEST_FIRST}", sensor)
        return next((record for record in found if record.last_event.subject is subject), None)

    def acknowledge(self, alert_id: str, by: str, at: datetime) -> AlertRecord:
        """Note that somebody has seen an alert, and return it; who was first stays.

        Args:
            alert_id: The id, or enough of its beginning to tell it from others.
            by: Who.
            at: UTC time.

        Raises:
            StoreError: If no alert or more than one begins so, or it cannot be written.
        """
        with self.database.transaction() as connection:
            full_id = self._full_id(connection, alert_id)
            connection.execute(
                "UPDATE alert SET acknowledged_at = ?, acknowledged_by = ?"
                " WHERE alert_id = ? AND acknowledged_at IS NULL",
                (format_utc(at), by, full_id),
            )
        return self._select("WHERE alert.alert_id = ?", full_id)[0]

    def _full_id(self, connection: sqlite3.Connection, beginning: str) -> str:
        rows = connection.execute(
            "SELECT alert_id FROM alert WHERE substr(alert_id, 1, length(?1)) = ?1 LIMIT 2",
            (beginning.lower(),),
        ).fetchall()
        if not beginning or not rows:
            raise StoreError(self.path, f"no alert '{beginning}'; 'judder alerts' lists them")
        if len(rows) > 1:
            raise StoreError(self.path, f"more than one alert begins with '{beginning}'; give more of the id")
        return str(rows[0][0])

    def _select(self, clause: str, *parameters: str | int) -> list[AlertRecord]:
        with self.database.reading() as connection:
            rows = connection.execute(f"{_ALERTS} {clause}", parameters).fetchall()
        return [self._read_alert(row) for row in rows]

    def _read_alert(self, row: tuple[Any, ...]) -> AlertRecord:
        alert_id, sensor, level, score, *times, acknowledged_by, document, undelivered, waiting = row
        raised_at, escalated_at, cleared_at, acknowledged_at, sent_at, delivered_at = map(
            _optional_utc, times
        )
        assert raised_at is not None
        try:
            last_event = event_from_json(parse_json(document))
        except ValueError as error:
            raise StoreError(self.path, f"alert {alert_id}: {error}; restart judder") from error
        return AlertRecord(
            alert_id=alert_id,
            sensor=sensor,
            level=Level(level),
            score=score,
            raised_at=raised_at,
            escalated_at=escalated_at,
            cleared_at=cleared_at,
            acknowledged_at=acknowledged_at,
            acknowledged_by=acknowledged_by,
            sent_at=sent_at,
            delivered_at=delivered_at,
            last_event=last_event,
            delivered=undelivered == 0,
            waiting=bool(waiting),
        )


_ALERTS = """
    SELECT alert.alert_id, sensor, level, score, raised_at, escalated_at, cleared_at,
        acknowledged_at, last.sent_at, last.delivered_at, acknowledged_by, last.document,
        (SELECT count(*) FROM event WHERE event.alert_id = alert.alert_id AND delivered_at IS NULL),
        EXISTS (
            SELECT 1 FROM event JOIN outbox ON message_id = event_id WHERE event.alert_id = alert.alert_id
        )
    FROM alert JOIN event AS last ON last.sequence =
        (SELECT max(sequence) FROM event WHERE event.alert_id = alert.alert_id)
"""

# By order of insertion, for the clock may have been wrong. The table itself stands in it: nothing is sorted.
_NEWEST_FIRST = "ORDER BY alert.rowid DESC"

_SUPERFLUOUS = """
    SELECT alert_id FROM alert WHERE cleared_at IS NOT NULL AND rowid <= (
        SELECT rowid FROM alert WHERE cleared_at IS NOT NULL ORDER BY rowid DESC LIMIT 1 OFFSET ?
    ) AND NOT EXISTS (
        SELECT 1 FROM event JOIN outbox ON message_id = event_id WHERE event.alert_id = alert.alert_id
    )
"""


def _prune(connection: sqlite3.Connection, kept: int) -> None:
    """Delete all but the newest cleared alerts; one whose messages still wait is kept."""
    superfluous = connection.execute(_SUPERFLUOUS, (kept,)).fetchall()
    connection.executemany("DELETE FROM event WHERE alert_id = ?", superfluous)
    connection.executemany("DELETE FROM alert WHERE alert_id = ?", superfluous)


def _write_alert(connection: sqlite3.Connection, event: AlertEvent) -> None:
    at = format_utc(event.at)
    connection.execute(
        "INSERT INTO alert (alert_id, sensor, level, score, raised_at, escalated_at, cleared_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (alert_id) DO UPDATE SET"
        " level = max(level, excluded.level), score = max(score, excluded.score),"
        " escalated_at = coalesce(escalated_at, excluded.escalated_at),"
        " cleared_at = coalesce(cleared_at, excluded.cleared_at)",
        (
            event.alert_id,
            event.sensor,
            event.level.value,
            event.score,
            at,
            at if event.change is Change.ESCALATED else None,
            at if event.change is Change.CLEARED else None,
        ),
    )


def _write_event(connection: sqlite3.Connection, event: AlertEvent) -> bool:
    """Write the event, unless it is there already; return whether it was new."""
    document = json.dumps(event_to_json(event), allow_nan=False)
    cursor = connection.execute(
        "INSERT INTO event (event_id, alert_id, document) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (event.event_id, event.alert_id, document),
    )
    return cursor.rowcount == 1


def _optional_utc(text: str | None) -> datetime | None:
    return None if text is None else parse_utc(text)
