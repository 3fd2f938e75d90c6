"""Time-ordered identifiers (UUID version 7)."""

from __future__ import annotations

import secrets
from datetime import datetime
from uuid import UUID


def uuid7(at: datetime) -> UUID:
    """Return a new UUIDv7 for a time (RFC 9562, section 5.7).

    48 bits of Unix time in milliseconds, then 74 random bits, so that ids sort by time and ten thousand
    gateways need not agree on anything.

    Args:
        at: Time-zone-aware time.
    """
    milliseconds = int(at.timestamp() * 1000) & (1 << 48) - 1
    value = milliseconds << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 7 << 76  # version
    value = value & ~(0b11 << 62) | 0b10 << 62  # variant
    return UUID(int=value)
