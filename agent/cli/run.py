"""``judder run``: the daemon in the foreground."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path
from threading import Event

import click

from agent.cli.options import config_option
from agent.errors import ConfigError
from agent.system.journal import JournalHandler, is_journal

EX_CONFIG = 78
"""Exit code of a daemon that no restart helps (sysexits.h); ``judder.service`` does not restart it."""


@click.command()
@config_option
@click.option("--verbose", is_flag=True, help="Log details.")
def run(config_path: Path, verbose: bool) -> None:
    """Watch the configured sensors until SIGTERM or Ctrl-C; SIGHUP loads the configuration again.

    The exit code is 78 if the configuration or a bundle cannot be used.
    """
    from agent import daemon
    from agent.config.file import load_config

    start_logging(logging.DEBUG if verbose else logging.INFO)
    stop, hangup = stop_event(), event_of(signal.SIGHUP)
    try:
        config = load_config(config_path)
        daemon.run(config, stop, load=lambda: load_config(config_path), hangup=hangup)
    except ConfigError as error:
        click.echo(f"Error: {error.at(config_path)}", err=True)
        sys.exit(EX_CONFIG)


def stop_event() -> Event:
    """Return an event that SIGTERM and SIGINT set."""
    return event_of(signal.SIGTERM, signal.SIGINT)


def event_of(*signals: signal.Signals) -> Event:
    """Return an event that these signals set."""
    event = Event()
    for number in signals:
        signal.signal(number, lambda *_: event.set())
    return event


def start_logging(level: int) -> None:
    """Log to the journal, with fields, if standard error leads there; else to standard error."""
    stream = logging.StreamHandler(sys.stderr)
    handler: logging.Handler = stream
    if is_journal():
        stream.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        handler = JournalHandler(fallback=stream)
    else:
        stream.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
