"""What is told of an alert is on the disk."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.config.names import GatewayName
from agent.errors import StoreError
from agent.judging.alert import AlertEvent, Rule
from agent.storage.alerts import AlertStore
from agent.storage.announcer import Announcer
from agent.uplink.messages import alert_message

if TYPE_CHECKING:
    from collections.abc import Callable

GATEWAY = GatewayName("plant", "gateway")


def test_an_event_is_stored_before_anybody_is_told(
    store: AlertStore, make_event: Callable[..., AlertEvent], caplog: pytest.LogCaptureFixture
) -> None:
    told: list[tuple[str, int]] = []
    listeners = [lambda event: told.append((event.event_id, len(store.alerts())))]
    announcer = Announcer(store, partial(alert_message, gateway=GATEWAY), listeners)
    with caplog.at_level(logging.WARNING):
        announcer.announce(make_event(1))
    assert told == [(make_event(1).event_id, 1)]
    assert [message.message_id for message in store.outbox.next(10)] == [make_event(1).event_id]
    assert "sensor motor: machine alert, warning raised: score 4.00 (threshold 3.50)" in caplog.text


def test_without_an_uplink_nothing_waits(store: AlertStore, make_event: Callable[..., AlertEvent]) -> None:
    Announcer(store, None, []).announce(make_event(1))
    assert (len(store.alerts()), store.outbox.next(10)) == (1, [])


def test_nobody_is_told_what_is_not_stored(make_event: Callable[..., AlertEvent], tmp_path: Path) -> None:
    AlertStore(tmp_path / "judder.db").close()
    told: list[AlertEvent] = []
    with AlertStore.read_only(tmp_path / "judder.db") as store, pytest.raises(StoreError):
        Announcer(store, None, [told.append]).announce(make_event(1))
    assert told == []


def test_the_cause_in_one_line(make_event: Callable[..., AlertEvent]) -> None:
    from dataclasses import replace

    event = make_event(1)
    assert event.cause == "score 4.00 (threshold 3.50), part spectrum"
    weak = replace(event, rule=Rule.PERSISTENCE, windows=40)
    assert weak.cause.endswith(", raised by persistence over 40 windows")
    assert replace(event, reason="axis z is stuck").cause == "axis z is stuck"
