"""The way upstream: what a broker connection can do, and the thread that sends the outbox through it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import Annotated, Protocol

from agent.backoff import Backoff
from agent.decode import Range
from agent.errors import AgentError
from agent.messages import Message
from agent.outbox import Outbox
from agent.watchdog import Watchdog
from firmware_bridge.clock import Clock

logger = logging.getLogger(__name__)

THREAD_NAME = "forwarder"
CONNECT_TIMEOUT_S = 10.0
PUBLISH_TIMEOUT_S = 10.0
BATCH = 32
"""Messages confirmed in one transaction: the most that a receiver sees twice after SIGKILL."""
POLL_S = 1.0
"""Longest wait without a look at the connection and a check-in."""
MAX_AGE_S = 120.0
"""Longest honest silence: two protocol versions tried, each with a name look-up that takes its time."""


@dataclass(frozen=True)
class TlsSettings:
    """How the connection is encrypted and who vouches for whom."""

    ca_file: Path | None = None
    """PEM file of the authorities that are trusted, or None for the system's."""
    cert_file: Path | None = None
    """PEM file of the gateway's own certificate, if the broker asks for one."""
    key_file: Path | None = None
    """PEM file of its key; None if the key is in ``cert_file``."""

    def __post_init__(self) -> None:
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file needs cert_file")


@dataclass(frozen=True)
class BrokerSettings:
    """Where the broker is and how it knows the gateway."""

    host: str
    client_id: str | None = None
    """Must be the gateway's own: a broker cuts off the first of two clients with the same id.

    Made of site and gateway if None."""
    port: Annotated[int, Range(1, 65535)] = 1883
    """8883 is usual with TLS."""
    tls: TlsSettings | None = None
    username: str | None = None
    password_file: Path | None = None
    """Holds the password in its first line; read at each connection."""
    keepalive_s: Annotated[int, Range(5, 3600, "s")] = 60
    """The broker publishes the last will after 1.5 times as long without a sign of life."""

    def __post_init__(self) -> None:
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs username")


@dataclass(frozen=True)
class UplinkStatus:
    """What ``judder status`` shows of the uplink."""

    connected: bool
    broker: str
    """``host:port``."""
    since: datetime
    """UTC time since when it is connected, or is not."""
    last_error: str | None = None
    """Why the last connection failed or ended; None if none ever did."""
    published: int = 0
    """Messages that the broker confirmed since the daemon started."""
    reconnects: int = 0
    """Connections made after the first."""


class Uplink(Protocol):
    """A connection to the broker. ``close`` may be called twice; ``connect`` may be called again after it."""

    @property
    def broker(self) -> str:
        """``host:port``, for people."""
        ...

    def connect(self, timeout_s: float) -> None:
        """Connect and tell that the gateway is online.

        Raises:
            UplinkError: With broker, reason and next step.
        """
        ...

    def check(self) -> None:
        """Return if the connection stands.

        Raises:
            UplinkError: If it was lost, or there never was one.
        """
        ...

    def publish(self, message: Message, timeout_s: float) -> None:
        """Send a message; returns when the broker confirmed it.

        Raises:
            UplinkError: If it refused, the connection was lost, or it did not answer in time.
        """
        ...

    def close(self) -> None:
        """Say goodbye and disconnect; never raises."""
        ...


class Forwarder:
    """The thread that sends the outbox, in order, and removes what the broker confirmed.

    Messages go one by one: the next leaves when the one before is confirmed, so the order is kept over every
    failure; one that the broker refuses holds up the rest until somebody changes that. Without a broker the
    forwarder tries for ever. The uplink belongs to this thread alone.

    Args:
        outbox: What is to be sent.
        uplink: The way out, not connected yet.
        clock: Waits and UTC.
        watchdog: Hears from this thread while it runs.
        backoff: The waits between attempts.
    """

    def __init__(
        self, outbox: Outbox, uplink: Uplink, clock: Clock, watchdog: Watchdog, backoff: Backoff
    ) -> None:
        self._outbox = outbox
        self._uplink = uplink
        self._clock = clock
        self._watchdog = watchdog
        self._backoff = backoff
        self._stop = Event()
        self._connections = 0
        self._status = UplinkStatus(connected=False, broker=uplink.broker, since=clock.utc())
        self._thread = Thread(target=self._run, name=THREAD_NAME, daemon=True)

    @property
    def status(self) -> UplinkStatus:
        """How it stands."""
        return self._status

    def start(self) -> None:
        """Start the thread; once."""
        self._watchdog.register(THREAD_NAME, MAX_AGE_S)
        self._thread.start()

    def stop(self, timeout_s: float = CONNECT_TIMEOUT_S + PUBLISH_TIMEOUT_S) -> bool:
        """End the thread after the message under way, and close the uplink; what waits stays in the outbox.

        Returns:
            False if the thread did not end in time; it is left behind.
        """
        self._stop.set()
        self._outbox.waiting.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            logger.error("the forwarder did not stop within %g s", timeout_s)
            return False
        return True

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._watchdog.check_in(THREAD_NAME)
                try:
                    self._ensure_connected()
                    self._send_waiting()
                except AgentError as error:
                    self._recover(error)
        except Exception:
            logger.exception("the forwarder fails; systemd's watchdog will restart judder")
        else:
            self._watchdog.unregister(THREAD_NAME)
        finally:
            self._uplink.close()

    def _ensure_connected(self) -> None:
        if self._status.connected:
            self._uplink.check()
            return
        self._uplink.connect(CONNECT_TIMEOUT_S)
        self._connections += 1
        self._status = replace(
            self._status, connected=True, since=self._clock.utc(), reconnects=self._connections - 1
        )
        logger.info("connected to %s", self._uplink.broker)

    def _send_waiting(self) -> None:
        """Send one batch, or wait for something to send."""
        self._outbox.waiting.clear()
        batch = self._outbox.next(BATCH)
        if not batch:
            self._backoff.reset()
            self._clock.wait(POLL_S, self._outbox.waiting)
            return
        confirmed: list[Message] = []
        try:
            for message in batch:
                self._uplink.publish(message, PUBLISH_TIMEOUT_S)
                confirmed.append(message)
                self._watchdog.check_in(THREAD_NAME)
                if self._outbox.waiting.is_set():  # stopping, or perhaps something more urgent came in
                    break
        finally:
            self._confirm(confirmed)
        self._backoff.reset()

    def _confirm(self, messages: list[Message]) -> None:
        if messages:
            self._outbox.confirm(messages, self._clock.utc())
            self._status = replace(self._status, published=self._status.published + len(messages))

    def _recover(self, error: AgentError) -> None:
        """Close, tell what happened if it is news, and wait."""
        self._uplink.close()
        if self._status.connected or str(error) != self._status.last_error:
            logger.warning("uplink: %s; messages wait in the outbox", error)
        since = self._clock.utc() if self._status.connected else self._status.since
        self._status = replace(self._status, connected=False, since=since, last_error=str(error))
        remaining_s = self._backoff.next_s()
        while remaining_s > 0 and not self._stop.is_set():
            self._clock.wait(min(remaining_s, POLL_S), self._stop)
            self._watchdog.check_in(THREAD_NAME)
            remaining_s -= POLL_S
