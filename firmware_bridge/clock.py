"""Time as the rest of the system sees it: monotonic for intervals, UTC for records, and waiting."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Protocol

NS_PER_S = 1_000_000_000


class Clock(Protocol):
    """Where time comes from. Intervals are taken from ``monotonic_ns`` only."""

    def monotonic_ns(self) -> int:
        """Return nanoseconds since an arbitrary start; never goes back."""
        ...

    def utc(self) -> datetime:
        """Return the wall-clock time, time zone aware."""
        ...

    def wait(self, timeout_s: float, stop: Event | None = None) -> bool:
        """Wait for ``timeout_s`` seconds, or until ``stop`` is set.

        Returns:
            True if ``stop`` is set.
        """
        ...


class SystemClock:
    """The machine's own clock (CLOCK_MONOTONIC and the system's UTC)."""

    def monotonic_ns(self) -> int:
        """Return CLOCK_MONOTONIC in nanoseconds."""
        return time.monotonic_ns()

    def utc(self) -> datetime:
        """Return the system's wall-clock time."""
        return datetime.now(UTC)

    def wait(self, timeout_s: float, stop: Event | None = None) -> bool:
        """Sleep, or until ``stop`` is set; return True if it is."""
        if stop is not None:
            return stop.wait(max(timeout_s, 0.0))
        time.sleep(max(timeout_s, 0.0))
        return False


class SimulatedClock:
    """A clock that moves only when somebody waits: hours of signal pass in seconds.

    It is meant for one thread. It does not simulate drift, nor the scheduler's delays.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._now_ns = 0

    def monotonic_ns(self) -> int:
        """Return simulated nanoseconds since the clock was made."""
        return self._now_ns

    def utc(self) -> datetime:
        """Return the start date plus the simulated time."""
        return self._start + timedelta(microseconds=self._now_ns / 1000)

    def wait(self, timeout_s: float, stop: Event | None = None) -> bool:
        """Advance at once by ``timeout_s``; return True if ``stop`` is set."""
        self.advance(timeout_s)
        return stop is not None and stop.is_set()

    def advance(self, duration_s: float) -> None:
        """Move time forward.

        Raises:
            ValueError: If ``duration_s`` is negative.
        """
        if duration_s < 0:
            raise ValueError(f"time cannot go back by {-duration_s} s")
        self._now_ns += round(duration_s * NS_PER_S)
