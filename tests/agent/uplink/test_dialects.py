"""What is said on a connection, packet by packet: judder's JSON, Home Assistant's discovery, Sparkplug B."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from agent.config.names import GatewayName
from agent.judging.alert import AlertEvent
from agent.storage.message import Kind, Message
from agent.uplink.dialect import Packet
from agent.uplink.home_assistant import discovery
from agent.uplink.json_dialect import JsonDialect
from agent.uplink.messages import alert_message
from agent.uplink.sparkplug_dialect import SparkplugDialect
from agent.uplink.sparkplug_payload import _PAYLOAD, DataType, Metric, encode
from firmware_bridge.clock import SimulatedClock

GATEWAY = GatewayName("plant", "gw-3")
MakeEvent = Callable[..., AlertEvent]


def score(clock: SimulatedClock, value: float, sensor: str = "motor") -> Message:
    document = {"score_max": value, "level": "normal", "windows": 6}
    return Message("0199", Kind.SCORE, sensor, "t", json.dumps(document).encode(), clock.utc())


# JSON


def plain(**options: Any) -> JsonDialect:
    return JsonDialect(GATEWAY, SimulatedClock(), version="1.2", simulated=True, **options)


def test_the_retained_status_says_online_stopped_and_by_the_last_will_offline() -> None:
    dialect = plain()
    packets = [dialect.will(), *dialect.hello(), *dialect.goodbye()]
    assert {(packet.topic, packet.qos, packet.retain) for packet in packets} == {
        ("judder/v1/plant/gw-3/status", 1, True)
    }
    said = [json.loads(packet.payload) for packet in packets]
    assert [document["status"] for document in said] == ["offline", "online", "stopped"]
    assert all((document["version"], document["simulated"]) == ("1.2", True) for document in said)


def test_messages_go_as_they_are(make_event: MakeEvent) -> None:
    message = alert_message(make_event(1), GATEWAY)
    assert plain().data([message]) == [Packet(message.topic, message.payload, qos=1, retain=False)]


def test_commands_are_taken_only_if_somebody_answers_them() -> None:
    assert plain().subscriptions == ()
    assert plain().answer("t", b"{}") == []
    dialect = plain(answer=lambda payload: {"ok": payload == b"{}"})
    assert dialect.subscriptions == ("judder/v1/plant/gw-3/command",)
    (reply,) = dialect.answer("judder/v1/plant/gw-3/command", b"{}")
    assert reply == Packet("judder/v1/plant/gw-3/reply", b'{"ok": true}', qos=1, retain=False)


def test_announcements_are_retained_and_come_after_the_status() -> None:
    status, announced = plain(announcements={"homeassistant/x/config": b"{}"}).hello()
    assert status.topic.endswith("/status")
    assert announced == Packet("homeassistant/x/config", b"{}", retain=True)


def test_home_assistant_finds_three_entities_of_one_device() -> None:
    found = {topic: json.loads(payload) for topic, payload in discovery(GATEWAY, "fan", version="1").items()}
    assert list(found) == [
        "homeassistant/sensor/judder_plant_gw-3_fan_score/config",
        "homeassistant/binary_sensor/judder_plant_gw-3_fan_problem/config",
        "homeassistant/sensor/judder_plant_gw-3_fan_state/config",
    ]
    assert {document["state_topic"] for document in found.values()} == {
        "judder/v1/plant/gw-3/fan/score",
        "judder/v1/plant/gw-3/fan/health",
    }
    assert {document["availability_topic"] for document in found.values()} == {"judder/v1/plant/gw-3/status"}
    assert len({json.dumps(document["device"]) for document in found.values()}) == 1
    others = discovery(GATEWAY, "press", version="1")
    assert not others.keys() & found.keys()


# Sparkplug


class Node:
    """A gateway of two sensors, and what a host reads of its packets."""

    def __init__(self) -> None:
        self.clock = SimulatedClock()
        births = count(7)
        self.dialect = SparkplugDialect(
            "plant",
            "gw-3",
            ["fan", "motor"],
            self.clock,
            lambda: next(births),
            version="1.2",
            simulated=False,
        )

    def connect(self) -> list[Packet]:
        self.dialect.will()
        return self.dialect.hello()


def read(packet: Packet) -> dict[str, Any]:
    """Return the metrics of a packet by name; None: the metric has no value."""
    fields = {4: "long_value", 10: "double_value", 11: "boolean_value", 12: "string_value"}
    return {
        metric.name: None if metric.is_null else getattr(metric, fields[metric.datatype])
        for metric in _PAYLOAD.FromString(packet.payload).metrics
    }


def seq(packet: Packet) -> int | None:
    payload = _PAYLOAD.FromString(packet.payload)
    return payload.seq if payload.HasField("seq") else None


@pytest.fixture
def node() -> Node:
    return Node()


def test_births_of_the_node_then_of_its_devices_without_values_at_first(node: Node) -> None:
    births = node.connect()
    assert [packet.topic for packet in births] == [
        "spBv1.0/plant/NBIRTH/gw-3",
        "spBv1.0/plant/DBIRTH/gw-3/fan",
        "spBv1.0/plant/DBIRTH/gw-3/motor",
    ]
    assert [(packet.qos, packet.retain, seq(packet)) for packet in births] == [
        (0, False, 0),
        (0, False, 1),
        (0, False, 2),
    ]
    assert read(births[0]) == {
        "bdSeq": 7,
        "Node Control/Rebirth": False,
        "Properties/judder version": "1.2",
        "Properties/simulated": False,
    }
    assert set(read(births[1]).values()) == {None}


def test_a_death_has_the_number_of_its_birth_and_no_sequence(node: Node) -> None:
    for number in (7, 8):
        will = node.dialect.will()
        birth = node.dialect.hello()[0]
        (goodbye,) = node.dialect.goodbye()
        assert read(will) == read(goodbye) == {"bdSeq": number}
        assert (will.topic, goodbye.topic, seq(will)) == (*["spBv1.0/plant/NDEATH/gw-3"] * 2, None)
        assert read(birth)["bdSeq"] == number


def test_the_sequence_counts_to_255_and_begins_anew_with_a_birth(node: Node) -> None:
    births = node.connect()
    data = node.dialect.data([score(node.clock, 1.0)] * 300)
    assert [seq(packet) for packet in (*births, *data)] == [number % 256 for number in range(303)]
    assert [seq(packet) for packet in node.connect()] == [0, 1, 2]


def test_data_of_before_the_connection_is_historical_and_an_alert_never(
    node: Node, make_event: MakeEvent
) -> None:
    old = score(node.clock, 1.0)
    alert = alert_message(make_event(1), GATEWAY)
    node.clock.advance(timedelta(days=365).total_seconds())  # the alert is from March
    node.connect()
    new = score(node.clock, 2.0)
    marks = [
        {metric.is_historical for metric in _PAYLOAD.FromString(packet.payload).metrics}
        for packet in node.dialect.data([old, alert, new])
    ]
    assert marks == [{True}, {False}, {False}]


def test_a_rebirth_tells_what_each_device_said_last_but_nothing_historical(node: Node) -> None:
    old = score(node.clock, 9.0)
    node.clock.advance(1.0)
    node.connect()
    node.dialect.data([score(node.clock, 1.0), score(node.clock, 2.0), old])
    ask = encode(
        node.clock.utc(), [Metric("Node Control/Rebirth", DataType.BOOLEAN, True, node.clock.utc())], 0
    )
    _, fan, motor = node.dialect.answer("spBv1.0/plant/NCMD/gw-3", ask)
    assert read(fan)["score/score_max"] is None
    assert (read(motor)["score/score_max"], read(motor)["score/windows"]) == (2.0, 6)


def test_other_commands_are_ignored_and_rubbish_is_logged_once(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    node.connect()
    assert node.dialect.subscriptions == ("spBv1.0/plant/NCMD/gw-3",)
    reboot = encode(
        node.clock.utc(), [Metric("Node Control/Reboot", DataType.BOOLEAN, True, node.clock.utc())], 0
    )
    assert node.dialect.answer("t", reboot) == []
    assert not caplog.records
    assert [node.dialect.answer("t", b"\xff") for _ in range(3)] == [[], [], []]
    assert len(caplog.records) == 1
