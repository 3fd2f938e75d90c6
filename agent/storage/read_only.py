"""The gateway's SQLite file, read beside a daemon, without one, or on a medium that cannot be written."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from agent.errors import StoreError

READ_ONLY_DISK = "the disk is mounted read-only; mount it to be written, and look why it was not (dmesg)"
"""What to do where nothing can be written."""


def is_read_only(folder: Path) -> bool:
    """Return whether a folder is on a file system that is mounted read-only; False if it is not there."""
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def connect_read_only(path: Path, timeout_s: float) -> sqlite3.Connection:
    """Open a database that another process may be writing.

    Args:
        path: The file.
        timeout_s: How long to wait for the other process.

    Raises:
        StoreError: If it is absent, may not be read, or has a write-ahead log that cannot be read here.
        sqlite3.Error: If SQLite cannot open it.
    """
    name = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        path.open("rb").close()
        log_bytes = _size(path.with_name(path.name + "-wal"))
        shared = _size(path.with_name(path.name + "-shm"))
    except FileNotFoundError as error:
        hint = "no alert store yet; start judder, or check state_dir in the configuration"
        raise StoreError(path, hint) from error
    except OSError as error:
        hint = f"{error.strerror}; run as root or join the group of the file (judder)"
        raise StoreError(path, hint) from error
    # Without a daemon there is no log; who may not write in the folder cannot make one, and need not.
    if log_bytes is None or (log_bytes == 0 and shared is None):
        name += "&immutable=1"
    elif shared is None and not os.access(path.parent, os.W_OK):
        raise StoreError(path, _log_without_index(path))
    return sqlite3.connect(name, uri=True, timeout=timeout_s, isolation_level=None, check_same_thread=False)


def _size(path: Path) -> int | None:
    """Return the size of a file in bytes; None if it is absent."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _log_without_index(path: Path) -> str:
    """Return why a write-ahead log cannot be read: SQLite wants its index in a file that it cannot make."""
    where = "it is on a read-only medium" if is_read_only(path.parent) else "you may not write in its folder"
    return (
        f"the newest alerts are in {path.name}-wal, which takes a {path.name}-shm to read, and that cannot "
        f"be made: {where}; copy {path.name} and {path.name}-wal to a folder that can be written, and name "
        "it as state_dir in a configuration of its own"
    )
