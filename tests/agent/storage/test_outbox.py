"""The outbox: order, bounds, and what survives a crash."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from agent.config.names import GatewayName
from agent.config.storage import OutboxLimits
from agent.inference.scoring import Level
from agent.judging.alert import AlertEvent, Change
from agent.storage.alerts import AlertStore
from agent.storage.message import Kind, Message
from agent.storage.outbox import REFUSALS, Delivery
from agent.uplink.messages import alert_message

MakeMessage = Callable[..., Message]
GATEWAY = GatewayName("plant", "gateway")
NOW = datetime(2026, 3, 1, 13, tzinfo=UTC)


def confirmed(messages: list[Message]) -> Delivery:
    return Delivery(NOW, NOW, confirmed=tuple(messages))


def test_alerts_go_before_health_before_scores_the_oldest_first(
    store: AlertStore, make_message: MakeMessage
) -> None:
    kinds = [Kind.SCORE, Kind.HEALTH, Kind.ALERT, Kind.SCORE, Kind.ALERT, Kind.HEALTH]
    messages = [make_message(number, kind) for number, kind in enumerate(kinds)]
    for message in messages:
        store.outbox.put(message)
    order = [messages[number] for number in (2, 4, 1, 5, 0, 3)]
    assert store.outbox.next(10) == order
    assert store.outbox.next(2) == order[:2]


def test_putting_a_message_wakes_who_waits(store: AlertStore, make_message: MakeMessage) -> None:
    assert not store.outbox.waiting.is_set()
    store.outbox.put(make_message(1))
    assert store.outbox.waiting.is_set()


def test_what_is_confirmed_is_gone(store: AlertStore, make_message: MakeMessage) -> None:
    first, second = make_message(1, size=10), make_message(2, size=20)
    store.outbox.put(first)
    store.outbox.put(second)
    assert (store.outbox.depth(), store.outbox.payload_bytes()) == (2, 30)
    store.outbox.settle(confirmed([first]))
    store.outbox.settle(confirmed([first]))
    assert store.outbox.next(10) == [second]
    assert (store.outbox.depth(), store.outbox.payload_bytes(), store.outbox.dropped()) == (1, 20, 0)


def test_the_states_of_messages_are_counted_with_their_times(
    store: AlertStore, make_message: MakeMessage
) -> None:
    first, second, third = (make_message(number, Kind.HEALTH) for number in (1, 2, 3))
    for message in (first, second, third):
        store.outbox.put(message)
    sent_at, answered_at = NOW - timedelta(seconds=2), NOW - timedelta(seconds=1)
    store.outbox.settle(
        Delivery(sent_at, answered_at, confirmed=(first,), refused=(second,), unanswered=(third,))
    )
    total = store.outbox.totals()[Kind.HEALTH]
    assert (total.created, total.sent, total.confirmed, total.dropped) == (3, 3, 1, 0)
    assert (total.waiting, total.waiting_bytes, total.aside) == (2, 4, 1)
    assert (total.created_at, total.sent_at, total.confirmed_at, total.dropped_at) == (
        third.created_at,
        sent_at,
        answered_at,
        None,
    )


def test_refused_telemetry_is_dropped_the_third_time_and_counted(
    store: AlertStore, make_message: MakeMessage
) -> None:
    score = make_message(1)
    store.outbox.put(score)
    for attempt in range(REFUSALS):
        assert store.outbox.next(10) == [score]
        store.outbox.settle(Delivery(NOW, NOW, refused=(score,)))
        assert store.outbox.next(10) == []
        assert store.outbox.readmit() == (attempt < REFUSALS - 1)
    total = store.outbox.totals()[Kind.SCORE]
    assert (total.waiting, total.dropped, total.dropped_at) == (0, 1, NOW)


def test_a_refused_alert_is_kept_for_ever(store: AlertStore, make_message: MakeMessage) -> None:
    alert = make_message(1, Kind.ALERT)
    store.outbox.put(alert)
    for _ in range(3 * REFUSALS):
        store.outbox.settle(Delivery(NOW, NOW, refused=(alert,)))
        assert store.outbox.readmit() == 1
    assert store.outbox.next(10) == [alert]
    assert store.outbox.dropped() == 0


def test_the_age_of_the_oldest(store: AlertStore, make_message: MakeMessage) -> None:
    assert store.outbox.oldest_age(NOW) is None
    message = make_message(30)  # 12:00:30
    store.outbox.put(message)
    store.outbox.put(make_message(40, Kind.ALERT))
    assert store.outbox.oldest_age(NOW) == timedelta(minutes=59, seconds=30)
    assert store.outbox.oldest_age(message.created_at - timedelta(days=1)) == timedelta(0)


def test_a_full_outbox_drops_the_oldest_telemetry(
    tmp_path: Path, make_message: MakeMessage, caplog: pytest.LogCaptureFixture
) -> None:
    with AlertStore(tmp_path / "judder.db", OutboxLimits(messages=3)) as store:
        alert, health, *scores = (
            make_message(number, kind)
            for number, kind in enumerate([Kind.ALERT, Kind.HEALTH, Kind.SCORE, Kind.SCORE, Kind.SCORE])
        )
        for message in (alert, health, *scores):
            store.outbox.put(message)
        assert store.outbox.next(10) == [alert, *scores[1:]]
        assert store.outbox.dropped() == 2
    assert caplog.text.count("the outbox is full") == 1
    with AlertStore(tmp_path / "judder.db") as store:
        assert store.outbox.dropped() == 2


def test_a_large_message_drops_as_many_as_it_needs(tmp_path: Path, make_message: MakeMessage) -> None:
    with AlertStore(tmp_path / "judder.db", OutboxLimits(payload_bytes=1000)) as store:
        for number in range(10):
            store.outbox.put(make_message(number, size=100))
        assert store.outbox.dropped() == 0
        store.outbox.put(make_message(10, size=350))
        assert (store.outbox.payload_bytes(), store.outbox.dropped()) == (950, 4)


def test_alerts_are_kept_beyond_the_limits(tmp_path: Path, make_message: MakeMessage) -> None:
    with AlertStore(tmp_path / "judder.db", OutboxLimits(messages=2)) as store:
        alerts = [make_message(number, Kind.ALERT) for number in range(5)]
        for alert in alerts:
            store.outbox.put(alert)
        store.outbox.put(make_message(5, Kind.SCORE))
        assert store.outbox.next(10) == alerts
        assert store.outbox.dropped() == 1


LIMITS = OutboxLimits(messages=5, payload_bytes=4000)


class OutboxModel(RuleBasedStateMachine):
    """Any sequence of put, record, confirm and crash, against a list in memory."""

    given_out = Bundle("given_out")

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store = AlertStore(Path(self.folder.name) / "judder.db", LIMITS)
        self.waiting: list[Message] = []
        self.ids = 0
        self.dropped = 0

    def _next_id(self) -> str:
        self.ids += 1
        return f"0199c000-0000-7000-8000-{self.ids:012x}"

    @rule(kind=st.sampled_from([Kind.SCORE, Kind.HEALTH]), size=st.integers(0, 2500))
    def put(self, kind: Kind, size: int) -> None:
        message = Message(self._next_id(), kind, "motor", f"t/{kind}", b"x" * size, NOW)
        self.store.outbox.put(message)
        self._expect(message)

    @rule(level=st.sampled_from([Level.WARNING, Level.ALARM]))
    def record(self, level: Level) -> None:
        event_id = self._next_id()
        event = AlertEvent(
            event_id=event_id,
            alert_id=event_id,
            sensor="motor",
            change=Change.RAISED,
            level=level,
            at=NOW,
            score=4.0,
            threshold=3.5,
            part="level",
            statistics=(),
            contributions=(),
            model="pump-1",
            simulated=True,
        )
        message = alert_message(event, GATEWAY)
        self.store.record(event, message)
        self._expect(message)

    def _expect(self, message: Message) -> None:
        self.waiting.append(message)
        while len(self.waiting) > 5 or sum(len(message.payload) for message in self.waiting) > 4000:
            telemetry = [message for message in self.waiting if message.kind is not Kind.ALERT]
            if not telemetry:
                break
            self.waiting.remove(telemetry[0])
            self.dropped += 1

    @rule(target=given_out, limit=st.integers(1, 4))
    def take(self, limit: int) -> list[Message]:
        return self.store.outbox.next(limit)

    @rule(messages=given_out)
    def confirm(self, messages: list[Message]) -> None:
        self.store.outbox.settle(confirmed(messages))
        self.waiting = [message for message in self.waiting if message not in messages]

    @rule()
    def crash(self) -> None:
        self.store.database._connection.close()  # without the store's goodbye
        self.store = AlertStore(Path(self.folder.name) / "judder.db", LIMITS)

    @invariant()
    def holds_what_was_put(self) -> None:
        by_priority = [
            message
            for kind in (Kind.ALERT, Kind.HEALTH, Kind.SCORE)
            for message in self.waiting
            if message.kind is kind
        ]
        outbox = self.store.outbox
        assert outbox.next(1000) == by_priority
        assert outbox.depth() == len(self.waiting)
        assert outbox.payload_bytes() == sum(len(message.payload) for message in self.waiting)
        assert outbox.dropped() == self.dropped

    @invariant()
    def an_alert_is_delivered_once_it_is_not_waiting(self) -> None:
        waiting = {message.message_id for message in self.waiting}
        for record in self.store.alerts(limit=1000):
            assert record.delivered == (record.alert_id not in waiting)

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


OutboxModel.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestOutboxModel = OutboxModel.TestCase
