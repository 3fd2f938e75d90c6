"""The thread that sends the outbox upstream."""

from __future__ import annotations

import logging
from dataclasses import replace
from threading import Event, Thread

from agent.errors import StoreError, UplinkError
from agent.storage.message import Message
from agent.storage.outbox import Delivery, Outbox
from agent.system.backoff import Backoff
from agent.system.journal import Entry, fields
from agent.system.watchdog import Watchdog
from agent.uplink.connection import Uplink, UplinkStatus
from firmware_bridge.clock import NS_PER_S, Clock

logger = logging.getLogger(__name__)

THREAD_NAME = "forwarder"
CONNECT_TIMEOUT_S = 10.0
PUBLISH_TIMEOUT_S = 10.0
POLL_S = 1.0
"""Longest wait without a look at the connection and a check-in."""
MAX_AGE_S = 120.0
"""Longest honest silence: two protocol versions tried, each with a name look-up that takes its time."""
READMIT_S = 600.0
"""How often messages that the broker refused are tried again."""
FATAL_TRIES = 5
"""A message that ended so many connections in a row, sent alone, counts as refused."""


class Forwarder:
    """Sends the outbox in order, some messages at a time, and removes what the broker confirmed.

    What is not confirmed when a connection ends is sent again on the next, with the same ids and in the same
    order: nothing is lost, some may come twice. A message that the broker refuses is set aside, so that it
    holds up nothing; it is tried again later, when it may come after younger ones. Without a broker the
    forwarder tries for ever. The uplink belongs to this thread alone.

    Args:
        outbox: What is to be sent.
        uplink: The way out, not connected yet.
        clock: Waits and UTC.
        watchdog: Hears from this thread while it runs.
        backoff: The waits between attempts.
        inflight: Messages on their way at once.
    """

    def __init__(
        self,
        outbox: Outbox,
        uplink: Uplink,
        clock: Clock,
        watchdog: Watchdog,
        backoff: Backoff,
        inflight: int = 16,
    ) -> None:
        self._outbox = outbox
        self._uplink = uplink
        self._clock = clock
        self._watchdog = watchdog
        self._backoff = backoff
        self._inflight = inflight
        self._stop = Event()
        self._connections = 0
        self._unsettled: list[Delivery] = []
        self._barren = 0  # connections in a row that ended before anything was confirmed
        self._refusing = False
        self._readmitted_ns = clock.monotonic_ns() - round(READMIT_S * NS_PER_S)
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
        """End the thread after the messages under way, and close the uplink; what waits stays in the outbox.

        Args:
            timeout_s: Longest wait for it, in seconds.

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
                    self._turn()
                except UplinkError as error:
                    self._recover(error)
                except StoreError as error:  # told by the store; the connection is not to blame
                    logger.debug("the outbox cannot be read: %s", error)
                    self._clock.wait(POLL_S, self._stop)
        except Exception:
            logger.exception("the forwarder fails; systemd's watchdog will restart judder")
        else:
            self._watchdog.unregister(THREAD_NAME)
        finally:
            self._uplink.close()

    def _turn(self) -> None:
        """Send one batch, or wait for something to send."""
        self._ensure_connected()
        self._outbox.waiting.clear()
        self._uplink.answer_commands()
        self._settle()
        self._readmit()
        batch = self._next_batch()
        if batch:
            self._send(batch)
        else:
            self._backoff.reset()
            self._clock.wait(POLL_S, self._outbox.waiting)

    def _ensure_connected(self) -> None:
        if self._status.connected:
            self._uplink.check()
            return
        self._uplink.connect(CONNECT_TIMEOUT_S)
        self._connections += 1
        self._status = replace(
            self._status, connected=True, since=self._clock.utc(), reconnects=self._connections - 1
        )
        logger.info("connected to %s", self._uplink.broker, extra=fields(Entry.UPLINK_CONNECTED))

    def _readmit(self) -> None:
        """Let what was refused be tried again from time to time, and at the start."""
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._readmitted_ns >= READMIT_S * NS_PER_S:
            self._readmitted_ns = now_ns
            self._outbox.readmit()

    def _next_batch(self) -> list[Message]:
        """Return what is to be sent next, without what was answered and could not be written down yet."""
        answered = {m.message_id for d in self._unsettled for m in (*d.confirmed, *d.refused)}
        window = 1 if self._barren else self._inflight
        waiting = self._outbox.next(window + len(answered))
        return [message for message in waiting if message.message_id not in answered][:window]

    def _send(self, batch: list[Message]) -> None:
        delivery = self._judged(self._uplink.publish(batch, PUBLISH_TIMEOUT_S))
        self._watchdog.check_in(THREAD_NAME)
        self._unsettled.append(delivery)
        self._tell_refusals(delivery)
        self._status = replace(
            self._status,
            published=self._status.published + len(delivery.confirmed),
            refused=self._status.refused + len(delivery.refused),
            puback_s=self._status.puback_s + delivery.puback_s,
        )
        self._settle()
        if delivery.confirmed:
            self._backoff.reset()
        if delivery.lost:
            raise UplinkError(delivery.error)

    def _judged(self, delivery: Delivery) -> Delivery:
        """Count connections that end without an answer; a message that ends many of them is refused."""
        if not delivery.lost or delivery.confirmed or delivery.refused:
            self._barren = 0
            return delivery
        self._barren += 1
        if self._barren <= FATAL_TRIES:
            return delivery
        self._barren = 0
        return replace(delivery, refused=delivery.unanswered, unanswered=())

    def _settle(self) -> None:
        """Write down what the broker answered, oldest first; what a full disk does not take waits on."""
        try:
            while self._unsettled:
                self._outbox.settle(self._unsettled[0])
                self._unsettled.pop(0)
        except StoreError as error:  # told by the store
            logger.debug("answers of the broker wait to be written: %s", error)
        unsettled = sum(len(delivery.confirmed) for delivery in self._unsettled)
        if unsettled != self._status.unsettled:
            self._status = replace(self._status, unsettled=unsettled)

    def _tell_refusals(self, delivery: Delivery) -> None:
        if delivery.refused and not self._refusing:
            logger.warning(
                "%s; set aside, and tried again later", delivery.error, extra=fields(Entry.REFUSED)
            )
        if delivery.refused or delivery.confirmed:
            self._refusing = bool(delivery.refused)

    def _recover(self, error: UplinkError) -> None:
        """Close, tell what happened if it is news, and wait."""
        self._uplink.close()
        if self._status.connected or str(error) != self._status.last_error:
            text = "uplink: %s; messages wait in the outbox"
            logger.warning(text, error, extra=fields(Entry.UPLINK_LOST))
        since = self._clock.utc() if self._status.connected else self._status.since
        self._status = replace(self._status, connected=False, since=since, last_error=str(error))
        remaining_s = self._backoff.next_s()
        while remaining_s > 0 and not self._stop.is_set():
            self._clock.wait(min(remaining_s, POLL_S), self._stop)
            self._watchdog.check_in(THREAD_NAME)
            remaining_s -= POLL_S
