"""What waits in the outbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What a message carries; also the last level of its topic."""

    ALERT = "alert"
    HEALTH = "health"
    SCORE = "score"


@dataclass(frozen=True)
class Message:
    """One message on its way upstream."""

    message_id: str
    """UUIDv7; for an alert the event's id. It stays the same when the message is sent again."""
    kind: Kind
    sensor: str
    """Name of the sensor in the configuration."""
    topic: str
    payload: bytes
    """Compact JSON in UTF-8, as in docs/uplink."""
    created_at: datetime
    """UTC."""
