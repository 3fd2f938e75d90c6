"""The uplink over MQTT: version 5, or 3.1.1 where the broker knows no better, by paho."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Thread, current_thread

from paho.mqtt.client import Client, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from agent.errors import UplinkError
from agent.messages import GatewayName, Message, Presence, status_payload, status_topic
from agent.uplink import BrokerSettings, TlsSettings
from firmware_bridge.clock import Clock

logger = logging.getLogger(__name__)

QOS = 1
GOODBYE_TIMEOUT_S = 2.0

# What to do about a refusal, by the name of its reason code (MQTT 5.0, section 2.4).
NEXT_STEPS = {
    "Bad user name or password": "check username and password_file in [uplink]",
    "Not authorized": "let the broker's access rules allow this gateway its topics",
    "Client identifier not valid": "choose another client_id in [uplink]",
    "Session taken over": "another client has the same client_id; give each gateway its own",
    "Unsupported protocol version": "the broker knows neither MQTT 5 nor 3.1.1",
    "Keep alive timeout": "check the network between gateway and broker",
}


class MqttUplink:
    """A connection to an MQTT broker (see ``uplink.Uplink``).

    Messages go with QoS 1 in a clean session: what is not confirmed stays in our outbox, not in paho's or the
    broker's. The gateway's retained status tells who is online; the last will corrects it when the connection
    breaks. Nothing reconnects by itself.

    Args:
        settings: Where the broker is.
        gateway: Whose status is told.
        clock: UTC for the status.
        version: Version of judder, for the status.
        simulated: True if any sensor is simulated, for the status.
    """

    def __init__(
        self, settings: BrokerSettings, gateway: GatewayName, clock: Clock, *, version: str, simulated: bool
    ) -> None:
        self._settings = settings
        self._gateway = gateway
        self._clock = clock
        self._version = version
        self._simulated = simulated
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._session: _Session | None = None

    @property
    def broker(self) -> str:
        """``host:port``, for people."""
        return f"{self._settings.host}:{self._settings.port}"

    def connect(self, timeout_s: float) -> None:
        """Connect, with MQTT 3.1.1 if the broker refuses version 5, and tell that the gateway is online.

        Args:
            timeout_s: Limit of each attempt; a name look-up has the system's own.

        Raises:
            UplinkError: With broker, reason and next step.
        """
        self.close()
        try:
            self._open(self._protocol, timeout_s)
        except _VersionRefusedError:
            self._open(MQTTProtocolVersion.MQTTv311, timeout_s)
            self._protocol = MQTTProtocolVersion.MQTTv311
            logger.info("%s refuses MQTT 5 and takes 3.1.1", self.broker)
        self._tell(Presence.ONLINE, timeout_s)

    def check(self) -> None:
        """Return if the connection stands.

        Raises:
            UplinkError: If it was lost, or there never was one.
        """
        self._current_session().check()

    def publish(self, message: Message, timeout_s: float) -> None:
        """Send a message; returns when the broker confirmed it.

        Raises:
            UplinkError: If it refused, the connection was lost, or it did not answer in time.
        """
        self._publish(message.topic, message.payload, timeout_s)

    def close(self) -> None:
        """Tell that the gateway has stopped, and disconnect; may be called twice, never raises."""
        with suppress(UplinkError):
            self.check()
            self._tell(Presence.STOPPED, GOODBYE_TIMEOUT_S)
        if self._session is not None:
            self._session.close()
            self._session = None

    def _open(self, protocol: MQTTProtocolVersion, timeout_s: float) -> None:
        session = _Session(self._settings, self.broker, protocol)
        session.set_will(status_topic(self._gateway), self._status(Presence.OFFLINE))
        try:
            session.connect(timeout_s)
        except UplinkError:
            session.hang_up()
            raise
        self._session = session

    def _tell(self, presence: Presence, timeout_s: float) -> None:
        self._publish(status_topic(self._gateway), self._status(presence), timeout_s, retain=True)

    def _publish(self, topic: str, payload: bytes, timeout_s: float, *, retain: bool = False) -> None:
        session = self._current_session()
        try:
            session.publish(topic, payload, timeout_s, retain=retain)
        except UplinkError:
            self._session = None
            session.hang_up()  # without a goodbye, so that the broker publishes the last will
            raise

    def _current_session(self) -> _Session:
        if self._session is None:
            raise UplinkError(f"{self.broker}: not connected; call connect first")
        return self._session

    def _status(self, presence: Presence) -> bytes:
        return status_payload(
            self._gateway, presence, self._clock.utc(), version=self._version, simulated=self._simulated
        )


class _TlsSocket(ssl.SSLSocket):
    """A socket that is closed when the handshake fails; paho would forget it open."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


class _VersionRefusedError(UplinkError):
    """The broker does not speak this version of MQTT, or hangs up on it."""


class _Session:
    """One paho client for one connection, so that nothing of an earlier one lingers.

    paho's network thread reports here what the broker answers; it ends by itself with the connection.
    No call into paho is made with the condition held: paho holds locks of its own when it reports.
    """

    def __init__(self, settings: BrokerSettings, broker: str, protocol: MQTTProtocolVersion) -> None:
        self._settings = settings
        self._broker = broker
        self._changed = Condition()
        self._connack: ReasonCode | None = None
        self._pubacks: dict[int, ReasonCode] = {}
        self._network_thread: Thread | None = None
        self._started = False
        self._lost: str | None = None  # why the connection ended, and the next step
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            protocol=protocol,
            reconnect_on_failure=False,
        )
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._client.on_disconnect = self._on_disconnect

    def set_will(self, topic: str, payload: bytes) -> None:
        self._client.will_set(topic, payload, qos=QOS, retain=True)

    def connect(self, timeout_s: float) -> None:
        settings = self._settings
        self._client.connect_timeout = timeout_s
        if settings.username is not None:
            self._client.username_pw_set(settings.username, self._password())
        if settings.tls is not None:
            self._client.tls_set_context(self._tls_context(settings.tls))
        try:
            self._client.connect(settings.host, settings.port, settings.keepalive_s)
        except (OSError, ValueError) as error:
            raise self._error(_explained(error, timeout_s)) from error
        if self._lost is None:  # otherwise the broker hung up before paho's thread was there
            self._client.loop_start()
            self._started = True
        self._check_connack(timeout_s)

    def publish(self, topic: str, payload: bytes, timeout_s: float, *, retain: bool = False) -> None:
        mid = self._client.publish(topic, payload, qos=QOS, retain=retain).mid
        self._wait_for(lambda: mid in self._pubacks, timeout_s)
        puback = self._pubacks.pop(mid)
        if puback.is_failure:
            raise self._error(f"the broker refuses a message to {topic}: {_in_words(puback)}")

    def check(self) -> None:
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
        if isinstance(connection, socket.socket):
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)
        if self._started:
            with self._changed:
                self._changed.wait_for(lambda: self._network_thread is not None, GOODBYE_TIMEOUT_S)
            if self._network_thread is not None:
                self._network_thread.join(GOODBYE_TIMEOUT_S)
        # The callbacks refer to this session: without them nothing is left in a cycle with open sockets.
        self._client.on_connect = self._client.on_publish = self._client.on_disconnect = None

    def _check_connack(self, timeout_s: float) -> None:
        version_5 = self._client.protocol is MQTTProtocolVersion.MQTTv5
        try:
            self._wait_for(lambda: self._connack is not None, timeout_s)
        except UplinkError as error:
            if self._lost is not None and version_5:  # old brokers hang up on a version they do not know
                raise _VersionRefusedError(*error.args) from error
            raise
        assert self._connack is not None
        if self._connack.is_failure:
            refused = self._connack.getName() == "Unsupported protocol version" and version_5
            kind = _VersionRefusedError if refused else UplinkError
            raise self._error(f"the broker refuses the connection: {_in_words(self._connack)}", kind)

    def _wait_for(self, answered: Callable[[], bool], timeout_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: answered() or self._lost is not None, timeout_s)
            if answered():
                return
        lost = self._lost or f"no answer within {timeout_s:g} s; check the network and the broker"
        raise self._error(lost)

    def _error(self, text: str, kind: type[UplinkError] = UplinkError) -> UplinkError:
        return kind(f"{self._broker}: {text}")

    def _password(self) -> str | None:
        path = self._settings.password_file
        if path is None:
            return None
        try:
            return path.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise self._error(f"password file {path}: {reason}; check password_file in [uplink]") from error

    def _tls_context(self, tls: TlsSettings) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=tls.ca_file)
            context.sslsocket_class = _TlsSocket
            if tls.cert_file is not None:
                # An empty password, so that an encrypted key is an error and not a question on the terminal.
                context.load_cert_chain(tls.cert_file, tls.key_file, password="")
        except (OSError, ValueError) as error:
            files = ", ".join(str(path) for path in (tls.ca_file, tls.cert_file, tls.key_file) if path)
            raise self._error(f"TLS files {files}: {error}; check [uplink.tls]") from error
        return context

    # Called by paho's network thread.

    def _on_connect(
        self, _client: Client, _data: object, _flags: object, reason: ReasonCode, _more: object
    ) -> None:
        with self._changed:
            self._connack = reason
            self._changed.notify_all()

    def _on_publish(
        self, _client: Client, _data: object, mid: int, reason: ReasonCode, _more: object
    ) -> None:
        with self._changed:
            self._pubacks[mid] = reason
            self._changed.notify_all()

    def _on_disconnect(
        self, _client: Client, _data: object, flags: DisconnectFlags, reason: ReasonCode, _more: object
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            lost = f"the broker ended the connection: {_in_words(reason)}"
        elif reason.getName() == "Keep alive timeout":
            lost = _in_words(reason)
        else:
            lost = (
                "the connection was closed; check the network, whether the port wants TLS, "
                "and that no other client has the same client_id"
            )
        with self._changed:
            self._lost = self._lost or lost
            self._network_thread = current_thread()
            self._changed.notify_all()


def _in_words(reason: ReasonCode) -> str:
    name = reason.getName()
    return f"{name.lower()}; {NEXT_STEPS.get(name, 'see the log of the broker')}"


def _explained(error: OSError | ValueError, timeout_s: float) -> str:
    """Return in words why no connection came about, and the next step."""
    match error:
        case ssl.SSLCertVerificationError():
            return (
                f"its certificate is not trusted ({error.verify_message}); "
                "check ca_file in [uplink.tls], and that host is the name in the certificate"
            )
        case ssl.SSLError():
            return f"no TLS ({error.reason}); check that the port is the broker's port for TLS"
        case socket.gaierror():
            return "name not found; check host in [uplink] and the gateway's name server"
        case TimeoutError():
            return f"no answer within {timeout_s:g} s; check host in [uplink], the network and the firewall"
        case ConnectionRefusedError():
            return "connection refused; check that the broker runs, and port in [uplink]"
        case ConnectionResetError():
            return "the broker hung up; check port in [uplink], and whether it is a port for TLS"
        case OSError():
            return f"{error.strerror or error}; check host in [uplink] and the network"
    return f"{error}; check host and port in [uplink]"
