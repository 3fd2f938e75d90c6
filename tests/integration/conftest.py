"""A real mosquitto on a port of its own, and a subscriber that keeps what it hears."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from jsonschema import Draft202012Validator
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.control.socket import request
from agent.errors import ControlError
from tests.waiting import DEADLINE_S, wait_until

DOCS = Path(__file__).parents[2] / "docs" / "uplink"


def free_port() -> int:
    """Return a TCP port of this machine that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Broker:
    """A mosquitto on 127.0.0.1 that can be killed and started again on the same port."""

    folder: Path
    options: tuple[str, ...]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        configuration = self.folder / "mosquitto.conf"
        # Sessions of subscribers outlive the broker; messages to them are not limited.
        lines = [
            f"listener {self.port} 127.0.0.1",
            "user root",
            "persistence true",
            f"persistence_location {self.folder}/",
            "autosave_on_changes true",
            "autosave_interval 1",
            "max_inflight_messages 0",
            "max_queued_messages 0",
            *self.options,
        ]
        configuration.write_text("\n".join(lines) + "\n")
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen(
                [mosquitto(), "-c", str(configuration)], stdout=log, stderr=subprocess.STDOUT
            )
        wait_until(self._listens, "mosquitto does not start; see mosquitto.log")
        return self

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def save(self) -> None:
        """Have it write its sessions to the disk: one that is not there after a kill hears nothing."""
        assert self.process is not None
        database = self.folder / "mosquitto.db"
        database.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        wait_until(database.exists, "mosquitto does not save its sessions")

    def freeze(self) -> None:
        """Have it neither read nor answer any more."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def mosquitto() -> str:
    """Return the broker's executable; skip the test without one."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
    return found


class Subscriber:
    """Hears everything under ``judder/`` and keeps it, in a session that outlives connections and brokers."""

    def __init__(self, port: int, client_id: str = "subscriber") -> None:
        self.messages: list[MQTTMessage] = []
        self.subscribed = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self.subscribed.wait(DEADLINE_S)

    def _on_connect(
        self,
        client: Client,
        _data: object,
        _flags: ConnectFlags,
        _reason: ReasonCode,
        _more: Properties | None,
    ) -> None:
        client.subscribe("judder/#", qos=1)

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, _reasons: list[ReasonCode], _more: Properties | None
    ) -> None:
        self.subscribed.set()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.messages.append(message)

    def payloads(self, kind: str) -> list[dict[str, Any]]:
        """Return what came on the topics of a kind, in order, the second and later copies left out."""
        found = [json.loads(m.payload) for m in list(self.messages) if m.topic.endswith(f"/{kind}")]
        if kind == "status":
            return found
        unique: dict[str, dict[str, Any]] = {}
        for payload in found:
            unique.setdefault(payload["message_id"], payload)
        return list(unique.values())

    def ids(self, kind: str = "alert") -> list[str]:
        """Return the message ids of a kind, in order, without copies."""
        return [payload["message_id"] for payload in self.payloads(kind)]

    def assert_valid(self) -> None:
        """Check everything that came against the published schemas."""
        for message in list(self.messages):
            kind = message.topic.rpartition("/")[2]
            schema = json.loads((DOCS / f"{kind}.schema.json").read_text())
            Draft202012Validator(schema).validate(json.loads(message.payload))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def start_broker(tmp_path: Path) -> Iterator[Callable[..., Broker]]:
    """Yield what starts a broker with lines of configuration of the test's own, and ends it with the test."""
    with ExitStack() as running:

        def start(*options: str) -> Broker:
            return running.enter_context(Broker(tmp_path, options)).start()

        yield start


@pytest.fixture
def broker(start_broker: Callable[..., Broker]) -> Broker:
    """Return a running broker that lets everybody in."""
    return start_broker("allow_anonymous true")


@pytest.fixture
def subscriber(broker: Broker) -> Iterator[Subscriber]:
    """Yield a subscriber at the broker, whom the broker remembers even when it is killed."""
    with Subscriber(broker.port) as listening:
        broker.save()
        yield listening


@pytest.fixture
def retained_status(broker: Broker) -> Callable[[], str]:
    """Return what asks, as a newcomer, for the gateway's status."""

    def ask() -> str:
        with Subscriber(broker.port, f"newcomer-{secrets.token_hex(4)}") as newcomer:
            wait_until(lambda: bool(newcomer.messages))
            assert newcomer.messages[0].retain
            return str(newcomer.payloads("status")[0]["status"])

    return ask


CONFIG = """
state_dir = "."
runtime_dir = "."
[gateway]
site = "plant-1"
name = "gw-3"
[sensors.press]
bus = "sim:press"
rate_hz = 800
bundle = "easy-1.judder"
[sensors.press.signal]
kind = "rotor"
severity_g = 6.0
fault_at_s = 1.0
growth_s = 0.0
harmonics_g = [[1.4142, 1.4142, 1.4142]]
load_variation = 0.0
[telemetry]
score_interval_s = 0.5
health_interval_s = 0.5
[uplink]
host = "127.0.0.1"
port = {port}
reconnect_s = 0.3
"""


class Gateway:
    """A folder with a configuration, and the daemon that runs on it."""

    def __init__(self, folder: Path, port: int, extra: str = "") -> None:
        self.folder = folder
        self.config = folder / "judder.toml"
        self.config.write_text(CONFIG.format(port=port) + extra, encoding="ascii")
        self.process: subprocess.Popen[str] | None = None

    def start(self, **environment: str) -> None:
        """Start the daemon; returns when it answers."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agent.cli", "run", "--config", str(self.config)],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )
        wait_until(self._answers, "the daemon does not answer")

    def _answers(self) -> bool:
        try:
            return bool(self.status())
        except ControlError:
            return False

    def status(self) -> dict[str, Any]:
        """Ask the daemon itself, which is faster than by the command."""
        answer: Any = request(self.folder / "control.sock", "status")
        return dict(answer)

    def judder(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "agent.cli", *arguments, "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.judder(*arguments, "--json").stdout)

    def alerts(self) -> list[dict[str, Any]]:
        return list(self.json("alerts"))

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal; return the exit code and what the daemon had logged."""
        assert self.process is not None
        self.process.send_signal(number)
        _, log = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, log


@pytest.fixture
def new_gateway(tmp_path: Path, make_bundle: Callable[..., Path]) -> Iterator[Callable[..., Gateway]]:
    """Yield what makes a gateway with further lines of configuration, and kills it with the test."""
    gateways: list[Gateway] = []

    def make(port: int, extra: str = "") -> Gateway:
        make_bundle()
        gateways.append(Gateway(tmp_path, port, extra))
        return gateways[-1]

    yield make
    for gateway in gateways:
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.process.kill()
            gateway.process.communicate()


@pytest.fixture
def start_gateway(new_gateway: Callable[..., Gateway]) -> Callable[..., Gateway]:
    """Return what makes a gateway and starts it."""

    def start(port: int, extra: str = "") -> Gateway:
        gateway = new_gateway(port, extra)
        gateway.start()
        return gateway

    return start


@pytest.fixture
def free_tcp_port() -> int:
    """Return a port that nobody uses at the moment."""
    return free_port()
