"""What a gateway says on a connection to a broker, apart from how the connection is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.storage.message import Message


@dataclass(frozen=True)
class Packet:
    """One MQTT message."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


class Dialect(Protocol):
    """Topics and payloads of one gateway. For one thread; a connection begins with ``will``."""

    @property
    def subscriptions(self) -> Sequence[str]:
        """Topics where the gateway listens."""
        ...

    def will(self) -> Packet:
        """Return what the broker shall publish when it loses the connection that is made next."""
        ...

    def hello(self) -> list[Packet]:
        """Return what is said first on a connection."""
        ...

    def data(self, messages: Sequence[Message]) -> list[Packet]:
        """Return a packet for each message of the outbox; they are sent in this order, and all at once."""
        ...

    def answer(self, topic: str, payload: bytes) -> list[Packet]:
        """Return what is to be said to something that came in on a subscription."""
        ...

    def goodbye(self) -> list[Packet]:
        """Return what is said last on a connection that ends as it should."""
        ...
