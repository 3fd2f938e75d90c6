"""Sparkplug B against a real broker, heard by a host that reads the bytes by itself.

The reader knows nothing of judder's: neither its code, nor the library that writes. The field numbers are
typed from the specification (3.0.0, chapter 6), the wire format from
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.config.names import GatewayName
from agent.config.uplink import BrokerSettings
from agent.inference.explanation import AxisStatistics, Contribution
from agent.inference.scoring import Level
from agent.judging.alert import AlertEvent, Change, Rule
from agent.storage.alerts import AlertStore
from agent.storage.message import Message
from agent.system.backoff import Backoff
from agent.system.uuid7 import uuid7
from agent.system.watchdog import Watchdog, sd_notify
from agent.uplink.forwarder import Forwarder
from agent.uplink.messages import alert_message, health_message
from agent.uplink.mqtt import MqttUplink
from agent.uplink.sparkplug_births import Births
from agent.uplink.sparkplug_dialect import SparkplugDialect
from firmware_bridge.clock import SystemClock
from tests.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from tests.integration.conftest import Broker, Gateway

GATEWAY = GatewayName("plant", "gateway")
# Metric { name = "Node Control/Rebirth", datatype = Boolean, boolean_value = true }, by hand.
REBIRTH = bytes.fromhex("121a 0a14 4e6f646520436f6e74726f6c2f52656269727468 200b 7001")


@dataclass
class Metric:
    """One metric, as it came."""

    name: str = ""
    timestamp: int = 0
    datatype: int = 0
    is_historical: bool = False
    is_null: bool = False
    value: object = None


@dataclass
class Payload:
    """One payload, with where it came."""

    topic: str
    qos: int
    retain: bool
    timestamp: int = 0
    seq: int | None = None
    metrics: dict[str, Metric] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """``NBIRTH``, ``DDATA``, ..."""
        return self.topic.split("/")[2]

    def value(self, name: str) -> object:
        """Return the value of a metric."""
        return self.metrics[name].value


def read(topic: str, qos: int, retain: bool, data: bytes) -> Payload:
    """Return the payload in these bytes."""
    payload = Payload(topic, qos, retain)
    for number, value in _fields(data):
        if number == 1:
            payload.timestamp = int(value)
        elif number == 2:
            metric = _metric(bytes(value))
            payload.metrics[metric.name] = metric
        elif number == 3:
            payload.seq = int(value)
    return payload


def _metric(data: bytes) -> Metric:
    metric = Metric()
    for number, value in _fields(data):
        match number:
            case 1:
                metric.name = bytes(value).decode()
            case 3:
                metric.timestamp = int(value)
            case 4:
                metric.datatype = int(value)
            case 5:
                metric.is_historical = bool(value)
            case 7:
                metric.is_null = bool(value)
            case 11:
                metric.value = int(value) - (1 << 64) * (int(value) >> 63)
            case 13:
                (metric.value,) = struct.unpack("<d", bytes(value))
            case 14:
                metric.value = bool(value)
            case 15:
                metric.value = bytes(value).decode()
    return metric


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field: an integer of a varint, else bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        match key & 7:
            case 0:
                number, at = _varint(data, at)
                yield key >> 3, number
                continue
            case 1:
                size = 8
            case 2:
                size, at = _varint(data, at)
            case 5:
                size = 4
            case other:
                raise AssertionError(f"wire type {other}")
        assert at + size <= len(data)
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


class Host:
    """Hears the group ``plant`` and keeps what it says, in a session that outlives the broker."""

    def __init__(self, port: int) -> None:
        self.heard: list[Payload] = []
        subscribed = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id="host",
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("spBv1.0/plant/#", qos=1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = lambda _client, _data, message: self._take(message)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert subscribed.wait(DEADLINE_S)

    def _take(self, message: MQTTMessage) -> None:
        if "/NCMD/" not in message.topic:
            self.heard.append(read(message.topic, message.qos, message.retain, bytes(message.payload)))

    def kinds(self) -> list[str]:
        """Return what kinds came, in order."""
        return [payload.kind for payload in self.heard]

    def of(self, kind: str) -> list[Payload]:
        """Return the payloads of a kind."""
        return [payload for payload in self.heard if payload.kind == kind]

    def command(self, payload: bytes) -> None:
        """Send a command to the node."""
        self._client.publish("spBv1.0/plant/NCMD/gateway", payload, qos=0)

    def close(self) -> None:
        """Go away."""
        self._client.disconnect()
        self._client.loop_stop()


def alert_event(score: float = 4.25) -> AlertEvent:
    now = datetime.now(UTC)
    return AlertEvent(
        event_id=str(uuid7(now)),
        alert_id=str(uuid7(now)),
        sensor="motor",
        change=Change.RAISED,
        level=Level.WARNING,
        at=now,
        score=score,
        threshold=3.5,
        part="spectrum",
        statistics=(AxisStatistics("x", 0.5, 1.5, 3.0, 2.9),),
        contributions=(Contribution("x 118-143 Hz", 0.75),),
        model="pump-1.0.0",
        simulated=True,
        rule=Rule.PERSISTENCE,
        windows=412,
    )


def health(at: datetime, temperature_c: float | None = -1.5) -> Message:
    return health_message("fan", at, {"samples": 1 << 40, "temperature_c": temperature_c}, GATEWAY)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AlertStore]:
    with AlertStore(tmp_path / "judder.db") as opened:
        yield opened


@pytest.fixture
def host(broker: Broker) -> Iterator[Host]:
    listening = Host(broker.port)
    broker.save()
    yield listening
    listening.close()


@contextmanager
def forwarding(store: AlertStore, port: int) -> Iterator[Forwarder]:
    clock = SystemClock()
    births = Births(store.database)
    dialect = SparkplugDialect(
        "plant", "gateway", ["motor", "fan"], clock, births.next, version="0.1.0", simulated=True
    )
    settings = BrokerSettings("127.0.0.1", port=port, client_id="gateway")
    uplink = MqttUplink(settings, dialect, clock, store.outbox.waiting.set)
    backoff = Backoff("gateway", 0.05, 0.2)
    forwarder = Forwarder(store.outbox, uplink, clock, Watchdog(sd_notify, clock), backoff)
    forwarder.start()
    try:
        yield forwarder
    finally:
        assert forwarder.stop()


def put_alert(store: AlertStore) -> AlertEvent:
    event = alert_event()
    store.record(event, alert_message(event, GATEWAY))
    return event


def test_birth_data_and_death(broker: Broker, host: Host, store: AlertStore) -> None:
    with forwarding(store, broker.port) as forwarder:
        wait_until(lambda: forwarder.status.connected)
        event = put_alert(store)
        wait_until(lambda: store.outbox.depth() == 0)
        store.outbox.put(health(datetime.now(UTC)))
        wait_until(lambda: store.outbox.depth() == 0)
    wait_until(lambda: "NDEATH" in host.kinds())
    assert [payload.topic for payload in host.heard] == [
        "spBv1.0/plant/NBIRTH/gateway",
        "spBv1.0/plant/DBIRTH/gateway/motor",
        "spBv1.0/plant/DBIRTH/gateway/fan",
        "spBv1.0/plant/DDATA/gateway/motor",
        "spBv1.0/plant/DDATA/gateway/fan",
        "spBv1.0/plant/NDEATH/gateway",
    ]
    assert [payload.seq for payload in host.heard] == [0, 1, 2, 3, 4, None]
    assert [payload.qos for payload in host.heard] == [0, 0, 0, 1, 1, 1]
    assert not any(payload.retain for payload in host.heard)
    birth, motor, fan, alert, told, death = host.heard
    assert birth.value("bdSeq") == death.value("bdSeq") == 0
    assert death.metrics.keys() == {"bdSeq"}
    assert (birth.value("Node Control/Rebirth"), birth.metrics["Node Control/Rebirth"].datatype) == (
        False,
        11,
    )
    assert birth.value("Properties/judder version") == "0.1.0"
    assert abs(birth.timestamp / 1000 - time.time()) < 60

    # A birth names every metric with its type; nothing is known yet.
    assert motor.metrics.keys() == fan.metrics.keys()
    assert all(metric.is_null and metric.value is None for metric in motor.metrics.values())
    for data in (alert, told):
        for name, metric in data.metrics.items():
            assert metric.datatype == motor.metrics[name].datatype
            assert not metric.is_historical
    assert (alert.value("alert/level"), alert.value("alert/score")) == ("warning", 4.25)
    assert alert.value("alert/message_id") == event.event_id
    assert alert.value("alert/simulated") is True
    assert (alert.value("alert/rule"), alert.value("alert/windows")) == ("persistence", 412)
    document = json.loads(str(alert.value("alert/document")))
    assert document["contributions"] == [{"where": "x 118-143 Hz", "share": 0.75}]
    assert alert.metrics["alert/level"].timestamp == int(event.at.timestamp() * 1000)
    assert told.value("health/samples") == 1099511627776
    assert told.value("health/temperature_c") == -1.5
    assert told.metrics["health/regime"].is_null


def test_a_rebirth_tells_what_is_known(broker: Broker, host: Host, store: AlertStore) -> None:
    with forwarding(store, broker.port) as forwarder:
        wait_until(lambda: forwarder.status.connected)
        put_alert(store)
        wait_until(lambda: "DDATA" in host.kinds())
        host.command(b"\xff\xff nonsense")
        host.command(REBIRTH)
        wait_until(lambda: host.kinds().count("DBIRTH") == 4, "no rebirth")
        put_alert(store)
        wait_until(lambda: host.kinds().count("DDATA") == 2)
    reborn = host.heard[4:8]
    assert [payload.kind for payload in reborn] == ["NBIRTH", "DBIRTH", "DBIRTH", "DDATA"]
    assert [payload.seq for payload in reborn] == [0, 1, 2, 3]
    assert reborn[0].value("bdSeq") == host.heard[0].value("bdSeq")
    assert (reborn[1].value("alert/level"), reborn[1].value("alert/score")) == ("warning", 4.25)
    assert reborn[2].metrics["alert/level"].is_null


def test_the_sequence_wraps(broker: Broker, host: Host, store: AlertStore) -> None:
    for _ in range(300):
        put_alert(store)
    with forwarding(store, broker.port):
        wait_until(lambda: store.outbox.depth() == 0)
    wait_until(lambda: "NDEATH" in host.kinds())
    assert [payload.seq for payload in host.heard[:-1]] == [number % 256 for number in range(303)]


def test_the_death_that_the_broker_tells_is_that_of_the_birth(
    broker: Broker, host: Host, start_gateway: Callable[..., Gateway]
) -> None:
    group = '[uplink.sparkplug]\ngroup = "plant"\n'
    gateway = start_gateway(broker.port, group)
    wait_until(lambda: host.of("DDATA"), "no data")
    assert gateway.process is not None
    gateway.process.kill()
    gateway.process.communicate()
    wait_until(lambda: host.of("NDEATH"), "no death")
    gateway.start()
    wait_until(lambda: len(host.of("NBIRTH")) == 2, "no second birth")
    assert [payload.value("bdSeq") for payload in host.of("NDEATH")] == [0]
    assert [payload.value("bdSeq") for payload in host.of("NBIRTH")] == [0, 1]
    assert {payload.topic for payload in host.of("DBIRTH")} == {"spBv1.0/plant/DBIRTH/gw-3/press"}


def test_no_alert_is_lost_and_old_telemetry_is_marked(broker: Broker, host: Host, store: AlertStore) -> None:
    raised: list[str] = []

    def alerts() -> list[str]:
        data = [payload for payload in host.of("DDATA") if "alert/level" in payload.metrics]
        return [str(payload.value("alert/message_id")) for payload in data]

    def old() -> list[Payload]:
        return [payload for payload in host.of("DDATA") if "health/rate_hz" in payload.metrics]

    def heard(reports: int) -> bool:
        return set(alerts()) == set(raised) and len(old()) >= reports

    with forwarding(store, broker.port) as forwarder:
        for number in range(3):
            raised.extend(put_alert(store).event_id for _ in range(20))
            # What the broker has confirmed and not passed on would be lost with it.
            wait_until(partial(heard, number))
            wait_until(lambda: store.outbox.depth() == 0)
            broker.kill()
            wait_until(lambda: not forwarder.status.connected)
            raised.append(put_alert(store).event_id)
            store.outbox.put(health(datetime.now(UTC) - timedelta(minutes=1)))
            broker.start()
        wait_until(lambda: store.outbox.depth() == 0)
    wait_until(lambda: host.kinds()[-1] == "NDEATH")
    assert list(dict.fromkeys(alerts())) == raised
    told = [payload for payload in host.of("DDATA") if "alert/level" in payload.metrics]
    assert not any(metric.is_historical for payload in told for metric in payload.metrics.values())
    assert len(old()) >= 3  # one may come twice, if the broker dies before it confirms
    assert all(metric.is_historical for payload in old() for metric in payload.metrics.values())
