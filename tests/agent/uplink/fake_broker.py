"""The little of MQTT that a session needs, by hand: what the broker answers is said by the test.

Source of the packets: MQTT 3.1.1 and 5.0, chapters 2 and 3. It serves one connection after the other, and
does not simulate subscriptions, retained messages or a session that outlives its connection.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Thread
from typing import Self

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, DISCONNECT = 1, 2, 3, 4, 8, 9, 14
NOT_AUTHORIZED = 0x87


@dataclass
class Broker:
    """Listens on a port of its own; a context manager.

    Attributes:
        connack: Reason code of CONNACK; None: hang up on CONNECT.
        only_3: Hang up on version 5, as old brokers do.
        receive_maximum: What it says it takes at once (version 5).
        puback: Reason code for a topic; None: hang up instead.
        hold: Messages to topics ``t/...`` that must have come before it answers any.
        suback: Reason code of SUBACK.
        sends: Packets to send after a subscription.
        versions: Protocol versions of the connections, 4 is MQTT 3.1.1.
        published: Topic and payload of what came in, in order.
        most_waiting: Messages that were on their way at once, at most; they are answered when no more comes.
        goodbyes: Connections that ended with a DISCONNECT.
    """

    connack: int | None = 0
    only_3: bool = False
    receive_maximum: int | None = None
    puback: Callable[[str], int | None] = lambda topic: 0
    hold: int = 1
    suback: int = 1
    sends: list[bytes] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    published: list[tuple[str, bytes]] = field(default_factory=list)
    most_waiting: int = 0
    goodbyes: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = Thread(target=self._run, name="broker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._thread.join(10.0)
        self._listener.close()
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self._serve(connection)
                except (ConnectionError, EOFError):
                    continue  # the client hung up

    def _serve(self, connection: socket.socket) -> None:
        waiting: list[tuple[str, bytes]] = []
        version = 0
        while True:
            self._answer(connection, waiting, version)
            kind, flags, body = read_packet(connection)
            if kind == CONNECT:
                version = body[6]
                self.versions.append(version)
                if self.connack is None or (self.only_3 and version == 5):
                    return
                connection.sendall(self._connack(version, self.connack))
                if self.connack:
                    return
            elif kind == SUBSCRIBE:
                properties = b"\0" if version == 5 else b""
                connection.sendall(packet(SUBACK, body[:2] + properties + bytes([self.suback])))
                connection.sendall(b"".join(self.sends))
            elif kind == PUBLISH:
                topic, mid, payload = published(body, flags, version)
                self.published.append((topic, payload))
                if flags & 0x06:
                    waiting.append((topic, mid))
                    self.most_waiting = max(self.most_waiting, len(waiting))
            elif kind == DISCONNECT:
                self.goodbyes += 1
                return

    def _answer(self, connection: socket.socket, waiting: list[tuple[str, bytes]], version: int) -> None:
        """Answer what waits, if enough does and no more comes for a moment."""
        if not waiting or (waiting[-1][0].startswith("t/") and len(waiting) < self.hold):
            return
        if select.select([connection], [], [], 0.02)[0]:
            return
        for topic, mid in waiting:
            code = self.puback(topic)
            if code is None:
                raise EOFError
            connection.sendall(packet(PUBACK, mid + (bytes([code]) if version == 5 else b"")))
        waiting.clear()

    def _connack(self, version: int, code: int) -> bytes:
        if version != 5:
            return packet(CONNACK, bytes([0, code]))
        properties = b"" if self.receive_maximum is None else b"\x21" + self.receive_maximum.to_bytes(2)
        return packet(CONNACK, bytes([0, code, len(properties)]) + properties)


def packet(kind: int, body: bytes, flags: int = 0) -> bytes:
    """Return a packet of at most 127 bytes of body."""
    return bytes([kind << 4 | flags, len(body)]) + body


def publish(topic: str, payload: bytes, *, retained: bool = False) -> bytes:
    """Return a PUBLISH of version 5 with QoS 0."""
    name = topic.encode()
    return packet(PUBLISH, len(name).to_bytes(2) + name + b"\0" + payload, flags=int(retained))


def published(body: bytes, flags: int, version: int) -> tuple[str, bytes, bytes]:
    """Return topic, packet identifier (empty with QoS 0) and payload of a PUBLISH without properties."""
    end = 2 + int.from_bytes(body[:2])
    mid_end = end + (2 if flags & 0x06 else 0)
    return body[2:end].decode(), body[end:mid_end], body[mid_end + (1 if version == 5 else 0) :]


def read_packet(connection: socket.socket) -> tuple[int, int, bytes]:
    """Return kind, flags and body of the next packet.

    Raises:
        EOFError: If the client hung up.
    """
    (first,) = _exactly(connection, 1)
    length = shift = 0
    while True:
        (byte,) = _exactly(connection, 1)
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return first >> 4, first & 0x0F, _exactly(connection, length)


def _exactly(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        piece = connection.recv(count - len(received))
        if not piece:
            raise EOFError
        received += piece
    return received
