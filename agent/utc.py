"""Times as text: ISO 8601 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def format_utc(at: datetime) -> str:
    """Return a time as ISO 8601 in UTC with Z and microseconds; such texts sort by time.

    Raises:
        ValueError: If the time has no time zone.
    """
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_utc(text: str) -> datetime:
    """Return the time that ``format_utc`` wrote.

    Raises:
        ValueError: If the text is not ISO 8601 with a time zone.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"'{text}' has no time zone")
    return at.astimezone(UTC)
