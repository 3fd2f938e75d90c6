"""``judder run``: the daemon in the foreground."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from threading import Event

import click

from agent.cli.options import config_option


@click.command()
@config_option
@click.option("--verbose", is_flag=True, help="Log details.")
def run(config_path: Path, verbose: bool) -> None:
    """Watch the configured sensors until SIGTERM or Ctrl-C."""
    from agent import daemon
    from agent.config import load_config

    start_logging(logging.DEBUG if verbose else logging.INFO)
    daemon.run(load_config(config_path), stop_event())


def stop_event() -> Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def start_logging(level: int) -> None:
    """Log to standard error; for the journal with its priorities instead of a time (sd-daemon(3))."""
    handler = logging.StreamHandler(sys.stderr)
    if "JOURNAL_STREAM" in os.environ:
        handler.setFormatter(_JournalFormatter("%(name)s: %(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


class _JournalFormatter(logging.Formatter):
    """Puts syslog's priority before each line."""

    def format(self, record: logging.LogRecord) -> str:
        priority = 3 if record.levelno >= logging.ERROR else 4 if record.levelno >= logging.WARNING else 6
        if record.levelno < logging.INFO:
            priority = 7
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())
