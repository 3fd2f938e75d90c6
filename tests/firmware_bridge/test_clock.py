"""The simulated clock moves when somebody waits; the system's clock really waits."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from firmware_bridge.clock import Clock, SimulatedClock, SystemClock


def test_waiting_moves_the_simulated_clock() -> None:
    clock = SimulatedClock(datetime(2026, 3, 1, tzinfo=UTC))
    assert clock.wait(1.5) is False
    clock.advance(0.25)
    assert clock.monotonic_ns() == 1_750_000_000
    assert clock.utc() == datetime(2026, 3, 1, 0, 0, 1, 750_000, tzinfo=UTC)
    with pytest.raises(ValueError, match="time cannot go back by 1 s"):
        clock.advance(-1)


@pytest.mark.parametrize("clock", [SimulatedClock(), SystemClock()])
def test_waiting_tells_whether_to_stop(clock: Clock) -> None:
    stop = threading.Event()
    before_ns = clock.monotonic_ns()
    assert clock.wait(0.001, stop) is False
    assert clock.wait(0.001) is False
    assert clock.monotonic_ns() - before_ns >= 2_000_000
    stop.set()
    assert clock.wait(0.001, stop) is True
    assert clock.utc().tzinfo is UTC
