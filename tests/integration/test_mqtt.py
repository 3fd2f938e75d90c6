"""The uplink against a real broker: delivery, presence, failures on both sides, refusals, TLS."""

from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from agent.config.names import GatewayName
from agent.config.uplink import BrokerSettings, TlsSettings
from agent.control.commands import Commands, Handler, Json
from agent.errors import ControlError, UplinkError
from agent.inference.explanation import AxisStatistics, Contribution
from agent.inference.scoring import Level
from agent.judging.alert import AlertEvent, Change
from agent.judging.summary import ScoreSummary
from agent.storage.alerts import AlertStore
from agent.storage.message import Kind, Message
from agent.system.backoff import Backoff
from agent.system.uuid7 import uuid7
from agent.system.watchdog import Watchdog, sd_notify
from agent.uplink.figures import ON_WIRE
from agent.uplink.forwarder import Forwarder
from agent.uplink.home_assistant import discovery
from agent.uplink.json_dialect import JsonDialect
from agent.uplink.messages import alert_message, health_message, score_message
from agent.uplink.mqtt import MqttUplink
from firmware_bridge.clock import SystemClock
from tests.owned_process import owned
from tests.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from tests.integration.conftest import Broker, Subscriber

GATEWAY = GatewayName("plant", "gateway")
DOCS = Path(__file__).parents[2] / "docs" / "uplink"
SCRIPT = Path(__file__).with_name("raise_alerts.py")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings(port: int) -> BrokerSettings:
    return BrokerSettings(host="127.0.0.1", port=port, client_id="gateway")


def uplink_to(broker: BrokerSettings, *, simulated: bool = False) -> MqttUplink:
    clock = SystemClock()
    return MqttUplink(broker, JsonDialect(GATEWAY, clock, version="0.1.0", simulated=simulated), clock)


def is_connected(uplink: MqttUplink) -> bool:
    try:
        uplink.check()
    except UplinkError:
        return False
    return True


def alert_event() -> AlertEvent:
    now = datetime.now(UTC)
    return AlertEvent(
        event_id=str(uuid7(now)),
        alert_id=str(uuid7(now)),
        sensor="motor",
        change=Change.RAISED,
        level=Level.WARNING,
        at=now,
        score=4.25,
        threshold=3.5,
        part="spectrum",
        statistics=(AxisStatistics("x", 0.5, 1.5, 3.0, 2.9),),
        contributions=(Contribution("x 118-143 Hz", 0.75),),
        model="pump-1.0.0",
        simulated=False,
    )


def alert() -> Message:
    return alert_message(alert_event(), GATEWAY)


def score() -> Message:
    now = datetime.now(UTC)
    summary = ScoreSummary("motor", now - timedelta(minutes=1), now, 60, 2.5, 0.1, Level.NORMAL, False)
    return score_message(summary, GATEWAY)


def health() -> Message:
    counts = dict.fromkeys((name for name, figure in ON_WIRE.items() if figure.wire is int), 0)
    figures = {**counts, "sensor_state": "sampling", "rate_hz": 800.0, "simulated": False}
    return health_message("motor", datetime.now(UTC), figures, GATEWAY)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AlertStore]:
    with AlertStore(tmp_path / "judder.db") as opened:
        yield opened


@contextmanager
def forwarding(store: AlertStore, broker: BrokerSettings) -> Iterator[Forwarder]:
    """Run a forwarder with short waits."""
    clock = SystemClock()
    backoff = Backoff("gateway", first_s=0.05, longest_s=0.2)
    forwarder = Forwarder(store.outbox, uplink_to(broker), clock, Watchdog(sd_notify, clock), backoff)
    forwarder.start()
    try:
        yield forwarder
    finally:
        assert forwarder.stop()


def test_every_kind_arrives_once_confirmed(broker: Broker, subscriber: Subscriber) -> None:
    sent = [alert(), score(), health()]
    uplink = uplink_to(settings(broker.port))
    uplink.connect(DEADLINE_S)
    delivery = uplink.publish(sent, DEADLINE_S)
    assert (delivery.confirmed, delivery.refused, delivery.lost) == (tuple(sent), (), False)
    assert delivery.puback_s > 0
    assert delivery.sent_at <= delivery.answered_at
    uplink.close()
    wait_until(lambda: len(subscriber.messages) == 5)
    assert [message.qos for message in subscriber.messages] == [1] * 5
    assert [(message.topic, message.payload) for message in subscriber.messages[1:4]] == [
        (message.topic, message.payload) for message in sent
    ]
    subscriber.assert_valid()


def test_the_outbox_is_emptied_in_order(broker: Broker, subscriber: Subscriber, store: AlertStore) -> None:
    scores = [score() for _ in range(100)]
    for message in scores:
        store.outbox.put(message)
    event = alert_event()
    store.record(event, alert_message(event, GATEWAY))
    with forwarding(store, settings(broker.port)) as forwarder:
        wait_until(lambda: store.outbox.depth() == 0)
        assert forwarder.status.published == 101
    wait_until(lambda: len(subscriber.payloads("score")) == 100)
    assert subscriber.ids("alert") == [event.event_id]
    assert subscriber.ids("score") == [message.message_id for message in scores]
    kinds = [message.topic.rpartition("/")[2] for message in subscriber.messages]
    assert kinds == ["status", "alert", *["score"] * 100, "status"]
    assert store.alerts()[0].delivered


def test_the_status_is_retained(broker: Broker, retained_status: Callable[[], str]) -> None:
    uplink = uplink_to(settings(broker.port), simulated=True)
    uplink.connect(DEADLINE_S)
    assert retained_status() == "online"
    uplink.close()
    assert retained_status() == "stopped"
    uplink.connect(DEADLINE_S)
    assert retained_status() == "online"
    uplink.close()
    uplink.close()


def test_the_broker_tells_when_a_gateway_is_killed(
    broker: Broker, subscriber: Subscriber, retained_status: Callable[[], str], tmp_path: Path
) -> None:
    with gateway_process(tmp_path / "judder.db", broker, count=1) as gateway:
        wait_until(lambda: len(subscriber.payloads("alert")) == 1)
        gateway.kill()
    wait_until(lambda: len(subscriber.payloads("status")) == 2)
    online, offline = subscriber.payloads("status")
    assert (online["status"], offline["status"]) == ("online", "offline")
    assert offline["at"] <= online["at"]
    assert retained_status() == "offline"
    subscriber.assert_valid()


def test_a_broker_that_is_killed_and_comes_back(
    broker: Broker, subscriber: Subscriber, store: AlertStore
) -> None:
    sent: list[str] = []
    with forwarding(store, settings(broker.port)) as forwarder:
        for _ in range(2):
            for _ in range(50):
                event = alert_event()
                store.record(event, alert_message(event, GATEWAY))
                sent.append(event.event_id)
            # What it has confirmed and not passed on would be lost with it.
            wait_until(lambda: len(subscriber.payloads("alert")) == len(sent))
            broker.freeze()
            for _ in range(20):
                event = alert_event()
                store.record(event, alert_message(event, GATEWAY))
                sent.append(event.event_id)
            broker.kill()
            wait_until(lambda: not forwarder.status.connected)
            broker.start()
        wait_until(lambda: store.outbox.depth() == 0)
        assert forwarder.status.reconnects == 2
        assert forwarder.status.last_error is not None
    wait_until(lambda: len(subscriber.payloads("alert")) == len(sent), "an alert is lost")
    assert subscriber.ids("alert") == sent
    assert all(record.delivered for record in store.alerts(limit=1000))
    subscriber.assert_valid()


@contextmanager
def gateway_process(database: Path, broker: Broker, count: int) -> Iterator[subprocess.Popen[str]]:
    """Run ``raise_alerts.py``; kill it at the end."""
    command = [sys.executable, str(SCRIPT), str(database), str(broker.port), str(count)]
    with owned(command, stdout=subprocess.PIPE, text=True) as process:
        yield process


def test_a_gateway_that_is_killed_again_and_again_loses_nothing(
    broker: Broker, subscriber: Subscriber, tmp_path: Path
) -> None:
    moments = random.Random(7)
    database = tmp_path / "judder.db"
    stored: list[str] = []
    for _ in range(6):
        with gateway_process(database, broker, count=1000) as gateway:
            assert gateway.stdout is not None
            for _ in range(moments.randint(1, 60)):
                stored.append(gateway.stdout.readline().strip())
            time.sleep(moments.uniform(0, 0.02))
            gateway.kill()
            stored += gateway.stdout.read().split()
    with gateway_process(database, broker, count=0) as gateway:
        assert gateway.stdout is not None
        assert gateway.stdout.readline().strip() == "sent"
    with AlertStore.read_only(database) as store:
        records = store.alerts(limit=10_000)
    in_store = [record.last_event.event_id for record in reversed(records)]
    assert set(stored) <= set(in_store)
    assert all(record.delivered for record in records)
    wait_until(lambda: len(subscriber.payloads("alert")) == len(in_store), "an alert is lost")
    assert sorted(subscriber.ids("alert")) == sorted(in_store)
    assert [event_id for event_id in subscriber.ids("alert") if event_id in set(stored)] == stored
    subscriber.assert_valid()


def test_a_broker_that_refuses_the_connection() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, but it does not listen
        port = reserved.getsockname()[1]
        with pytest.raises(
            UplinkError, match=rf"^127\.0\.0\.1:{port}: connection refused; check that the broker runs"
        ):
            uplink_to(settings(port)).connect(DEADLINE_S)


def test_a_broker_whose_name_is_unknown() -> None:
    with pytest.raises(UplinkError, match=r"^broker\.invalid:1883: name not found; check host"):
        uplink_to(BrokerSettings(host="broker.invalid")).connect(DEADLINE_S)


def test_a_broker_that_does_not_answer() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uplink = uplink_to(settings(silent.getsockname()[1]))
        with pytest.raises(UplinkError, match=r"no answer within 0\.2 s"):
            uplink.connect(0.2)
        assert not is_connected(uplink)


def test_publishing_without_a_connection() -> None:
    uplink = uplink_to(settings(1))
    uplink.close()
    assert not is_connected(uplink)
    delivery = uplink.publish([alert()], DEADLINE_S)
    assert delivery.lost
    assert "not connected" in str(delivery.error)


def test_a_connection_that_breaks_while_a_message_waits_for_its_confirmation(broker: Broker) -> None:
    uplink = uplink_to(settings(broker.port))
    uplink.connect(DEADLINE_S)
    broker.kill()
    messages = [alert(), alert()]
    delivery = uplink.publish(messages, DEADLINE_S)
    assert (delivery.confirmed, delivery.unanswered, delivery.lost) == ((), tuple(messages), True)
    assert "the connection was closed" in str(delivery.error)
    assert not is_connected(uplink)
    uplink.close()


@pytest.fixture
def guarded_broker(start_broker: Callable[..., Broker], tmp_path: Path) -> Broker:
    """Return a broker that lets in ``gateway`` with the password ``right``, to tell alerts and status."""
    passwords, rules = tmp_path / "passwords", tmp_path / "rules"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "gateway", "right"], check=True)
    rules.write_text(
        "user gateway\n"
        "topic write judder/v1/plant/gateway/motor/alert\n"
        "topic write judder/v1/plant/gateway/status\n"
    )
    return start_broker("allow_anonymous false", f"password_file {passwords}", f"acl_file {rules}")


def with_password(broker: Broker, tmp_path: Path, password: str) -> BrokerSettings:
    file = tmp_path / "password"
    file.write_text(f"{password}\n")
    return replace(settings(broker.port), username="gateway", password_file=file)


def test_the_right_password(guarded_broker: Broker, tmp_path: Path) -> None:
    uplink = uplink_to(with_password(guarded_broker, tmp_path, "right"))
    uplink.connect(DEADLINE_S)
    assert len(uplink.publish([alert()], DEADLINE_S).confirmed) == 1
    uplink.close()


def test_the_right_password_from_a_systemd_credential(
    guarded_broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_credential = replace(
        settings(guarded_broker.port), username="gateway", password_credential="broker-password"
    )
    with pytest.raises(UplinkError, match=r"'broker-password': systemd passed no credentials; start judder"):
        uplink_to(by_credential).connect(DEADLINE_S)
    (tmp_path / "broker-password").write_text("right\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    uplink = uplink_to(by_credential)
    uplink.connect(DEADLINE_S)
    uplink.close()
    (tmp_path / "broker-password").unlink()
    with pytest.raises(UplinkError, match=r"credential 'broker-password' .*No such file.*LoadCredential="):
        uplink_to(by_credential).connect(DEADLINE_S)


def test_the_wrong_password(guarded_broker: Broker, tmp_path: Path) -> None:
    uplink = uplink_to(with_password(guarded_broker, tmp_path, "wrong"))
    expected = r"refuses the connection: (not authorized|bad user name or password); check username and pass"
    with pytest.raises(UplinkError, match=expected) as caught:
        uplink.connect(DEADLINE_S)
    assert "wrong" not in str(caught.value)
    assert not is_connected(uplink)


def test_a_password_file_that_cannot_be_read(broker: Broker, tmp_path: Path) -> None:
    broken = replace(settings(broker.port), username="gateway", password_file=tmp_path / "absent")
    with pytest.raises(UplinkError, match=r"password file .*/absent: No such file or directory; check"):
        uplink_to(broken).connect(DEADLINE_S)


def test_a_topic_that_the_broker_does_not_allow(guarded_broker: Broker, tmp_path: Path) -> None:
    uplink = uplink_to(with_password(guarded_broker, tmp_path, "right"))
    uplink.connect(DEADLINE_S)
    allowed, forbidden = alert(), score()
    delivery = uplink.publish([allowed, forbidden], DEADLINE_S)
    assert (delivery.confirmed, delivery.refused) == ((allowed,), (forbidden,))
    assert "refuses a message to judder/v1/plant/gateway/motor/score: not authorized" in str(delivery.error)
    uplink.close()


def test_alerts_get_through_though_the_broker_refuses_the_scores_and_hangs_up_each_time(
    guarded_broker: Broker, tmp_path: Path, store: AlertStore
) -> None:
    for _ in range(3):
        store.outbox.put(score())
        event = alert_event()
        store.record(event, alert_message(event, GATEWAY))
    with forwarding(store, with_password(guarded_broker, tmp_path, "right")) as forwarder:
        wait_until(lambda: store.outbox.depth() == store.outbox.totals()[Kind.SCORE].aside == 3)
        event = alert_event()
        store.record(event, alert_message(event, GATEWAY))
        wait_until(lambda: all(record.delivered for record in store.alerts()))
        assert forwarder.status.refused == 3


def test_two_gateways_with_one_client_id(broker: Broker) -> None:
    first, second = uplink_to(settings(broker.port)), uplink_to(settings(broker.port))
    first.connect(DEADLINE_S)
    second.connect(DEADLINE_S)
    wait_until(lambda: not is_connected(first))
    with pytest.raises(UplinkError, match=r"the connection was closed; .* the same client_id"):
        first.check()
    assert first.publish([alert()], DEADLINE_S).lost
    second.close()


# Packets of MQTT 5: sections 3.2, 3.4 and 3.14.
CONNACK, PUBACK_1, TAKEN_OVER = bytes([0x20, 3, 0, 0, 0]), bytes([0x40, 2, 0, 1]), bytes([0xE0, 2, 0x8E, 0])


@contextmanager
def answering(*packets: bytes) -> Iterator[int]:
    """Yield the port of a peer that answers what comes with one packet after the other, then with silence."""

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            for packet in packets:
                client.recv(65536)
                client.sendall(packet)
            while client.recv(65536):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def test_a_broker_that_says_why_it_ends_the_connection() -> None:
    with answering(CONNACK, TAKEN_OVER) as port:
        uplink = uplink_to(settings(port))
        with pytest.raises(UplinkError, match="session taken over; another client has the same client_id"):
            uplink.connect(DEADLINE_S)


def test_a_broker_that_falls_silent() -> None:
    with answering(CONNACK, PUBACK_1) as port:
        uplink = uplink_to(settings(port))
        uplink.connect(DEADLINE_S)
        delivery = uplink.publish([alert()], 0.2)
        assert delivery.lost
        assert "no answer within 0.2 s" in str(delivery.error)
        assert not is_connected(uplink)


REFUSALS = {
    "as 3.1.1 does": bytes([0x20, 2, 0, 0x01]),  # CONNACK, unacceptable protocol version (3.2.2.3)
    "as 5 does": bytes([0x20, 3, 0, 0x84, 0]),  # CONNACK, unsupported protocol version (3.2.2.2)
    "by hanging up": b"",
}


class OldBroker:
    """A door before a real broker that refuses MQTT 5, in one of the ways that old brokers have.

    It does not read beyond the first packet's protocol level: the rest is passed on as it comes.
    """

    def __init__(self, behind: int, refusal: bytes) -> None:
        self.levels: list[int] = []
        self._behind = behind
        self._refusal = refusal
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                first = client.recv(65536)
                level = first[first.index(b"MQTT") + 4]
                self.levels.append(level)
                if level == 5:
                    client.sendall(self._refusal)
                else:
                    self._pass_on(client, first)

    def _pass_on(self, client: socket.socket, first: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self._behind)) as broker:
            broker.sendall(first)
            back = threading.Thread(target=copy, args=(broker, client))
            back.start()
            copy(client, broker)
            back.join()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(DEADLINE_S)


def copy(source: socket.socket, target: socket.socket) -> None:
    """Pass bytes on until the source ends."""
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_broker_that_does_not_know_version_5(broker: Broker, subscriber: Subscriber, refusal: str) -> None:
    old = OldBroker(broker.port, REFUSALS[refusal])
    try:
        uplink = uplink_to(settings(old.port))
        for _ in range(2):
            uplink.connect(DEADLINE_S)
            uplink.publish([alert()], DEADLINE_S)
            uplink.close()
    finally:
        old.close()
    assert old.levels == [5, 4, 4]
    wait_until(lambda: len(subscriber.payloads("alert")) == 2)
    subscriber.assert_valid()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an authority, a broker's certificate for 127.0.0.1, a gateway's, and a stranger's authority."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (apt-get install openssl)")
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("ca", "stranger"):
        openssl(folder, f"req -x509 {NEW_KEY} -keyout {name}.key -out {name}.pem -subj /CN={name}")
    openssl(folder, "ec -in ca.key -aes128 -passout pass:secret -out locked.key")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("broker", "gateway"):
        openssl(folder, f"req {NEW_KEY} -keyout {name}.key -out {name}.csr -subj /CN={name}")
        signing = "-CA ca.pem -CAkey ca.key -CAcreateserial -extfile names"
        openssl(folder, f"x509 -req -in {name}.csr {signing} -out {name}.pem")
    openssl(folder, f"x509 -req -in broker.csr {signing} -days -1 -out expired.pem")
    openssl(folder, f"x509 -req -in gateway.csr {signing} -days -1 -out outdated.pem")
    openssl(folder, "x509 -req -in gateway.csr -CA stranger.pem -CAkey stranger.key -out unknown.pem")
    return folder


NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"


def openssl(folder: Path, arguments: str) -> None:
    subprocess.run(["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def tls_broker(start_broker: Callable[..., Broker], certificates: Path) -> Broker:
    """Return a broker that speaks TLS and wants a certificate of its clients."""
    return start_broker(
        "allow_anonymous true",
        f"cafile {certificates}/ca.pem",
        f"certfile {certificates}/broker.pem",
        f"keyfile {certificates}/broker.key",
        "require_certificate true",
    )


def with_tls(
    broker: Broker, certificates: Path, ca: str = "ca", own: str | None = "gateway"
) -> BrokerSettings:
    tls = TlsSettings(
        ca_file=certificates / f"{ca}.pem",
        cert_file=certificates / f"{own}.pem" if own else None,
        key_file=certificates / f"{own}.key" if own else None,
    )
    return replace(settings(broker.port), tls=tls)


def test_tls_with_certificates_of_both(tls_broker: Broker, certificates: Path) -> None:
    uplink = uplink_to(with_tls(tls_broker, certificates))
    uplink.connect(DEADLINE_S)
    assert len(uplink.publish([alert()], DEADLINE_S).confirmed) == 1
    uplink.close()


def test_a_broker_with_an_expired_certificate(
    start_broker: Callable[..., Broker], certificates: Path
) -> None:
    broker = start_broker(
        "allow_anonymous true", f"certfile {certificates}/expired.pem", f"keyfile {certificates}/broker.key"
    )
    with pytest.raises(UplinkError, match=r"its certificate has expired; renew it, or check the clock"):
        uplink_to(with_tls(broker, certificates)).connect(DEADLINE_S)


def test_a_broker_that_is_not_trusted(tls_broker: Broker, certificates: Path) -> None:
    with pytest.raises(UplinkError, match=r"its certificate is not trusted \(.*\); check ca_file"):
        uplink_to(with_tls(tls_broker, certificates, ca="stranger")).connect(DEADLINE_S)


def test_a_broker_under_another_name(tls_broker: Broker, certificates: Path) -> None:
    other = replace(with_tls(tls_broker, certificates), host="localhost")
    with pytest.raises(UplinkError, match=r"^localhost:\d+: its certificate is not trusted .*host"):
        uplink_to(other).connect(DEADLINE_S)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (None, r"the broker wants a certificate of this gateway; set cert_file and key_file"),
        ("outdated", r"the broker refuses this gateway's certificate: it has expired; renew cert_file"),
        ("unknown", r"refuses this gateway's certificate: it does not know who signed it; check cert_file"),
    ],
)
def test_a_gateway_whose_certificate_the_broker_does_not_take(
    tls_broker: Broker, certificates: Path, own: str | None, expected: str
) -> None:
    tls = TlsSettings(
        ca_file=certificates / "ca.pem",
        cert_file=certificates / f"{own}.pem" if own else None,
        key_file=certificates / "gateway.key" if own else None,
    )
    uplink = uplink_to(replace(settings(tls_broker.port), tls=tls))
    for _ in range(3):  # each time, and not only when the broker is slow to hang up
        with pytest.raises(UplinkError, match=expected):
            uplink.connect(DEADLINE_S)


def test_tls_where_there_is_none(broker: Broker, certificates: Path) -> None:
    with pytest.raises(UplinkError, match=r"a port for TLS|broker's port for TLS"):
        uplink_to(with_tls(broker, certificates)).connect(DEADLINE_S)


def test_no_tls_where_the_broker_wants_it(tls_broker: Broker) -> None:
    with pytest.raises(UplinkError, match="whether the port wants TLS"):
        uplink_to(settings(tls_broker.port)).connect(DEADLINE_S)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"ca_file": "absent.pem"}, r"absent\.pem: No such file or directory; check ca_file"),
        ({"ca_file": "ca.key"}, r"ca\.key: .*; check ca_file"),
        ({"cert_file": "absent.pem"}, r"absent\.pem: No such file or directory; check cert_file"),
        (
            {"cert_file": "gateway.pem", "key_file": "absent.key"},
            r"absent\.key: No such file or directory; check key_file in \[uplink\.tls\], and that the",
        ),
        ({"cert_file": "gateway.pem", "key_file": "locked.key"}, r"locked\.key: .*without a password"),
        (
            {"cert_file": "gateway.pem", "key_file": "broker.key"},
            r"broker\.key: key values mismatch; they must be PEM",
        ),
    ],
)
def test_tls_files_that_cannot_be_used(
    broker: Broker, certificates: Path, files: dict[str, str], expected: str
) -> None:
    tls = TlsSettings(
        **{"ca_file": certificates / "ca.pem"} | {k: certificates / f for k, f in files.items()}
    )
    with pytest.raises(UplinkError, match=expected):
        uplink_to(replace(settings(broker.port), tls=tls)).connect(DEADLINE_S)


@pytest.fixture
def websocket_broker(start_broker: Callable[..., Broker]) -> Broker:
    # Mosquitto 2.0.11 does not start without a listener for TCP.
    return start_broker("protocol websockets", "allow_anonymous true", f"listener {free_port()} 127.0.0.1")


def test_websockets(websocket_broker: Broker, store: AlertStore) -> None:
    over_http = replace(settings(websocket_broker.port), transport="websockets")
    events = [alert_event() for _ in range(40)]
    for event in events:
        store.record(event, alert_message(event, GATEWAY))
    with forwarding(store, over_http) as forwarder:
        wait_until(lambda: store.outbox.depth() == 0)
        websocket_broker.kill()
        wait_until(lambda: not forwarder.status.connected)
        websocket_broker.start()
        wait_until(lambda: forwarder.status.connected)
    assert all(record.delivered for record in store.alerts())


def test_more_messages_than_may_be_in_flight(broker: Broker, subscriber: Subscriber) -> None:
    uplink = uplink_to(replace(settings(broker.port), inflight=3))
    uplink.connect(DEADLINE_S)
    sent = [alert() for _ in range(20)]
    assert uplink.publish(sent, DEADLINE_S).confirmed == tuple(sent)
    uplink.close()
    wait_until(lambda: len(subscriber.ids("alert")) == 20)
    assert subscriber.ids("alert") == [message.message_id for message in sent]


def test_no_more_are_on_their_way_than_the_broker_takes(start_broker: Callable[..., Broker]) -> None:
    # Its CONNACK says Receive Maximum 2; a client that sends more is cut off (MQTT 5.0, section 4.9).
    broker = start_broker("allow_anonymous true", "max_inflight_messages 2")
    uplink = uplink_to(settings(broker.port))
    uplink.connect(DEADLINE_S)
    sent = [alert() for _ in range(20)]
    delivery = uplink.publish(sent, DEADLINE_S)
    assert (delivery.confirmed, delivery.lost) == (tuple(sent), False)
    uplink.close()


class Operator:
    """An MQTT client that sends commands and keeps the replies."""

    def __init__(self, port: int) -> None:
        self.replies: list[dict[str, Any]] = []
        self.client = Client(CallbackAPIVersion.VERSION2, client_id="operator")
        self.client.on_message = lambda _client, _data, message: self.replies.append(
            json.loads(message.payload)
        )
        self.client.connect("127.0.0.1", port)
        self.client.subscribe("judder/v1/plant/gateway/reply", qos=1)
        self.client.loop_start()

    def ask(self, request: object, *, retain: bool = False) -> dict[str, Any]:
        """Send a command and return the reply, which must be as published."""
        payload = request if isinstance(request, bytes) else json.dumps(request).encode()
        before = len(self.replies)
        self.client.publish("judder/v1/plant/gateway/command", payload, qos=1, retain=retain)
        wait_until(lambda: len(self.replies) > before, "no reply")
        Draft202012Validator(json.loads((DOCS / "reply.schema.json").read_text())).validate(self.replies[-1])
        return self.replies[-1]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def fail(arguments: Mapping[str, Any]) -> Json:
    raise ControlError("no alert 'ffff'")


@pytest.fixture
def commanded(broker: Broker, store: AlertStore) -> Iterator[Forwarder]:
    """Run a forwarder that takes commands."""
    clock = SystemClock()
    handlers: dict[str, Handler] = {"status": lambda arguments: {"version": "0.1.0"}, "acknowledge": fail}
    dialect = JsonDialect(
        GATEWAY, clock, version="0.1.0", simulated=False, answer=Commands("MQTT", handlers).answer
    )
    uplink = MqttUplink(settings(broker.port), dialect, clock, store.outbox.waiting.set)
    forwarder = Forwarder(
        store.outbox, uplink, clock, Watchdog(sd_notify, clock), Backoff("gateway", 0.05, 0.2)
    )
    forwarder.start()
    wait_until(lambda: forwarder.status.connected)
    yield forwarder
    assert forwarder.stop()


@pytest.mark.usefixtures("commanded")
def test_commands_by_mqtt(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    operator = Operator(broker.port)
    answer = operator.ask({"command": "status", "id": "q-1"})
    assert answer == {"ok": True, "result": {"version": "0.1.0"}, "id": "q-1"}
    refused = operator.ask({"command": "acknowledge", "alert_id": "ffff", "id": "q-2"})
    assert refused == {"ok": False, "error": "no alert 'ffff'", "id": "q-2"}
    for nonsense in (b"\xff\x00", b"[]", {"command": "reboot"}, {"command": 7}):
        assert not operator.ask(nonsense)["ok"]
    assert operator.ask({"command": "status"})["ok"]
    assert caplog.text.count("a request is refused, and more may follow") == 1
    operator.close()


def test_a_retained_command_is_not_carried_out_again(
    broker: Broker, store: AlertStore, commanded: Forwarder
) -> None:
    operator = Operator(broker.port)
    assert operator.ask({"command": "status"}, retain=True)["ok"]
    broker_connections = commanded.status.reconnects
    broker.save()
    broker.kill()
    wait_until(lambda: not commanded.status.connected)
    broker.start()
    wait_until(lambda: commanded.status.reconnects > broker_connections)
    operator.close()
    operator = Operator(broker.port)
    assert operator.ask({"command": "status", "id": "fresh"})["id"] == "fresh"
    assert len(operator.replies) == 1
    operator.close()


def test_without_commands_nobody_listens(broker: Broker, store: AlertStore) -> None:
    with forwarding(store, settings(broker.port)) as forwarder:
        wait_until(lambda: forwarder.status.connected)
        operator = Operator(broker.port)
        published = operator.client.publish(
            "judder/v1/plant/gateway/command", b'{"command": "status"}', qos=1
        )
        published.wait_for_publish(DEADLINE_S)
        event = alert_event()
        store.record(event, alert_message(event, GATEWAY))
        wait_until(lambda: store.outbox.depth() == 0)
        assert operator.replies == []
        operator.close()


def test_home_assistant_finds_the_sensors(broker: Broker) -> None:
    told = discovery(GATEWAY, "motor", version="0.1.0")
    dialect = JsonDialect(GATEWAY, SystemClock(), version="0.1.0", simulated=False, announcements=told)
    uplink = MqttUplink(settings(broker.port), dialect, SystemClock())
    uplink.connect(DEADLINE_S)
    found: dict[str, dict[str, Any]] = {}
    newcomer = Client(CallbackAPIVersion.VERSION2, client_id="home-assistant")
    newcomer.on_message = lambda _client, _data, message: found.update(
        {message.topic: json.loads(message.payload)}
    )
    newcomer.connect("127.0.0.1", broker.port)
    newcomer.subscribe("homeassistant/+/+/config", qos=1)
    newcomer.loop_start()
    wait_until(lambda: len(found) == 3)
    newcomer.disconnect()
    newcomer.loop_stop()
    uplink.close()
    problem = found["homeassistant/binary_sensor/judder_plant_gateway_motor_problem/config"]
    assert problem["state_topic"] == "judder/v1/plant/gateway/motor/score"
    assert problem["availability_topic"] == "judder/v1/plant/gateway/status"
    assert len({entity["unique_id"] for entity in found.values()}) == 3
