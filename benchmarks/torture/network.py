"""The way between gateway and subscriber: a real mosquitto, and a proxy before it that cuts connections."""

from __future__ import annotations

import json
import shutil
import socket
import struct
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

DEADLINE_S = 20.0
RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: the connection ends with RST, in mid-packet


def free_port() -> int:
    """Return a TCP port of this machine that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """A mosquitto that knows ``gateway`` and ``reader``, both with the password ``right``."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        passwords = folder / "passwords"
        passwords.touch(mode=0o600)
        for user in ("gateway", "reader"):
            subprocess.run([_found("mosquitto_passwd"), "-b", passwords, user, "right"], check=True)
        self._configuration = folder / "mosquitto.conf"
        self._configuration.write_text(
            f"listener {self.port} 127.0.0.1\nuser root\nallow_anonymous false\npassword_file {passwords}\n"
            "max_queued_messages 0\nlog_type error\n",
            encoding="ascii",
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return when it listens."""
        command = [_found("mosquitto"), "-c", str(self._configuration)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + DEADLINE_S
        while not self._listens():
            if time.monotonic() > deadline:
                raise TimeoutError("mosquitto does not start")
            time.sleep(0.005)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _found(command: str) -> str:
    path = shutil.which(command) or shutil.which(command, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise FileNotFoundError(f"{command} is not installed (apt-get install mosquitto)")
    return path


class Subscriber:
    """Keeps what the broker hands out, in order, over several lives of the broker.

    It subscribes with QoS 0: so the broker keeps nothing for it that SIGKILL could take, and a message is in
    the kernel's hands before the gateway hears that the broker has it.
    """

    def __init__(self, port: int) -> None:
        self.alerts: list[tuple[str, str]] = []
        """Event id and sensor."""
        self.scores = 0
        self._port = port
        self._gone = threading.Event()
        self._client: Client | None = None

    def connect(self) -> None:
        """Subscribe anew, when all of an earlier connection has been read."""
        if self._client is not None:
            self._gone.wait(DEADLINE_S)
            self._client.loop_stop()
        subscribed = threading.Event()
        self._gone.clear()
        client = Client(CallbackAPIVersion.VERSION2, client_id="reader", reconnect_on_failure=False)
        client.username_pw_set("reader", "right")
        client.on_connect = lambda client, *_: client.subscribe("judder/#", qos=0)
        client.on_subscribe = lambda *_: subscribed.set()
        client.on_disconnect = lambda *_: self._gone.set()
        client.on_message = lambda _client, _data, message: self._take(message)
        client.connect("127.0.0.1", self._port)
        client.loop_start()
        if not subscribed.wait(DEADLINE_S):
            raise TimeoutError("the broker does not take the subscription")
        self._client = client

    def close(self) -> None:
        """Go away."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()

    def _take(self, message: MQTTMessage) -> None:
        kind = message.topic.rpartition("/")[2]
        if kind == "alert":
            payload = json.loads(message.payload)
            self.alerts.append((payload["message_id"], payload["sensor"]))
        self.scores += kind == "score"


class Proxy:
    """Passes connections on to the broker, and cuts them on command, after so many more bytes."""

    def __init__(self, behind: int) -> None:
        self.open = True
        """False: who connects is turned away."""
        self.cuts = 0
        self._behind = behind
        self._lock = threading.Lock()
        self._left: dict[str, int | None] = {"up": None, "down": None}
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def cut_after(self, way: str, size: int) -> None:
        """Cut the connection after so many bytes towards the broker (``up``) or the gateway (``down``)."""
        with self._lock:
            self._left[way] = size

    def cut(self) -> None:
        """Cut all connections now."""
        with self._lock:
            self._left = {"up": None, "down": None}
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            self.cuts += 1
            _reset(*pair)

    def close(self) -> None:
        """Cut all connections and take no more."""
        self.open = False
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(("127.0.0.1", self._behind)) if self.open else None
            except OSError:
                broker = None
            if broker is None:
                client.close()
                continue
            with self._lock:
                self._pairs.append((client, broker))
            for way, source, target in (("up", client, broker), ("down", broker, client)):
                threading.Thread(target=self._pump, args=(way, source, target), daemon=True).start()

    def _pump(self, way: str, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                passed = self._passed(way, chunk)
                target.sendall(passed)
                if len(passed) < len(chunk):
                    self.cut()
                    return
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _passed(self, way: str, chunk: bytes) -> bytes:
        with self._lock:
            left = self._left[way]
            if left is None:
                return chunk
            self._left[way] = max(left - len(chunk), 0)
            return chunk[:left]


def _reset(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.shutdown(socket.SHUT_RDWR)
        end.close()
