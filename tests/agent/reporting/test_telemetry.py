"""What is reported when nothing happens, and when it cannot be stored."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from agent.config.names import GatewayName
from agent.config.reporting import TelemetryIntervals
from agent.inference.scoring import Level
from agent.judging.summary import ScoreSummary
from agent.reporting.telemetry import Telemetry
from agent.storage.alerts import AlertStore
from agent.storage.message import Kind
from agent.storage.outbox import Outbox
from firmware_bridge.clock import SimulatedClock

AT = datetime(2026, 1, 1, tzinfo=UTC)
SUMMARY = ScoreSummary("press", AT, AT, 5, 2.0, 0.1, Level.NORMAL, simulated=True)


class Station:
    """One sensor that always has something to tell."""

    name = "press"

    def __init__(self) -> None:
        self.taken = 0
        self.monitor = SimpleNamespace(take_summary=self._take)

    def _take(self) -> ScoreSummary:
        self.taken += 1
        return SUMMARY

    def health(self) -> dict[str, Any]:
        return {"samples": 100}


def telemetry(station: Any, outbox: Outbox | None, clock: SimulatedClock) -> Telemetry:
    intervals = TelemetryIntervals(score_interval_s=10, health_interval_s=60)
    return Telemetry(intervals, GatewayName("plant", "gw"), [station], outbox, clock)


def test_each_kind_at_its_interval(store: AlertStore) -> None:
    clock = SimulatedClock()
    reporting = telemetry(Station(), store.outbox, clock)
    for _ in range(120):
        clock.advance(1.0)
        reporting.poll()
    totals = store.outbox.totals()
    assert (totals[Kind.SCORE].created, totals[Kind.HEALTH].created) == (12, 2)


def test_an_interval_may_change_while_it_runs(store: AlertStore) -> None:
    clock = SimulatedClock()
    reporting = telemetry(Station(), store.outbox, clock)
    reporting.intervals = TelemetryIntervals(score_interval_s=1, health_interval_s=1)
    clock.advance(1.0)
    reporting.poll()
    assert store.outbox.depth() == 2


def test_without_an_uplink_what_was_gathered_is_let_go() -> None:
    clock, station = SimulatedClock(), Station()
    reporting = telemetry(station, None, clock)
    clock.advance(10.0)
    reporting.poll()
    assert station.taken == 1


def test_telemetry_that_cannot_be_stored_is_told_once(
    store: AlertStore, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SimulatedClock()
    reporting = telemetry(Station(), store.outbox, clock)
    with store.database.reading() as connection:
        connection.execute("PRAGMA query_only = ON")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            clock.advance(10.0)
            reporting.poll()
    assert caplog.text.count("telemetry is being lost") == 1
    assert caplog.text.count("readonly") == 2  # once by the store, once with the telemetry
