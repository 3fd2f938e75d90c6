"""The way upstream: where the broker is, and what a connection to it can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from agent.storage.message import Message
from agent.storage.outbox import Delivery


@dataclass(frozen=True)
class UplinkStatus:
    """What ``judder status`` shows of the uplink."""

    connected: bool
    broker: str
    """``host:port``."""
    since: datetime
    """UTC time since when it is connected, or is not."""
    last_error: str | None = None
    """Why the last connection failed or ended; None if none ever did."""
    published: int = 0
    """Messages that the broker confirmed since the daemon started."""
    refused: int = 0
    """Refusals since then; a message may count more than once."""
    puback_s: float = 0.0
    """From handing over to confirmation, summed over ``published``."""
    reconnects: int = 0
    """Connections made after the first."""
    unsettled: int = 0
    """Messages that the broker confirmed, which the full disk does not let us remove yet."""


class Uplink(Protocol):
    """A connection to the broker. ``close`` may be called twice; ``connect`` may be called again after it."""

    @property
    def broker(self) -> str:
        """``host:port``, for people."""
        ...

    def connect(self, timeout_s: float) -> None:
        """Connect within so many seconds, and tell that the gateway is online.

        Raises:
            UplinkError: With broker, reason and next step.
        """
        ...

    def check(self) -> None:
        """Return if the connection stands.

        Raises:
            UplinkError: If it was lost, or there never was one.
        """
        ...

    def publish(self, messages: Sequence[Message], timeout_s: float) -> Delivery:
        """Send messages, all at once and in order; returns when the broker has answered each.

        Args:
            messages: At most as many as may be on their way at once.
            timeout_s: Longest wait for the next answer, in seconds.

        Returns:
            What became of them. When ``lost``, the connection cannot be used any more.
        """
        ...

    def answer_commands(self) -> None:
        """Answer the commands that came in since the last call, if commands are taken at all.

        Raises:
            UplinkError: If the connection is lost.
        """
        ...

    def close(self) -> None:
        """Say goodbye and disconnect; never raises."""
        ...
