"""Log records for systemd's journal, with fields, in its native protocol.

The protocol is one datagram an entry, a line ``FIELD=value`` a field; a value of several lines is written
with its length in front (https://systemd.io/JOURNAL_NATIVE_PROTOCOL).
"""

from __future__ import annotations

import logging
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

SOCKET = Path("/run/systemd/journal/socket")
_LENGTH = struct.Struct("<Q")


class Entry(Enum):
    """What an entry tells: its MESSAGE_ID (systemd.journal-fields(7)), to find all of a kind by."""

    ALERT = "c36de81690394b7ab88178026d7643ab"
    SENSOR_FAILED = "ae99023b3d1241f4aca4fed8d061f67c"
    SENSOR_SAMPLES = "c4a02689c4f74f858cbaaa82b20ef17f"
    UPLINK_LOST = "e07053dda76a4d5f8927f98be30648f6"
    UPLINK_CONNECTED = "44185c13c97d4e8c890b63dc457e9971"
    REFUSED = "c3306ca8d0a04d4a91087efefe2ebc74"
    STORE_FAILS = "26be8e1612ae4e6191a65927a18f2606"
    STORE_WORKS = "a334ea2adab940a69172bb346745f4c6"
    RELOADED = "5873deb864c74883bf1a2cd38eb193f0"


def fields(entry: Entry, **more: str) -> dict[str, Mapping[str, str]]:
    """Return the ``extra`` of a log call: ``logger.info(text, extra=fields(Entry.ALERT, sensor=name))``.

    Args:
        entry: What is told.
        more: Further fields; their names are told in capitals.
    """
    named = {name.upper(): value for name, value in more.items()}
    return {"journal": {"MESSAGE_ID": entry.value, **named}}


def is_journal(stream: int = 2, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether a file descriptor leads to the journal (``JOURNAL_STREAM``, systemd.exec(5))."""
    try:
        status = os.fstat(stream)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class JournalHandler(logging.Handler):
    """Sends records to the journal, with what ``fields`` attached to them.

    Args:
        path: The journal's socket.
        fallback: Takes the records that the journal does not.
    """

    def __init__(self, path: Path = SOCKET, fallback: logging.Handler | None = None) -> None:
        super().__init__()
        self._path = str(path)
        self._fallback = fallback
        self.setFormatter(logging.Formatter("%(message)s"))  # the rest stands in fields
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record; the journal being busy or away never stops who logs."""
        try:
            self._socket.sendto(encode(_fields_of(record, self.format(record))), self._path)
        except OSError:  # too long, or the journal is away
            if self._fallback is not None:
                self._fallback.handle(record)

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
        super().close()


def encode(entry: Mapping[str, str]) -> bytes:
    """Return an entry as a datagram of the native protocol."""
    return b"".join(_encoded(entry))


def _encoded(entry: Mapping[str, str]) -> Iterator[bytes]:
    for name, text in entry.items():
        value = text.encode("utf-8", "backslashreplace")
        if b"\n" in value:
            yield name.encode() + b"\n" + _LENGTH.pack(len(value)) + value + b"\n"
        else:
            yield name.encode() + b"=" + value + b"\n"


def _fields_of(record: logging.LogRecord, message: str) -> dict[str, str]:
    attached: Mapping[str, Any] = getattr(record, "journal", {})
    return {
        "MESSAGE": message,
        "PRIORITY": str(priority(record.levelno)),
        "SYSLOG_IDENTIFIER": "judder",
        "LOGGER": record.name,
        "THREAD_NAME": record.threadName or "",
        "CODE_FILE": record.pathname,
        "CODE_LINE": str(record.lineno),
        "CODE_FUNC": record.funcName or "",
        **attached,
    }


def priority(level: int) -> int:
    """Return syslog's priority of a logging level (sd-daemon(3))."""
    if level >= logging.ERROR:
        return 3
    if level >= logging.WARNING:
        return 4
    return 6 if level >= logging.INFO else 7
