"""The forwarder against an uplink that fails on demand, and the waits between its attempts."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.config.names import GatewayName
from agent.config.uplink import BrokerSettings, TlsSettings
from agent.errors import UplinkError
from agent.judging.alert import AlertEvent
from agent.storage.alerts import AlertStore
from agent.storage.message import Kind, Message
from agent.storage.outbox import Delivery
from agent.system.backoff import Backoff
from agent.system.watchdog import Watchdog
from agent.uplink.forwarder import FATAL_TRIES, Forwarder
from agent.uplink.messages import alert_message
from firmware_bridge.clock import SystemClock
from tests.waiting import DEADLINE_S, wait_until

MakeMessage = Callable[..., Message]
GATEWAY = GatewayName("plant", "gateway")


class ScriptedUplink:
    """A broker in memory. It does not simulate time: every call returns at once, or when told to."""

    broker = "broker.example:1883"

    def __init__(self) -> None:
        self.reachable = True
        self.connected = False
        self.refused: set[str] = set()
        self.deadly: set[str] = set()
        self.received: list[Message] = []
        self.batches: list[int] = []
        self.attempts = 0
        self.closed = 0
        self.publishing = threading.Event()
        self.release = threading.Event()
        self.release.set()

    def connect(self, timeout_s: float) -> None:
        self.attempts += 1
        if not self.reachable:
            raise UplinkError(f"{self.broker}: connection refused")
        self.connected = True

    def check(self) -> None:
        if not self.connected:
            raise UplinkError(f"{self.broker}: the connection was closed")

    def publish(self, messages: Sequence[Message], timeout_s: float) -> Delivery:
        self.publishing.set()
        self.release.wait(DEADLINE_S)
        now = datetime.now(UTC)
        self.batches.append(len(messages))
        confirmed: list[Message] = []
        refused: list[Message] = []
        rest: tuple[Message, ...] = ()
        for number, message in enumerate(messages):
            if not self.connected or message.message_id in self.deadly:
                self.connected = False
                rest = tuple(messages[number:])
                break
            (refused if message.message_id in self.refused else confirmed).append(message)
        self.received += confirmed
        reason = "the connection was closed" if rest else "not authorized" if refused else None
        return Delivery(
            now,
            now,
            tuple(confirmed),
            tuple(refused),
            rest,
            error=reason and f"{self.broker}: {reason}",
            lost=bool(rest),
            puback_s=0.5 * len(confirmed),
        )

    def answer_commands(self) -> None:
        self.check()

    def close(self) -> None:
        self.connected = False
        self.closed += 1


@pytest.fixture
def uplink() -> ScriptedUplink:
    return ScriptedUplink()


@pytest.fixture
def notified() -> list[str]:
    return []


@pytest.fixture
def watchdog(notified: list[str]) -> Watchdog:
    return Watchdog(notified.append, SystemClock())


@pytest.fixture
def forwarder(store: AlertStore, uplink: ScriptedUplink, watchdog: Watchdog) -> Iterator[Forwarder]:
    """Yield a forwarder that is not started, and stop it."""
    backoff = Backoff("gateway", first_s=0.01, longest_s=0.02)
    forwarder = Forwarder(store.outbox, uplink, SystemClock(), watchdog, backoff, inflight=4)
    yield forwarder
    assert forwarder.stop()


def test_what_waits_is_sent_in_order(
    store: AlertStore, uplink: ScriptedUplink, forwarder: Forwarder, make_message: MakeMessage
) -> None:
    scores = [make_message(number) for number in range(40)]
    alert = make_message(1000, Kind.ALERT)
    for message in (*scores, alert):
        store.outbox.put(message)
    forwarder.start()
    wait_until(lambda: store.outbox.depth() == 0)
    assert uplink.received == [alert, *scores]
    status = forwarder.status
    assert (status.connected, status.broker) == (True, "broker.example:1883")
    assert (status.published, status.reconnects, status.last_error) == (41, 0, None)
    assert status.puback_s == 20.5
    assert uplink.batches == [4] * 10 + [1]


def test_a_new_message_wakes_the_forwarder(
    store: AlertStore,
    uplink: ScriptedUplink,
    forwarder: Forwarder,
    make_message: MakeMessage,
    make_event: Callable[..., AlertEvent],
) -> None:
    forwarder.start()
    wait_until(lambda: forwarder.status.connected)
    score = make_message(1)
    store.outbox.put(score)
    wait_until(lambda: uplink.received == [score])
    alert = make_event(2)
    store.record(alert, alert_message(alert, GATEWAY))
    wait_until(lambda: store.alerts()[0].delivered)


def test_an_alert_overtakes_the_scores_under_way(
    store: AlertStore, uplink: ScriptedUplink, forwarder: Forwarder, make_message: MakeMessage
) -> None:
    uplink.release.clear()
    scores = [make_message(number) for number in range(6)]
    for score in scores:
        store.outbox.put(score)
    forwarder.start()
    assert uplink.publishing.wait(DEADLINE_S)
    alert = make_message(10, Kind.ALERT)
    store.outbox.put(alert)
    uplink.release.set()
    wait_until(lambda: store.outbox.depth() == 0)
    assert uplink.received == [*scores[:4], alert, *scores[4:]]


def test_without_a_broker_it_tries_on_and_says_so_once(
    store: AlertStore,
    uplink: ScriptedUplink,
    forwarder: Forwarder,
    make_message: MakeMessage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    uplink.reachable = False
    message = make_message(1)
    store.outbox.put(message)
    with caplog.at_level(logging.INFO):
        forwarder.start()
        wait_until(lambda: uplink.attempts >= 5)
        assert not forwarder.status.connected
        assert forwarder.status.last_error == "broker.example:1883: connection refused"
        uplink.reachable = True
        wait_until(lambda: store.outbox.depth() == 0)
    assert uplink.received == [message]
    assert [record.getMessage() for record in caplog.records] == [
        "uplink: broker.example:1883: connection refused; messages wait in the outbox",
        "connected to broker.example:1883",
    ]


def test_a_lost_connection_is_noticed_while_nothing_is_sent(
    uplink: ScriptedUplink, forwarder: Forwarder
) -> None:
    forwarder.start()
    wait_until(lambda: forwarder.status.connected)
    uplink.connected = False
    wait_until(lambda: uplink.attempts == 2 and forwarder.status.connected)
    assert forwarder.status.reconnects == 1
    assert forwarder.status.last_error == "broker.example:1883: the connection was closed"


def test_a_refused_message_is_set_aside_and_holds_up_nothing(
    store: AlertStore,
    uplink: ScriptedUplink,
    forwarder: Forwarder,
    make_message: MakeMessage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    messages = [make_message(number, Kind.ALERT) for number in range(6)]
    uplink.refused = {messages[2].message_id, messages[4].message_id}
    for message in messages:
        store.outbox.put(message)
    with caplog.at_level(logging.INFO):
        forwarder.start()
        wait_until(lambda: store.outbox.depth() == 2 and forwarder.status.published == 4)
    assert uplink.received == [messages[n] for n in (0, 1, 3, 5)]
    assert uplink.attempts == 1
    assert forwarder.status.refused == 2
    assert store.outbox.totals()[Kind.ALERT].aside == 2
    assert caplog.text.count("not authorized; set aside, and tried again later") == 1


def test_what_was_refused_is_tried_again_by_the_next_daemon(
    store: AlertStore, uplink: ScriptedUplink, forwarder: Forwarder, make_message: MakeMessage
) -> None:
    alert = make_message(1, Kind.ALERT)
    store.outbox.put(alert)
    now = datetime.now(UTC)
    store.outbox.settle(Delivery(now, now, refused=(alert,), error="not authorized"))
    assert store.outbox.next(10) == []
    forwarder.start()
    wait_until(lambda: uplink.received == [alert])


def test_a_message_that_ends_every_connection_is_found_and_set_aside(
    store: AlertStore, uplink: ScriptedUplink, forwarder: Forwarder, make_message: MakeMessage
) -> None:
    messages = [make_message(number, Kind.ALERT) for number in range(6)]
    uplink.deadly = {messages[0].message_id}
    for message in messages:
        store.outbox.put(message)
    forwarder.start()
    wait_until(lambda: store.outbox.depth() == 1)
    assert uplink.received == messages[1:]
    assert uplink.batches[: FATAL_TRIES + 1] == [4] + [1] * FATAL_TRIES
    assert store.outbox.totals()[Kind.ALERT].aside == 1


def test_a_full_disk_neither_ends_the_connection_nor_sends_twice(
    store: AlertStore, uplink: ScriptedUplink, forwarder: Forwarder, make_message: MakeMessage
) -> None:
    uplink.release.clear()
    messages = [make_message(number) for number in range(6)]
    for message in messages:
        store.outbox.put(message)
    forwarder.start()
    assert uplink.publishing.wait(DEADLINE_S)
    with store.database.reading() as connection:
        connection.execute("PRAGMA query_only = ON")
    uplink.release.set()
    wait_until(lambda: forwarder.status.unsettled == 6)
    assert store.error is not None
    with store.database.reading() as connection:
        connection.execute("PRAGMA query_only = OFF")
    wait_until(lambda: store.outbox.depth() == 0)
    assert uplink.received == messages
    assert (uplink.attempts, forwarder.status.unsettled, store.error) == (1, 0, None)


def test_a_store_that_fails_does_not_end_the_forwarder(
    store: AlertStore, forwarder: Forwarder, uplink: ScriptedUplink
) -> None:
    forwarder.start()
    wait_until(lambda: forwarder.status.connected)
    store.close()
    store.outbox.waiting.set()
    uplink.connected = False
    wait_until(lambda: uplink.attempts == 2)


def test_stop_closes_the_uplink_and_keeps_what_waits(
    store: AlertStore, uplink: ScriptedUplink, forwarder: Forwarder, make_message: MakeMessage
) -> None:
    uplink.release.clear()
    messages = [make_message(number) for number in range(6)]
    for message in messages:
        store.outbox.put(message)
    forwarder.start()
    assert uplink.publishing.wait(DEADLINE_S)
    assert not forwarder.stop(timeout_s=0.01)
    uplink.release.set()
    assert forwarder.stop()
    assert not uplink.connected
    assert store.outbox.next(10) == messages[4:]


def test_it_reports_to_the_watchdog_while_it_runs(
    uplink: ScriptedUplink, forwarder: Forwarder, watchdog: Watchdog
) -> None:
    uplink.reachable = False
    forwarder.start()
    wait_until(lambda: uplink.attempts >= 2)
    assert list(watchdog._check_ins) == ["forwarder"]
    assert forwarder.stop()
    assert not watchdog._check_ins


def test_a_forwarder_that_was_never_started_can_be_stopped(forwarder: Forwarder) -> None:
    assert forwarder.stop()


def test_backoff_doubles_up_to_a_minute() -> None:
    backoff = Backoff("gateway")
    waits = [backoff.next_s() for _ in range(9)]
    upper = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert all(top / 2 <= wait <= top for top, wait in zip(upper, waits, strict=True))
    backoff.reset()
    assert 0.5 <= backoff.next_s() <= 1.0


def test_backoff_spreads_a_fleet() -> None:
    first = [Backoff(f"gateway-{number}", 15.0, 120.0, 0.95).next_s() for number in range(10_000)]
    assert 0.75 <= min(first) < max(first) <= 15.0
    returning = Counter(int(wait) for wait in first)  # by second: 10,000 over 14.25 s are 702 each
    assert max(returning.values()) < 850
    assert Backoff("a").next_s() == Backoff("a").next_s()


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="cert_file"):
        TlsSettings(key_file=Path("key.pem"))
    with pytest.raises(ValueError, match="username"):
        BrokerSettings("broker.example", password_file=Path("password"))
    with pytest.raises(ValueError, match="exclude"):
        BrokerSettings("b", username="u", password_file=Path("password"), password_credential="password")


def test_only_the_mqtt_module_loads_paho() -> None:
    code = (
        "import sys, agent.uplink.connection, agent.storage.alerts, agent.control.socket;"
        "sys.exit(any(name.partition('.')[0] == 'paho' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_status_times_are_utc(forwarder: Forwarder) -> None:
    assert forwarder.status.since.tzinfo is UTC
    assert forwarder.status.since <= datetime.now(UTC)
