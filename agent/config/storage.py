"""How much is kept on the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from agent.decode import Range


@dataclass(frozen=True)
class OutboxLimits:
    """How much may wait; alerts count, but are never dropped, not even beyond the limits."""

    messages: Annotated[int, Range(100, 10_000_000, "messages")] = 100_000
    payload_bytes: Annotated[int, Range(100_000, 100_000_000_000, "bytes")] = 64 * 1024 * 1024


@dataclass(frozen=True)
class HistoryLimits:
    """How much of the past is kept."""

    cleared_alerts: Annotated[int, Range(0, 10_000_000, "alerts")] = 10_000
    """Of the cleared alerts the newest so many; those that are active or not yet delivered are kept, too."""
