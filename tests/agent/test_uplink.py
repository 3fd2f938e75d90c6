"""The forwarder against an uplink that fails on demand, and the waits between its attempts."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.alert import AlertEvent
from agent.backoff import Backoff
from agent.errors import UplinkError
from agent.messages import GatewayName, Kind, Message, alert_message
from agent.store import AlertStore
from agent.uplink import BATCH, BrokerSettings, Forwarder, TlsSettings
from agent.watchdog import Watchdog
from firmware_bridge.clock import SystemClock

MakeMessage = Callable[..., Message]
GATEWAY = GatewayName("plant", "gateway")
DEADLINE_S = 10.0


class ScriptedUplink:
    """A broker in memory. It does not simulate time: every call returns at once, or when told to."""

    broker = "broker.example:1883"

    def __init__(self) -> None:
        self.reachable = True
        self.connected = False
        self.refused: set[str] = set()
        self.received: list[Message] = []
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

    def publish(self, message: Message, timeout_s: float) -> None:
        self.publishing.set()
        self.release.wait(DEADLINE_S)
        self.check()
        if message.message_id in self.refused:
            raise UplinkError(f"{self.broker}: not authorized")
        self.received.append(message)

    def close(self) -> None:
        self.connected = False
        self.closed += 1


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


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
    forwarder = Forwarder(store.outbox, uplink, SystemClock(), watchdog, backoff)
    yield forwarder
    assert forwarder.stop()


def test_what_waits_is_sent_in_order(
    store: AlertStore, uplink: ScriptedUplink, forwarder: Forwarder, make_message: MakeMessage
) -> None:
    scores = [make_message(number) for number in range(3 * BATCH)]
    alert = make_message(1000, Kind.ALERT)
    for message in (*scores, alert):
        store.outbox.put(message)
    forwarder.start()
    wait_until(lambda: store.outbox.depth() == 0)
    assert uplink.received == [alert, *scores]
    status = forwarder.status
    assert (status.connected, status.broker) == (True, "broker.example:1883")
    assert (status.published, status.reconnects, status.last_error) == (97, 0, None)


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
    scores = [make_message(number) for number in range(3)]
    for score in scores:
        store.outbox.put(score)
    forwarder.start()
    assert uplink.publishing.wait(DEADLINE_S)
    alert = make_message(10, Kind.ALERT)
    store.outbox.put(alert)
    uplink.release.set()
    wait_until(lambda: store.outbox.depth() == 0)
    assert uplink.received == [scores[0], alert, scores[1], scores[2]]


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


def test_a_refused_message_holds_up_the_rest_and_is_sent_again(
    store: AlertStore, uplink: ScriptedUplink, forwarder: Forwarder, make_message: MakeMessage
) -> None:
    messages = [make_message(number) for number in range(4)]
    uplink.refused = {messages[2].message_id}
    for message in messages:
        store.outbox.put(message)
    forwarder.start()
    wait_until(lambda: uplink.attempts >= 3)
    assert uplink.received == messages[:2]
    assert store.outbox.next(10) == messages[2:]
    uplink.refused.clear()
    wait_until(lambda: store.outbox.depth() == 0)
    assert uplink.received == messages


def test_a_store_that_fails_does_not_end_the_forwarder(
    store: AlertStore, forwarder: Forwarder, uplink: ScriptedUplink
) -> None:
    forwarder.start()
    wait_until(lambda: forwarder.status.connected)
    store.close()
    store.outbox.waiting.set()
    wait_until(lambda: "closed" in (forwarder.status.last_error or ""))


def test_stop_closes_the_uplink_and_keeps_what_waits(
    store: AlertStore, uplink: ScriptedUplink, forwarder: Forwarder, make_message: MakeMessage
) -> None:
    uplink.release.clear()
    messages = [make_message(number) for number in range(3)]
    for message in messages:
        store.outbox.put(message)
    forwarder.start()
    assert uplink.publishing.wait(DEADLINE_S)
    assert not forwarder.stop(timeout_s=0.01)
    uplink.release.set()
    assert forwarder.stop()
    assert not uplink.connected
    assert store.outbox.next(10) == messages[1:]


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
    first = [Backoff(f"gateway-{number}").next_s() for number in range(100)]
    assert len({round(wait, 3) for wait in first}) > 50
    assert Backoff("a").next_s() == Backoff("a").next_s()


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="cert_file"):
        TlsSettings(key_file=Path("key.pem"))
    with pytest.raises(ValueError, match="username"):
        BrokerSettings("broker.example", password_file=Path("password"))


def test_only_the_mqtt_module_loads_paho() -> None:
    code = (
        "import sys, agent.uplink, agent.store, agent.control;"
        "sys.exit(any(name.partition('.')[0] == 'paho' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_status_times_are_utc(forwarder: Forwarder) -> None:
    assert forwarder.status.since.tzinfo is UTC
    assert forwarder.status.since <= datetime.now(UTC)
