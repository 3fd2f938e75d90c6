"""The uplink over MQTT: version 5, or 3.1.1 where the broker knows no better, by paho."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from paho.mqtt.enums import MQTTProtocolVersion

from agent.config.uplink import BrokerSettings
from agent.errors import UplinkError
from agent.storage.message import Message
from agent.storage.outbox import Delivery
from agent.uplink.dialect import Dialect, Packet
from agent.uplink.mqtt_session import GOODBYE_TIMEOUT_S, Session, VersionRefusedError
from firmware_bridge.clock import Clock

logger = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 10.0


class MqttUplink:
    """A connection to an MQTT broker (see ``uplink.Uplink``).

    Messages go with QoS 1 in a clean session: what is not confirmed stays in our outbox, not in paho's or the
    broker's. The last will tells when the connection breaks. Nothing reconnects by itself.

    Args:
        settings: Where the broker is.
        dialect: What is said.
        clock: UTC of deliveries.
        wake: Called, by another thread, when something came in that is to be answered.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        dialect: Dialect,
        clock: Clock,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._dialect = dialect
        self._clock = clock
        self._wake = wake
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._session: Session | None = None

    @property
    def broker(self) -> str:
        """``host:port``, for people."""
        return f"{self._settings.host}:{self._settings.port}"

    def connect(self, timeout_s: float) -> None:
        """Connect, with MQTT 3.1.1 if the broker refuses version 5, and tell that the gateway is there.

        Args:
            timeout_s: Limit of each attempt, in seconds; a name look-up has the system's own.

        Raises:
            UplinkError: With broker, reason and next step.
        """
        self.close()
        try:
            self._open(self._protocol, timeout_s)
        except VersionRefusedError:
            self._open(MQTTProtocolVersion.MQTTv311, timeout_s)
            self._protocol = MQTTProtocolVersion.MQTTv311
            logger.info("%s refuses MQTT 5 and takes 3.1.1", self.broker)
        for topic in self._dialect.subscriptions:
            self._subscribe(topic, timeout_s)
        self._say(self._dialect.hello(), timeout_s)

    def check(self) -> None:
        """Return if the connection stands.

        Raises:
            UplinkError: If it was lost, or there never was one.
        """
        self._current_session().check()

    def publish(self, messages: Sequence[Message], timeout_s: float) -> Delivery:
        """Send messages, wait so many seconds for each answer; see ``connection.Uplink``."""
        sent_at = self._clock.utc()
        try:
            session = self._current_session()
        except UplinkError as error:
            return Delivery(sent_at, sent_at, unanswered=tuple(messages), error=str(error), lost=True)
        answers = session.publish(self._dialect.data(messages), timeout_s)
        if answers.error is not None:
            self._drop_session()
        known = answers.confirmed.keys() | answers.refused.keys()
        return Delivery(
            sent_at,
            self._clock.utc(),
            confirmed=tuple(m for n, m in enumerate(messages) if n in answers.confirmed),
            refused=tuple(m for n, m in enumerate(messages) if n in answers.refused),
            unanswered=tuple(m for n, m in enumerate(messages) if n not in known),
            error=answers.error or next(iter(answers.refused.values()), None),
            lost=answers.error is not None,
            puback_s=sum(answers.confirmed.values()),
        )

    def answer_commands(self) -> None:
        """Answer what came in since the last call.

        Raises:
            UplinkError: If the connection is lost.
        """
        incoming = self._current_session().incoming
        while incoming:
            self._say(self._dialect.answer(*incoming.popleft()), ANSWER_TIMEOUT_S)

    def close(self) -> None:
        """Tell that the gateway has stopped, and disconnect; may be called twice, never raises."""
        with suppress(UplinkError):
            self.check()
            self._say(self._dialect.goodbye(), GOODBYE_TIMEOUT_S)
        if self._session is not None:
            self._session.close()
            self._session = None

    def _open(self, protocol: MQTTProtocolVersion, timeout_s: float) -> None:
        session = Session(self._settings, self.broker, protocol, self._wake)
        session.set_will(self._dialect.will())
        try:
            session.connect(timeout_s)
        except UplinkError:
            session.hang_up()
            raise
        self._session = session

    def _subscribe(self, topic: str, timeout_s: float) -> None:
        try:
            self._current_session().subscribe(topic, timeout_s)
        except UplinkError as error:
            self.check()
            logger.warning("%s; no commands are taken", error)

    def _say(self, packets: Sequence[Packet], timeout_s: float) -> None:
        """Send what is no message of the outbox, and wait so many seconds for each answer."""
        answers = self._current_session().publish(packets, timeout_s)
        if answers.error is not None:
            self._drop_session()
            raise UplinkError(answers.error)
        for refusal in answers.refused.values():
            logger.warning("%s", refusal)

    def _drop_session(self) -> None:
        """Hang up without a goodbye, so that the broker publishes the last will."""
        session, self._session = self._session, None
        if session is not None:
            session.hang_up()

    def _current_session(self) -> Session:
        if self._session is None:
            raise UplinkError(f"{self.broker}: not connected; call connect first")
        return self._session
