"""The uplink over MQTT against a broker that answers as the test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from agent.config.names import GatewayName
from agent.config.uplink import BrokerSettings
from agent.errors import UplinkError
from agent.storage.message import Kind, Message
from agent.uplink.json_dialect import JsonDialect
from agent.uplink.mqtt import MqttUplink
from firmware_bridge.clock import SimulatedClock
from tests.agent.uplink.fake_broker import NOT_AUTHORIZED, Broker, publish
from tests.waiting import DEADLINE_S, wait_until

MakeMessage = Callable[..., Message]
GATEWAY = GatewayName("plant", "gateway")
COMMAND = "judder/v1/plant/gateway/command"


def uplink_to(
    broker: Broker,
    *,
    inflight: int = 16,
    answer: Callable[[bytes], Mapping[str, Any]] | None = None,
    wake: Callable[[], None] = lambda: None,
) -> MqttUplink:
    clock = SimulatedClock()
    dialect = JsonDialect(GATEWAY, clock, version="1", simulated=True, answer=answer)
    settings = BrokerSettings("127.0.0.1", client_id="gateway", port=broker.port, inflight=inflight)
    return MqttUplink(settings, dialect, clock, wake)


@pytest.fixture
def messages(make_message: MakeMessage) -> list[Message]:
    """Twenty scores, each to a topic of its own."""
    made = [make_message(number, Kind.SCORE) for number in range(20)]
    return [
        Message(m.message_id, m.kind, m.sensor, f"t/{number}", m.payload, m.created_at)
        for number, m in enumerate(made)
    ]


def test_everything_is_confirmed_in_order_and_the_goodbye_is_said(messages: list[Message]) -> None:
    with Broker() as broker:
        uplink = uplink_to(broker)
        uplink.connect(DEADLINE_S)
        delivery = uplink.publish(messages, DEADLINE_S)
        uplink.close()
        uplink.close()
    assert (delivery.confirmed, delivery.refused, delivery.unanswered) == (tuple(messages), (), ())
    assert (delivery.error, delivery.lost) == (None, False)
    assert delivery.puback_s > 0
    topics = [topic for topic, _ in broker.published]
    status = "judder/v1/plant/gateway/status"
    assert topics == [status, *(f"t/{number}" for number in range(20)), status]
    assert b'"online"' in broker.published[0][1]
    assert b'"stopped"' in broker.published[-1][1]
    assert (broker.versions, broker.goodbyes) == ([5], 1)


@pytest.mark.parametrize(("inflight", "receive_maximum", "most"), [(10, None, 10), (4, None, 4), (16, 5, 5)])
def test_no_more_are_on_their_way_than_either_side_allows(
    messages: list[Message], inflight: int, receive_maximum: int | None, most: int
) -> None:
    with Broker(receive_maximum=receive_maximum, hold=most) as broker:
        uplink = uplink_to(broker, inflight=inflight)
        uplink.connect(DEADLINE_S)
        assert len(uplink.publish(messages, DEADLINE_S).confirmed) == 20
        uplink.close()
    assert broker.most_waiting == most


def test_what_is_refused_is_told_from_what_is_taken(messages: list[Message]) -> None:
    with Broker(puback=lambda topic: NOT_AUTHORIZED if topic == "t/3" else 0) as broker:
        uplink = uplink_to(broker)
        uplink.connect(DEADLINE_S)
        delivery = uplink.publish(messages, DEADLINE_S)
        uplink.check()
        uplink.close()
    assert delivery.refused == (messages[3],)
    assert delivery.confirmed == (*messages[:3], *messages[4:])
    assert not delivery.lost
    assert delivery.error == (
        f"127.0.0.1:{broker.port}: the broker refuses a message to t/3: not authorized; "
        "let the broker's access rules allow this gateway its topics"
    )


def test_a_connection_that_breaks_leaves_the_rest_unanswered(messages: list[Message]) -> None:
    with Broker(puback=lambda topic: None if topic == "t/2" else 0) as broker:
        uplink = uplink_to(broker, inflight=2)
        uplink.connect(DEADLINE_S)
        delivery = uplink.publish(messages[:6], DEADLINE_S)
        assert (delivery.confirmed, delivery.unanswered) == (tuple(messages[:2]), tuple(messages[2:6]))
        assert delivery.lost
        with pytest.raises(UplinkError, match="not connected"):
            uplink.check()
        assert uplink.publish(messages[:1], DEADLINE_S).unanswered == (messages[0],)
        uplink.connect(DEADLINE_S)  # and may be connected again
        uplink.check()
        uplink.close()
    assert broker.goodbyes == 1


def test_an_old_broker_is_spoken_to_in_its_version_from_then_on(messages: list[Message]) -> None:
    with Broker(only_3=True) as broker:
        uplink = uplink_to(broker)
        for _ in range(2):
            uplink.connect(DEADLINE_S)
            assert len(uplink.publish(messages, DEADLINE_S).confirmed) == 20
            uplink.close()
    assert broker.versions == [5, 4, 4]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (0x86, "bad user name or password; check username and password_file in [uplink]"),
        (NOT_AUTHORIZED, "not authorized; check username and password_file in [uplink], and whom the broker"),
        (0x85, "client identifier not valid; choose another client_id in [uplink]"),
        (0x97, "quota exceeded; let the broker take more from this gateway"),
        (0x89, "server busy; see the log of the broker"),
    ],
)
def test_a_refusal_is_told_with_the_next_step(code: int, told: str) -> None:
    with Broker(connack=code) as broker:
        uplink = uplink_to(broker)
        with pytest.raises(UplinkError) as caught:
            uplink.connect(DEADLINE_S)
    assert str(caught.value).startswith(f"127.0.0.1:{broker.port}: the broker refuses the connection: {told}")
    assert broker.versions == [5]


def test_a_broker_that_hangs_up_on_every_version() -> None:
    with Broker(connack=None) as broker, pytest.raises(UplinkError, match="was closed; check the network"):
        uplink_to(broker).connect(DEADLINE_S)
    assert broker.versions == [5, 4]


def test_a_command_is_answered_and_a_retained_one_is_not() -> None:
    asked: list[bytes] = []
    woken: list[bool] = []

    def answer(payload: bytes) -> Mapping[str, Any]:
        asked.append(payload)
        return {"ok": True}

    sends = [publish(COMMAND, b"old", retained=True), publish(COMMAND, b"new")]
    with Broker(sends=sends) as broker:
        uplink = uplink_to(broker, answer=answer, wake=lambda: woken.append(True))
        uplink.connect(DEADLINE_S)
        wait_until(lambda: woken)
        uplink.answer_commands()
        uplink.answer_commands()
        uplink.close()
    assert (asked, woken) == ([b"new"], [True])
    assert ("judder/v1/plant/gateway/reply", b'{"ok": true}') in broker.published


def test_without_leave_to_listen_alerts_are_sent_all_the_same(
    messages: list[Message], caplog: pytest.LogCaptureFixture
) -> None:
    with Broker(suback=NOT_AUTHORIZED) as broker:
        uplink = uplink_to(broker, answer=lambda payload: {})
        uplink.connect(DEADLINE_S)
        assert len(uplink.publish(messages, DEADLINE_S).confirmed) == 20
        uplink.close()
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert f"the broker refuses the subscription to {COMMAND}: not authorized" in warning
    assert warning.endswith("; no commands are taken")
