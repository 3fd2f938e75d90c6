"""The gateway's SQLite file: opening, schema, transactions, and what to do when it is damaged."""

from __future__ import annotations

import errno
import logging
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from threading import RLock
from typing import Self
from urllib.parse import quote

from agent.errors import StoreError
from agent.storage.read_only import READ_ONLY_DISK, connect_read_only, is_read_only
from agent.system.journal import Entry, fields
from firmware_bridge.folders import sync_folder

logger = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 5.0
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""What a disk says that is full, worn out or failing; it may heal."""

# One script a version; `user_version` holds how many have run. Times are ISO 8601 texts in UTC.
MIGRATIONS = (
    """
    CREATE TABLE alert (
        alert_id TEXT PRIMARY KEY,
        sensor TEXT NOT NULL,
        level INTEGER NOT NULL,          -- the highest that it had
        score REAL NOT NULL,             -- the highest that it had
        raised_at TEXT NOT NULL,
        escalated_at TEXT,
        cleared_at TEXT,
        acknowledged_at TEXT,
        acknowledged_by TEXT
    );
    CREATE INDEX alert_by_sensor ON alert (sensor, cleared_at);
    CREATE TABLE event (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        event_id TEXT NOT NULL UNIQUE,
        alert_id TEXT NOT NULL REFERENCES alert,
        document TEXT NOT NULL,          -- messages.event_to_json
        delivered_at TEXT
    );
    CREATE INDEX event_by_alert ON event (alert_id, sequence);
    CREATE TABLE outbox (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        message_id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL REFERENCES outbox_total,
        priority INTEGER NOT NULL,
        sensor TEXT NOT NULL,
        topic TEXT NOT NULL,
        payload BLOB NOT NULL,
        created_at TEXT NOT NULL
    );
    CREATE INDEX outbox_by_priority ON outbox (priority, sequence);
    CREATE TABLE outbox_total (
        kind TEXT PRIMARY KEY,
        messages INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0,
        dropped INTEGER NOT NULL DEFAULT 0
    );
    INSERT INTO outbox_total (kind) VALUES ('alert'), ('health'), ('score');
    CREATE TRIGGER outbox_grows AFTER INSERT ON outbox BEGIN
        UPDATE outbox_total SET messages = messages + 1, bytes = bytes + length(new.payload)
        WHERE kind = new.kind;
    END;
    CREATE TRIGGER outbox_shrinks AFTER DELETE ON outbox BEGIN
        UPDATE outbox_total SET messages = messages - 1, bytes = bytes - length(old.payload)
        WHERE kind = old.kind;
    END;
    """,
    # The states of a message with their times: its own while it waits, the last of its kind when it is gone.
    """
    ALTER TABLE event ADD COLUMN sent_at TEXT;
    ALTER TABLE outbox ADD COLUMN sent_at TEXT;                       -- last handed to the broker
    ALTER TABLE outbox ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE outbox ADD COLUMN aside INTEGER NOT NULL DEFAULT 0;   -- 1: refused, out of the others' way
    DROP INDEX outbox_by_priority;
    CREATE INDEX outbox_by_turn ON outbox (aside, priority, sequence);
    CREATE INDEX alert_by_clearing ON alert (cleared_at);
    ALTER TABLE outbox_total ADD COLUMN created INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE outbox_total ADD COLUMN sent INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE outbox_total ADD COLUMN confirmed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE outbox_total ADD COLUMN created_at TEXT;
    ALTER TABLE outbox_total ADD COLUMN sent_at TEXT;
    ALTER TABLE outbox_total ADD COLUMN confirmed_at TEXT;
    ALTER TABLE outbox_total ADD COLUMN dropped_at TEXT;
    UPDATE outbox_total SET created = messages + dropped;
    DROP TRIGGER outbox_grows;
    CREATE TRIGGER outbox_grows AFTER INSERT ON outbox BEGIN
        UPDATE outbox_total SET messages = messages + 1, bytes = bytes + length(new.payload),
            created = created + 1, created_at = new.created_at
        WHERE kind = new.kind;
    END;
    CREATE TABLE threshold (
        sensor TEXT PRIMARY KEY,
        warning REAL NOT NULL,
        alarm REAL NOT NULL,
        set_at TEXT NOT NULL,
        set_by TEXT NOT NULL
    );
    """,
    """
    CREATE TABLE regime (
        sensor TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        set_at TEXT NOT NULL,
        set_by TEXT NOT NULL
    );
    CREATE TABLE birth (sequence INTEGER NOT NULL);   -- bdSeq of Sparkplug, that of the last connection
    """,
)


class Database:
    """One connection to the file, shared by all threads of the process, one at a time.

    Write-ahead logging: what was committed survives SIGKILL, and a durable transaction a power cut, too.
    A context manager; ``close`` may be called twice.

    Args:
        path: The file; made, with the schema, if it is absent.
        read_only: Open an existing file for reading, beside a running daemon or without one.
        patient: If the disk is full or does not work, read what can be read, and open the file as it should
            be at the first change that the disk takes; ``error`` tells until then.

    Raises:
        StoreError: If the file is absent (read-only), damaged, of a newer schema, or cannot be opened.

    Attributes:
        path: The file.
        error: Why the last change failed; None when changes are on the disk again.
        damaged: True once SQLite has found damage; only opening the store anew heals it.
    """

    def __init__(self, path: Path, *, read_only: bool = False, patient: bool = False) -> None:
        self.path = path
        self.error: str | None = None
        self.damaged = False
        self._lock = RLock()
        self._closed = False
        self._standing_in = False
        try:
            self._connection = self._opened(read_only)
        except StoreError as error:
            if not (patient and _is_disk(error.__cause__, path.parent)):
                raise
            self._connection = _stand_in(path)
            self._standing_in = True
            self._failed(error)

    def _opened(self, read_only: bool) -> sqlite3.Connection:
        with self._converted():
            connection = connect_read_only(self.path, BUSY_TIMEOUT_S) if read_only else _connect(self.path)
            try:
                self._prepare(connection, read_only)
            except BaseException:
                connection.close()
                raise
        return connection

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for queries.

        Raises:
            StoreError: If the database is closed or SQLite reports an error.
        """
        with self._lock, self._converted():
            if self._closed:
                raise StoreError(self.path, "the alert store is closed")
            yield self._connection

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """Lend the connection for changes: all of them are on the disk at the end, or, on an error, none.

        Args:
            durable: Wait until the disk has them (``synchronous = FULL``). Otherwise a power cut may undo the
                last changes, which spares a flash card; a later durable transaction keeps them, too.

        Raises:
            StoreError: If the database is closed or SQLite reports an error.
        """
        try:
            with self._changing(durable) as connection:
                yield connection
        except StoreError as error:
            self._failed(error)
            raise
        if self.error is not None:
            logger.warning("%s can be written again", self.path, extra=fields(Entry.STORE_WORKS))
        self.error = None

    def _failed(self, error: StoreError) -> None:
        cause = error.__cause__
        if not isinstance(cause, sqlite3.Error) or isinstance(cause, sqlite3.IntegrityError):
            return  # refused by us, not by the disk
        if self.error is None and not self._closed:
            logger.error("%s", error, extra=fields(Entry.STORE_FAILS))
        self.error = str(error)

    @contextmanager
    def _changing(self, durable: bool) -> Iterator[sqlite3.Connection]:
        self._open_at_last()
        with self.reading() as connection:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite itself rolls back on some errors, such as a full disk
                    connection.execute("ROLLBACK")
                raise

    def _open_at_last(self) -> None:
        """Put the file in the place of what stands in for it, if the disk takes it by now."""
        with self._lock:
            if not self._standing_in or self._closed:
                return
            self._connection.close()
            try:
                self._connection = self._opened(read_only=False)
            except StoreError:
                self._connection = _stand_in(self.path)
                raise
            self._standing_in = False

    def _prepare(self, connection: sqlite3.Connection, read_only: bool) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise StoreError(
                self.path,
                f"written by a newer judder (schema {version}, this one knows {len(MIGRATIONS)}); "
                "install that version again, or move the file away to start afresh",
            )
        if read_only:
            if version == 0:
                raise StoreError(self.path, "is not an alert store; check the path")
            if version < len(MIGRATIONS):
                raise StoreError(
                    self.path,
                    f"written by an older judder (schema {version}, this one needs {len(MIGRATIONS)}); "
                    "start judder once, it brings the file up to date",
                )
            return
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        _migrate(connection, version)

    @contextmanager
    def _converted(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            self.damaged = self.damaged or _is_damage(error)
            raise StoreError(self.path, f"{error}; {_next_step(error, self.path.parent)}") from error


def check(path: Path) -> str | None:
    """Return what is wrong with the bytes of a database file; None if it is sound, absent or unreadable."""
    if not path.exists():
        return None
    for connect in (_connect, _connect_alone):  # the second on a full disk
        try:
            with closing(connect(path)) as connection:
                result = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.Error as error:
            if _is_damage(error):
                return str(error)
        else:
            return None if result == "ok" else result
    return None


def quarantine(path: Path, at: datetime) -> Path:
    """Rename a damaged database, with its write-ahead log, to ``NAME.corrupt-UTC`` and return that name.

    Raises:
        StoreError: If it cannot be renamed.
    """
    aside = path.with_name(f"{path.name}.corrupt-{at:%Y%m%dT%H%M%S.%fZ}")
    try:
        for suffix in ("-wal", "-shm", ""):
            member = path.with_name(path.name + suffix)
            if member.exists():
                member.rename(aside.with_name(aside.name + suffix))
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(path, f"damaged, and cannot be renamed: {error}; move it away by hand") from error
    return aside


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)


def _connect_alone(path: Path) -> sqlite3.Connection:
    """Open an existing file for this process alone: that takes no shared memory, so no room on the disk."""
    name = f"file:{quote(str(path.absolute()))}?mode=rw"
    connection = sqlite3.connect(name, uri=True, timeout=0, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    return connection


def _stand_in(path: Path) -> sqlite3.Connection:
    """Return what can be read while the disk is full: the file if it is ours to read, else an empty store."""
    try:
        connection = _connect_alone(path)
        if connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS):
            return connection
        connection.close()
    except sqlite3.Error as error:  # at the first start on a read-only disk there is none
        logger.debug("%s cannot be read meanwhile: %s", path, error)
    empty = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    _migrate(empty, 0)
    return empty


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT")


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _is_disk(error: BaseException | None, folder: Path) -> bool:
    """Return whether an error is the disk's and may pass: full, read-only, or failing."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
            return True
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY:  # or somebody's mistake
            return disk_refuses(folder)
    return False


def disk_refuses(folder: Path) -> bool:
    """Return whether a file cannot be written in a folder for the disk's sake."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
    except OSError as error:
        return error.errno in DISK_ERRORS
    return False


def _next_step(error: sqlite3.Error, folder: Path) -> str:
    if _is_damage(error):
        return "restart judder: it sets the damaged file aside and starts a new one"
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) and is_read_only(folder):
        return READ_ONLY_DISK
    steps = {
        sqlite3.SQLITE_FULL: "free space on the disk",
        sqlite3.SQLITE_BUSY: "another process holds the file; close it",
        sqlite3.SQLITE_CANTOPEN: "check that the folder exists and that you may use it",
        sqlite3.SQLITE_READONLY: "check who may write the file and its folder",
        sqlite3.SQLITE_IOERR: "free space on the disk; if there is some, check the disk (dmesg)",
    }
    return steps.get(code, "see the log of judder")
