"""judder's own dialect: JSON as in docs/uplink, on topics below ``judder/v1``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.config.names import GatewayName
from agent.storage.message import Message
from agent.uplink.dialect import Packet
from agent.uplink.messages import Presence, command_topic, reply_topic, status_payload, status_topic
from firmware_bridge.clock import Clock


class JsonDialect:
    """Messages as they are; a retained status tells who is online (see ``dialect.Dialect``).

    Args:
        gateway: Who speaks.
        clock: UTC for the status.
        version: Version of judder, for the status.
        simulated: True if any sensor is simulated, for the status.
        announcements: Further retained messages, payload by topic, published at each connection.
        answer: Returns the reply to a command that came in by the gateway's command topic; None if none are
            taken.
    """

    def __init__(
        self,
        gateway: GatewayName,
        clock: Clock,
        *,
        version: str,
        simulated: bool,
        announcements: Mapping[str, bytes] | None = None,
        answer: Callable[[bytes], Mapping[str, Any]] | None = None,
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._version = version
        self._simulated = simulated
        self._announcements = dict(announcements or {})
        self._answer = answer

    @property
    def subscriptions(self) -> Sequence[str]:
        """The command topic, if commands are taken."""
        return () if self._answer is None else (command_topic(self._gateway),)

    def will(self) -> Packet:
        """Return the status ``offline``."""
        return self._status(Presence.OFFLINE)

    def hello(self) -> list[Packet]:
        """Return the status ``online`` and the announcements."""
        announced = [Packet(topic, payload, retain=True) for topic, payload in self._announcements.items()]
        return [self._status(Presence.ONLINE), *announced]

    def data(self, messages: Sequence[Message]) -> list[Packet]:
        """Return the messages as they are."""
        return [Packet(message.topic, message.payload) for message in messages]

    def answer(self, topic: str, payload: bytes) -> list[Packet]:
        """Return the reply to a command."""
        if self._answer is None:
            return []
        reply = json.dumps(self._answer(payload)).encode()
        return [Packet(reply_topic(self._gateway), reply)]

    def goodbye(self) -> list[Packet]:
        """Return the status ``stopped``."""
        return [self._status(Presence.STOPPED)]

    def _status(self, presence: Presence) -> Packet:
        payload = status_payload(
            self._gateway, presence, self._clock.utc(), version=self._version, simulated=self._simulated
        )
        return Packet(status_topic(self._gateway), payload, retain=True)
