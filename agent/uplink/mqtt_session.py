"""One MQTT connection by paho, with its answers waited for."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Condition, Thread, current_thread

from paho.mqtt.client import Client, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from agent.config.uplink import BrokerSettings
from agent.errors import UplinkError
from agent.uplink.broker_access import explained, in_words, password, why_not_in
from agent.uplink.dialect import Packet
from agent.uplink.tls import tls_context

QOS = 1
GOODBYE_TIMEOUT_S = 2.0
MAX_INCOMING = 32
"""Messages that wait for an answer; beyond it the oldest is forgotten."""


class VersionRefusedError(UplinkError):
    """The broker does not speak this version of MQTT, or hangs up on it."""


@dataclass
class Answers:
    """What the broker answered to messages that were sent together, by their position."""

    confirmed: dict[int, float] = field(default_factory=dict)
    """Seconds from handing over to confirmation."""
    refused: dict[int, str] = field(default_factory=dict)
    """Why."""
    error: str | None = None
    """Why the connection cannot be used any more."""


class Session:
    """One paho client for one connection, so that nothing of an earlier one lingers.

    paho's network thread reports here what the broker answers; it ends by itself with the connection.
    No call into paho is made with the condition held: paho holds locks of its own when it reports.

    Args:
        settings: Where the broker is.
        broker: ``host:port``, for people.
        protocol: Version of MQTT.
        wake: Called by paho's thread when a message came in.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        broker: str,
        protocol: MQTTProtocolVersion,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._broker = broker
        self._wake = wake
        self._window = settings.inflight
        self._changed = Condition()
        self._connack: ReasonCode | None = None
        self._pubacks: dict[int, tuple[ReasonCode, float]] = {}
        self._subacks: dict[int, list[ReasonCode]] = {}
        self._network_thread: Thread | None = None
        self._started = False
        self._lost: str | None = None  # why the connection ended, and the next step
        self.incoming: deque[tuple[str, bytes]] = deque(maxlen=MAX_INCOMING)
        """Topic and payload of what came in."""
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            protocol=protocol,
            transport=settings.transport,
            reconnect_on_failure=False,
        )
        self._client.max_inflight_messages_set(0)  # publish keeps the limit
        if settings.transport == "websockets":
            self._client.ws_set_options(path=settings.websocket_path)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect

    def set_will(self, will: Packet) -> None:
        """Say what the broker shall publish when it loses us."""
        self._client.will_set(will.topic, will.payload, will.qos, will.retain)

    def connect(self, timeout_s: float) -> None:
        """Connect and wait until the broker accepts, for so many seconds at each step.

        Raises:
            VersionRefusedError: If it does not speak this version.
            UplinkError: If there is no connection for another reason.
        """
        settings = self._settings
        self._client.connect_timeout = timeout_s
        try:
            if settings.username is not None:
                self._client.username_pw_set(settings.username, password(settings))
            if settings.tls is not None:
                self._client.tls_set_context(tls_context(settings.tls))
        except UplinkError as error:
            raise self._error(str(error)) from error
        try:
            self._client.connect(settings.host, settings.port, settings.keepalive_s)
        except (OSError, ValueError) as error:
            raise self._error(explained(error, timeout_s)) from error
        if self._lost is None:  # otherwise the broker hung up before paho's thread was there
            self._client.loop_start()
            self._started = True
        self._check_connack(timeout_s)

    def publish(self, packets: Sequence[Packet], timeout_s: float) -> Answers:
        """Send packets in order, and wait until the broker has answered all; with QoS 0, until they are sent.

        Args:
            packets: Any number; as many as may be are on their way at once.
            timeout_s: Longest wait for the next answer, in seconds.
        """
        answers = Answers()
        to_send = deque(enumerate(packets))
        waiting: dict[int, tuple[int, float]] = {}
        while to_send or waiting:
            while to_send and len(waiting) < self._window:
                position, packet = to_send.popleft()
                mid = self._client.publish(packet.topic, packet.payload, packet.qos, packet.retain).mid
                waiting[mid] = (position, time.monotonic())
            try:
                self._wait_for(lambda: not waiting.keys().isdisjoint(self._pubacks), timeout_s)
            except UplinkError as error:
                answers.error = str(error)
                break
            for mid in waiting.keys() & set(self._pubacks):
                position, begin = waiting.pop(mid)
                self._note(answers, position, packets[position].topic, mid, begin)
        return answers

    def _note(self, answers: Answers, position: int, topic: str, mid: int, begin: float) -> None:
        reason, at = self._pubacks.pop(mid)
        if reason.is_failure:
            text = f"the broker refuses a message to {topic}: {in_words(reason)}"
            answers.refused[position] = f"{self._broker}: {text}"
        else:
            answers.confirmed[position] = at - begin

    def subscribe(self, topic: str, timeout_s: float) -> None:
        """Subscribe, and wait so many seconds for the answer; what comes in waits in ``incoming``.

        Raises:
            UplinkError: If the broker refuses, or the connection was lost.
        """
        _, mid = self._client.subscribe(topic, qos=QOS)
        if mid is not None:
            self._wait_for(lambda: mid in self._subacks, timeout_s)
            for reason in self._subacks.pop(mid):
                if reason.is_failure:
                    raise self._error(f"the broker refuses the subscription to {topic}: {in_words(reason)}")

    def check(self) -> None:
        """Return if the connection stands.

        Raises:
            UplinkError: If it was lost.
        """
        if self._lost is not None:
            raise self._error(self._lost)

    def close(self) -> None:
        """Disconnect, so that the broker discards the last will."""
        self._client.disconnect()
        with self._changed:
            self._changed.wait_for(lambda: self._lost is not None, GOODBYE_TIMEOUT_S)
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connection as it is, and wait for paho's thread."""
        connection = self._client.socket()
        connection = getattr(connection, "_socket", connection)  # paho wraps that of a websocket
        if isinstance(connection, socket.socket):
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)
        if self._started:
            with self._changed:
                self._changed.wait_for(lambda: self._network_thread is not None, GOODBYE_TIMEOUT_S)
            if self._network_thread is not None:
                self._network_thread.join(GOODBYE_TIMEOUT_S)
        # The callbacks refer to their session: without them nothing is left in a cycle with open sockets.
        client = self._client
        client.on_connect = client.on_publish = client.on_disconnect = None
        client.on_subscribe = client.on_message = None

    def _check_connack(self, timeout_s: float) -> None:
        version_5 = self._client.protocol is MQTTProtocolVersion.MQTTv5
        try:
            self._wait_for(lambda: self._connack is not None, timeout_s)
        except UplinkError as error:
            if self._lost is not None and version_5:  # old brokers hang up on a version they do not know
                raise VersionRefusedError(*error.args) from error
            raise
        assert self._connack is not None
        if self._connack.is_failure:
            refused = self._connack.getName() == "Unsupported protocol version" and version_5
            kind = VersionRefusedError if refused else UplinkError
            raise self._error(f"the broker refuses the connection: {why_not_in(self._connack)}", kind)

    def _wait_for(self, answered: Callable[[], bool], timeout_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: answered() or self._lost is not None, timeout_s)
            if answered():
                return
        lost = self._lost or f"no answer within {timeout_s:g} s; check the network and the broker"
        raise self._error(lost)

    def _error(self, text: str, kind: type[UplinkError] = UplinkError) -> UplinkError:
        return kind(f"{self._broker}: {text}")

    # Called by paho's network thread.

    def _on_connect(
        self, _client: Client, _data: object, _flags: object, reason: ReasonCode, more: object
    ) -> None:
        # MQTT 5.0, section 3.2.2.3.3: how many the broker takes at once; paho does not look.
        self._window = min(getattr(more, "ReceiveMaximum", self._window), self._window)
        with self._changed:
            self._connack = reason
            self._changed.notify_all()

    def _on_publish(
        self, _client: Client, _data: object, mid: int, reason: ReasonCode, _more: object
    ) -> None:
        with self._changed:
            self._pubacks[mid] = (reason, time.monotonic())
            self._changed.notify_all()

    def _on_subscribe(
        self, _client: Client, _data: object, mid: int, reasons: list[ReasonCode], _more: object
    ) -> None:
        with self._changed:
            self._subacks[mid] = reasons
            self._changed.notify_all()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if not message.retain:  # a command kept by the broker would be carried out at each connection
            self.incoming.append((message.topic, bytes(message.payload)))
            self._wake()

    def _on_disconnect(
        self, _client: Client, _data: object, flags: DisconnectFlags, reason: ReasonCode, _more: object
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            lost = f"the broker ended the connection: {in_words(reason)}"
        elif reason.getName() == "Keep alive timeout":
            lost = in_words(reason)
        else:
            lost = (
                "the connection was closed; check the network, whether the port wants TLS, "
                "and that no other client has the same client_id"
            )
        with self._changed:
            self._lost = self._lost or lost
            self._network_thread = current_thread()
            self._changed.notify_all()
