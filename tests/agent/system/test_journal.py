"""Entries for the journal, byte by byte, on a socket of the test's own."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from agent.system.journal import Entry, JournalHandler, encode, fields, is_journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    """Yield what listens in the journal's place."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "journal"))
        listener.settimeout(5)
        yield listener


@pytest.fixture
def logger(tmp_path: Path, journal: socket.socket) -> Iterator[logging.Logger]:
    """Yield a logger that leads there."""
    logger = logging.Logger("agent.test")
    handler = JournalHandler(tmp_path / "journal")
    logger.addHandler(handler)
    yield logger
    handler.close()


# https://systemd.io/JOURNAL_NATIVE_PROTOCOL: the example with a value of two lines.
def test_the_wire_format() -> None:
    assert encode({"PRIORITY": "3", "MESSAGE": "a\nbc"}) == (
        b"PRIORITY=3\nMESSAGE\n\x04\x00\x00\x00\x00\x00\x00\x00a\nbc\n"
    )


def test_an_alert_has_its_fields(journal: socket.socket, logger: logging.Logger) -> None:
    logger.warning("sensor %s", "press", extra=fields(Entry.ALERT, sensor="press", alert_id="0199"))
    entry = dict(line.split(b"=", 1) for line in journal.recv(65536).splitlines())
    assert entry[b"MESSAGE"] == b"sensor press"
    assert entry[b"PRIORITY"] == b"4"
    assert entry[b"SYSLOG_IDENTIFIER"] == b"judder"
    assert (entry[b"SENSOR"], entry[b"ALERT_ID"]) == (b"press", b"0199")
    assert entry[b"MESSAGE_ID"] == Entry.ALERT.value.encode()
    assert entry[b"CODE_FILE"].endswith(b"test_journal.py")


@pytest.mark.parametrize(
    ("level", "priority"), [(logging.DEBUG, 7), (logging.INFO, 6), (logging.WARNING, 4), (logging.ERROR, 3)]
)
def test_priorities_are_syslogs(
    journal: socket.socket, logger: logging.Logger, level: int, priority: int
) -> None:
    logger.log(level, "x")
    assert f"PRIORITY={priority}\n".encode() in journal.recv(65536)


def test_the_text_is_the_message_alone(tmp_path: Path) -> None:
    handler = JournalHandler(tmp_path / "journal")
    handler.close()
    assert (
        handler.formatter is not None
    )  # without one logging.basicConfig sets level and name before the text


def test_message_ids_are_ids_and_differ() -> None:
    assert len({UUID(entry.value) for entry in Entry}) == len(Entry)


def test_what_the_journal_does_not_take_goes_elsewhere(tmp_path: Path) -> None:
    logger = logging.Logger("agent.test")
    kept: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record.getMessage())

    handler = JournalHandler(tmp_path / "nobody", fallback=Keeping())
    logger.addHandler(handler)
    logger.error("x" * 10)
    handler.close()
    assert kept == ["x" * 10]


def test_the_journal_is_recognised_by_its_stream(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        status = os.fstat(stream.fileno())
        right = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        assert is_journal(stream.fileno(), right)
        assert not is_journal(stream.fileno(), {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + 1}"})
        assert not is_journal(stream.fileno(), {})
