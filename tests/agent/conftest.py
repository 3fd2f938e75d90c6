"""What the tests of store, outbox and uplink share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.inference.explanation import AxisStatistics, Contribution
from agent.inference.scoring import Level
from agent.judging.alert import AlertEvent, Change
from agent.storage.alerts import AlertStore
from agent.storage.message import Kind, Message

START = datetime(2026, 3, 1, 12, tzinfo=UTC)

MakeEvent = Callable[..., AlertEvent]
MakeMessage = Callable[..., Message]


@pytest.fixture(scope="session")
def make_event() -> MakeEvent:
    """Return a factory of alert events: number, alert, change and what else matters to the test."""

    def make(
        number: int,
        alert: int = 0,
        change: Change = Change.RAISED,
        level: Level = Level.WARNING,
        sensor: str = "motor",
        score: float = 4.0,
    ) -> AlertEvent:
        return AlertEvent(
            event_id=f"0199c000-0000-7000-8000-{number:012x}",
            alert_id=f"0199c000-aaaa-7000-8000-{alert:012x}",
            sensor=sensor,
            change=change,
            level=level,
            at=START + timedelta(seconds=number),
            score=score,
            threshold=3.5,
            part="spectrum",
            statistics=(AxisStatistics("x", 0.5, 1.5, 3.0, 2.9),),
            contributions=(Contribution("x 118-143 Hz", 0.75),),
            model="pump-1.0.0",
            simulated=True,
        )

    return make


@pytest.fixture(scope="session")
def make_message() -> MakeMessage:
    """Return a factory of messages: number, kind and size in bytes."""

    def make(number: int, kind: Kind = Kind.SCORE, size: int = 2) -> Message:
        return Message(
            message_id=f"0199c000-0000-7000-9000-{number:012x}",
            kind=kind,
            sensor="motor",
            topic=f"judder/v1/plant/gateway/motor/{kind}",
            payload=b"x" * size,
            created_at=START + timedelta(seconds=number),
        )

    return make


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AlertStore]:
    """Yield an empty store."""
    with AlertStore(tmp_path / "judder.db") as opened:
        yield opened
