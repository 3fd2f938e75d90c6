"""The alert store: life cycles, acknowledgement, and files that are not as they should be."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent.config.names import GatewayName
from agent.config.storage import HistoryLimits
from agent.errors import StoreError
from agent.inference.scoring import Level
from agent.judging.alert import AlertEvent, Change, Subject, event_to_json
from agent.storage import database
from agent.storage.alerts import AlertStore
from agent.storage.database import MIGRATIONS
from agent.storage.message import Kind
from agent.storage.outbox import Delivery
from agent.storage.overrides import ThresholdOverride
from agent.uplink.messages import alert_message

MakeEvent = Callable[..., AlertEvent]
GATEWAY = GatewayName("plant", "gateway")
NOW = datetime(2026, 3, 1, 13, tzinfo=UTC)
SENT = datetime(2026, 3, 1, 12, 59, 59, tzinfo=UTC)
NOBODY = 65534


def life_of_an_alert(make_event: MakeEvent) -> list[AlertEvent]:
    return [
        make_event(1, change=Change.RAISED, level=Level.WARNING, score=4.0),
        make_event(2, change=Change.ESCALATED, level=Level.ALARM, score=9.0),
        make_event(3, change=Change.CLEARED, level=Level.ALARM, score=1.0),
    ]


def record_all(store: AlertStore, events: list[AlertEvent]) -> None:
    for event in events:
        store.record(event, alert_message(event, GATEWAY))


def test_the_life_of_an_alert(store: AlertStore, make_event: MakeEvent) -> None:
    raised, escalated, cleared = life_of_an_alert(make_event)
    record_all(store, [raised])
    record = store.open_alert("motor")
    assert record is not None
    assert (record.active, record.level, record.raised_at) == (True, Level.WARNING, raised.at)
    assert record.last_event == raised

    record_all(store, [escalated])
    record = store.open_alert("motor")
    assert record is not None
    assert (record.level, record.escalated_at, record.cleared_at) == (Level.ALARM, escalated.at, None)

    record_all(store, [cleared])
    assert store.open_alert("motor") is None
    (record,) = store.alerts()
    assert not record.active
    assert (record.raised_at, record.escalated_at, record.cleared_at) == (raised.at, escalated.at, cleared.at)
    assert (record.level, record.score) == (Level.ALARM, 9.0)
    assert record.last_event == cleared
    assert record.acknowledged_at is None


def numbers_of(store: AlertStore, *, active_only: bool = False, limit: int = 100) -> list[str]:
    return [record.alert_id[-1] for record in store.alerts(active_only=active_only, limit=limit)]


def test_what_is_active_comes_first_and_always(store: AlertStore, make_event: MakeEvent) -> None:
    record_all(store, [make_event(n, alert=n) for n in range(1, 6)])
    record_all(store, [make_event(n + 10, alert=n, change=Change.CLEARED) for n in (1, 2, 4)])
    assert numbers_of(store) == ["5", "3", "4", "2", "1"]
    assert numbers_of(store, limit=1) == ["5", "3"]
    assert numbers_of(store, limit=3) == ["5", "3", "4"]
    assert numbers_of(store, active_only=True, limit=1) == ["5", "3"]


@pytest.mark.parametrize("years", [-56, -1, 30])
def test_the_order_of_alerts_is_that_of_writing(store: AlertStore, make_event: MakeEvent, years: int) -> None:
    """The clock was set by so much when half of them were written."""
    clock = timedelta(days=365 * years)
    for n in range(1, 7):
        event = make_event(n, alert=n)
        event = replace(event, at=event.at + clock) if n > 3 else event
        store.record(event, None)
        if n != 5:
            store.record(replace(event, event_id=f"cleared-{n}", change=Change.CLEARED), None)
    assert numbers_of(store) == ["5", "6", "4", "3", "2", "1"]
    assert numbers_of(store, limit=1) == ["5"]


def test_the_sensors_alert_that_is_still_open_is_the_last_written(
    store: AlertStore, make_event: MakeEvent
) -> None:
    store.record(make_event(1, alert=1), None)
    store.record(replace(make_event(2, alert=2), at=datetime(1970, 1, 1, tzinfo=UTC)), None)
    record = store.open_alert("motor")
    assert record is not None
    assert record.alert_id[-1] == "2"


def test_listing_alerts_takes_the_same_however_many_there_are(
    store: AlertStore, make_event: MakeEvent
) -> None:
    """Counted in steps of SQLite's virtual machine, which no other process changes."""

    def steps() -> int:
        counted = 0

        def count() -> int:
            nonlocal counted
            counted += 1
            return 0

        with store.database.reading() as connection:
            connection.set_progress_handler(count, 100)
            store.alerts(limit=20)
            connection.set_progress_handler(None, 0)
        return counted

    def clear_alerts(numbers: range) -> None:
        with store.database.transaction() as connection:
            for n in numbers:
                event = json.dumps(event_to_json(make_event(n, alert=n)))
                connection.execute(
                    "INSERT INTO alert (alert_id, sensor, level, score, raised_at, cleared_at)"
                    " VALUES (?, 'motor', 1, 4.0, ?, ?)",
                    (f"alert-{n}", "2026-03-01T12:00:00.000000Z", "2026-03-01T12:00:01.000000Z"),
                )
                connection.execute(
                    "INSERT INTO event (event_id, alert_id, document) VALUES (?, ?, ?)",
                    (f"event-{n}", f"alert-{n}", event),
                )

    clear_alerts(range(30))
    few = steps()
    clear_alerts(range(30, 3_000))
    assert steps() <= few + 1


def test_a_sensor_has_an_alert_of_its_own(store: AlertStore, make_event: MakeEvent) -> None:
    of_sensor = replace(make_event(2, alert=2), subject=Subject.SENSOR, part="sensor", reason="no answer")
    record_all(store, [make_event(1, alert=1), of_sensor])
    machine, sensor = store.open_alert("motor"), store.open_alert("motor", Subject.SENSOR)
    assert machine is not None
    assert machine.alert_id.endswith("1")
    assert sensor is not None
    assert sensor.alert_id.endswith("2")
    assert sensor.last_event.reason == "no answer"
    record_all(
        store, [replace(of_sensor, event_id="0199c000-0000-7000-8000-000000000003", change=Change.CLEARED)]
    )
    assert store.open_alert("motor", Subject.SENSOR) is None
    assert store.open_alert("motor") is not None


def test_an_open_alert_belongs_to_its_sensor(store: AlertStore, make_event: MakeEvent) -> None:
    record_all(store, [make_event(1, alert=1, sensor="pump"), make_event(2, alert=2, sensor="fan")])
    fan = store.open_alert("fan")
    assert fan is not None
    assert fan.alert_id.endswith("2")
    assert store.open_alert("motor") is None


def test_an_alert_goes_on_in_a_new_store_after_the_old_one_was_lost(
    store: AlertStore, make_event: MakeEvent
) -> None:
    escalated = make_event(2, change=Change.ESCALATED, level=Level.ALARM)
    record_all(store, [escalated])
    (record,) = store.alerts()
    assert (record.raised_at, record.escalated_at) == (escalated.at, escalated.at)


def test_an_event_is_stored_once(store: AlertStore, make_event: MakeEvent) -> None:
    event = make_event(1)
    record_all(store, [event, event])
    assert len(store.alerts()) == 1
    assert store.outbox.depth() == 1


def test_delivered_when_every_message_is_confirmed(store: AlertStore, make_event: MakeEvent) -> None:
    record_all(store, life_of_an_alert(make_event))
    first, second, third = store.outbox.next(10)
    store.outbox.settle(Delivery(SENT, NOW, confirmed=(first, second)))
    assert not store.alerts()[0].delivered
    store.outbox.settle(Delivery(SENT, NOW, confirmed=(third,)))
    record = store.alerts()[0]
    assert (record.delivered, record.sent_at, record.delivered_at) == (True, SENT, NOW)
    assert store.outbox.depth() == 0


def test_without_an_uplink_nothing_waits(store: AlertStore, make_event: MakeEvent) -> None:
    store.record(make_event(1), None)
    assert store.outbox.depth() == 0
    assert not store.outbox.waiting.is_set()
    (record,) = store.alerts()
    assert (record.delivered, record.waiting) == (False, False)


def test_an_alert_waits_until_all_its_messages_are_confirmed(
    store: AlertStore, make_event: MakeEvent
) -> None:
    record_all(store, life_of_an_alert(make_event))
    first, second, third = store.outbox.next(10)
    assert store.alerts()[0].waiting
    store.outbox.settle(Delivery(SENT, NOW, confirmed=(first, second)))
    assert store.alerts()[0].waiting
    store.outbox.settle(Delivery(SENT, NOW, confirmed=(third,)))
    assert not store.alerts()[0].waiting


def test_an_event_and_its_message_are_stored_together_or_not_at_all(
    store: AlertStore, make_event: MakeEvent
) -> None:
    event = make_event(1)
    taken = alert_message(event, GATEWAY)
    store.outbox.put(taken)  # the same message id: the second insertion of the transaction fails
    with pytest.raises(StoreError, match="UNIQUE"):
        store.record(event, taken)
    assert store.alerts() == []
    assert store.outbox.depth() == 1


def test_acknowledge_by_the_beginning_of_the_id(store: AlertStore, make_event: MakeEvent) -> None:
    record_all(store, [make_event(1, alert=0x10), make_event(2, alert=0x20)])
    record = store.acknowledge("0199C000-aaaa-7000-8000-00000000002", "ada", NOW)
    assert record.alert_id == "0199c000-aaaa-7000-8000-000000000020"
    assert (record.acknowledged_by, record.acknowledged_at) == ("ada", NOW)
    again = store.acknowledge(record.alert_id, "bob", NOW + timedelta(hours=1))
    assert (again.acknowledged_by, again.acknowledged_at) == ("ada", NOW)


@pytest.mark.parametrize(
    ("beginning", "message"),
    [
        ("0199c000-aaaa", "more than one alert begins with '0199c000-aaaa'"),
        ("ffff", "no alert 'ffff'; 'judder alerts' lists them"),
        ("%", "no alert '%'"),
        ("", "no alert ''"),
    ],
)
def test_acknowledge_names_the_id_that_does_not_fit(
    store: AlertStore, make_event: MakeEvent, beginning: str, message: str
) -> None:
    record_all(store, [make_event(1, alert=1), make_event(2, alert=2)])
    with pytest.raises(StoreError, match=message):
        store.acknowledge(beginning, "ada", NOW)
    assert all(record.acknowledged_at is None for record in store.alerts())


def test_all_is_there_after_a_restart(tmp_path: Path, make_event: MakeEvent) -> None:
    path = tmp_path / "judder.db"
    with AlertStore(path) as first:
        record_all(first, [make_event(1)])
    with AlertStore(path) as second:
        assert second.open_alert("motor") is not None
        assert second.outbox.depth() == 1


def test_commits_are_synced_to_the_disk(tmp_path: Path) -> None:
    with AlertStore(tmp_path / "judder.db") as store, store.database.reading() as connection:
        full = 2  # https://sqlite.org/pragma.html#pragma_synchronous
        assert connection.execute("PRAGMA synchronous").fetchone() == (full,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_threads_share_a_store(store: AlertStore, make_event: MakeEvent) -> None:
    def work(sensor: int) -> None:
        record_all(store, [make_event(100 * sensor + n, alert=100 * sensor + n) for n in range(20)])

    threads = [threading.Thread(target=work, args=(sensor,)) for sensor in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.alerts(limit=1000)) == 80
    assert store.outbox.depth() == 80


def test_a_closed_store_says_so(store: AlertStore) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreError, match="the alert store is closed"):
        store.alerts()


def cleared_alert(make_event: MakeEvent, number: int) -> list[AlertEvent]:
    return [
        make_event(2 * number, alert=number),
        make_event(2 * number + 1, alert=number, change=Change.CLEARED),
    ]


def test_the_oldest_cleared_alerts_are_forgotten(tmp_path: Path, make_event: MakeEvent) -> None:
    with AlertStore(tmp_path / "judder.db", history=HistoryLimits(cleared_alerts=3)) as store:
        store.record(make_event(1000, alert=1000), None)
        for number in range(1, 8):
            for event in cleared_alert(make_event, number):
                store.record(event, None)
        kept = [int(record.alert_id[-12:], 16) for record in store.alerts()]
        assert sorted(kept) == [5, 6, 7, 1000]
        with store.database.reading() as connection:
            assert connection.execute("SELECT count(*) FROM event").fetchone() == (7,)


def test_an_alert_that_was_not_delivered_is_not_forgotten(tmp_path: Path, make_event: MakeEvent) -> None:
    with AlertStore(tmp_path / "judder.db", history=HistoryLimits(cleared_alerts=1)) as store:
        for number in range(1, 4):
            record_all(store, cleared_alert(make_event, number))
        assert len(store.alerts()) == 3
        store.outbox.settle(Delivery(SENT, NOW, confirmed=tuple(store.outbox.next(100))))
        record_all(store, cleared_alert(make_event, 4))
        assert [record.alert_id[-1] for record in store.alerts()] == ["4"]


def test_the_order_of_forgetting_does_not_depend_on_the_clock(tmp_path: Path, make_event: MakeEvent) -> None:
    with AlertStore(tmp_path / "judder.db", history=HistoryLimits(cleared_alerts=1)) as store:
        for number in (50, 20):  # the second one is the younger: the clock was set back
            for event in cleared_alert(make_event, number):
                store.record(event, None)
        assert [int(record.alert_id[-12:], 16) for record in store.alerts()] == [20]


def test_thresholds_that_a_person_set_outlive_a_restart(tmp_path: Path) -> None:
    override = ThresholdOverride("motor", 3.5, 4.5, NOW, "ada")
    with AlertStore(tmp_path / "judder.db") as store:
        store.overrides.set(ThresholdOverride("motor", 1.0, 2.0, SENT, "bob"))
        store.overrides.set(override)
    with AlertStore(tmp_path / "judder.db") as store:
        assert store.overrides.of("motor") == override
        assert override.thresholds.of(Level.ALARM) == 4.5
        assert store.overrides.of("fan") is None
        store.overrides.remove("motor")
        assert store.overrides.of("motor") is None


def test_a_store_of_the_first_version_is_brought_up_to_date(tmp_path: Path, make_event: MakeEvent) -> None:
    path = tmp_path / "judder.db"
    event = make_event(1)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(MIGRATIONS[0])
        connection.execute("PRAGMA user_version = 1")
        connection.execute(
            "INSERT INTO alert VALUES (?, 'motor', 1, 4.0, ?, NULL, NULL, NULL, NULL)",
            (event.alert_id, "2026-03-01T12:00:01.000000Z"),
        )
        document = json.dumps(event_to_json(event))
        connection.execute(
            "INSERT INTO event (event_id, alert_id, document) VALUES (?, ?, ?)",
            (event.event_id, event.alert_id, document),
        )
        connection.execute(
            "INSERT INTO outbox (message_id, kind, priority, sensor, topic, payload, created_at)"
            " VALUES (?, 'alert', 0, 'motor', 't', x'00', '2026-03-01T12:00:01.000000Z')",
            (event.event_id,),
        )
        connection.commit()
    with pytest.raises(StoreError, match=r"written by an older judder .*start judder once"):
        AlertStore.read_only(path)
    with AlertStore(path) as store:
        assert store.alerts()[0].last_event == event
        (message,) = store.outbox.next(10)
        store.outbox.settle(Delivery(SENT, NOW, confirmed=(message,)))
        assert store.alerts()[0].delivered
        assert (store.outbox.totals()[Kind.ALERT].created, store.outbox.depth()) == (1, 0)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "judder.db"
    AlertStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    for opened in (AlertStore, AlertStore.read_only, lambda path: AlertStore.open(path, NOW)):
        with pytest.raises(
            StoreError, match=r"judder\.db: written by a newer judder \(schema 99, .* knows 3\)"
        ):
            opened(path)
    assert [file.name for file in tmp_path.iterdir()] == ["judder.db"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"absent/judder\.db: .*check that the folder exists"):
        AlertStore(tmp_path / "absent" / "judder.db")


def damage_header(path: Path) -> None:
    path.write_bytes(b"This is no database at all." * 100)


def damage_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 3] = b"\xa5" * 8192
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [damage_header, damage_page])
def test_a_damaged_store_is_kept_aside(
    tmp_path: Path,
    make_event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], None],
) -> None:
    path = tmp_path / "judder.db"
    with AlertStore(path) as store:
        record_all(store, [make_event(1)])
    damage(path)
    content = path.read_bytes()
    with caplog.at_level(logging.ERROR), AlertStore.open(path, NOW) as store:
        assert store.alerts() == []
        record_all(store, [make_event(2)])
    aside = tmp_path / "judder.db.corrupt-20260301T130000.000000Z"
    assert aside.read_bytes() == content
    assert "judder.db is damaged" in caplog.text
    assert aside.name in caplog.text
    with AlertStore.open(path, NOW) as store:
        assert len(store.alerts()) == 1


def test_a_store_without_damage_is_opened_as_it_is(tmp_path: Path, make_event: MakeEvent) -> None:
    path = tmp_path / "judder.db"
    with AlertStore.open(path, NOW) as store:
        record_all(store, [make_event(1)])
    with AlertStore.open(path, NOW) as store:
        assert len(store.alerts()) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["judder.db"]


def test_read_only_beside_a_daemon(store: AlertStore, make_event: MakeEvent) -> None:
    record_all(store, [make_event(1)])
    with AlertStore.read_only(store.path) as reader:
        assert len(reader.alerts()) == 1
        record_all(store, [make_event(2, alert=2)])
        assert len(reader.alerts()) == 2
        with pytest.raises(StoreError, match="readonly"):
            reader.acknowledge(reader.alerts()[0].alert_id, "ada", NOW)


def test_read_only_needs_a_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no alert store yet; start judder"):
        AlertStore.read_only(tmp_path / "judder.db")
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreError, match="is not an alert store"):
        AlertStore.read_only(tmp_path / "empty.db")
    assert [file.name for file in tmp_path.iterdir()] == ["empty.db"]


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """Yield a folder that everybody may read and only its owner may write."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("running", [False, True])
def test_read_only_for_who_may_not_write(public_folder: Path, make_event: MakeEvent, running: bool) -> None:
    store = AlertStore(public_folder / "judder.db")
    record_all(store, [make_event(1)])
    if not running:
        store.close()
    os.seteuid(NOBODY)
    try:
        with AlertStore.read_only(store.path) as reader:
            found = reader.alerts()
    finally:
        os.seteuid(0)
    assert len(found) == 1
    store.close()


def store_of_a_killed_daemon(folder: Path, event: AlertEvent) -> Path:
    """Make a store whose alert is in the write-ahead log, and whose index is gone, as after a power cut."""
    with AlertStore(folder / "running.db") as store:
        store.record(event, None)
        for suffix in ("", "-wal"):
            shutil.copy(folder / f"running.db{suffix}", folder / f"judder.db{suffix}")
    return folder / "judder.db"


@pytest.mark.parametrize("medium", [0, os.ST_RDONLY])
def test_a_log_that_cannot_be_read_where_it_is(
    tmp_path: Path, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch, medium: int
) -> None:
    path = store_of_a_killed_daemon(tmp_path, make_event(1))
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda folder, mode: False)
        patch.setattr(os, "statvfs", lambda folder: SimpleNamespace(f_flag=medium))
        with pytest.raises(
            StoreError, match="it is on a read-only medium" if medium else "you may not write"
        ):
            AlertStore.read_only(path)
    with AlertStore.read_only(path) as reader:
        assert len(reader.alerts()) == 1


def test_an_empty_log_needs_no_index(
    tmp_path: Path, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AlertStore(tmp_path / "judder.db") as store:
        store.record(make_event(1), None)
    (tmp_path / "judder.db-wal").touch()
    monkeypatch.setattr(os, "access", lambda folder, mode: False)
    with AlertStore.read_only(tmp_path / "judder.db") as reader:
        assert len(reader.alerts()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("forbidden", [".", "judder.db"])
def test_who_may_not_read_the_store_is_told_what_to_do(
    public_folder: Path, make_event: MakeEvent, forbidden: str
) -> None:
    with AlertStore(public_folder / "judder.db") as store:
        store.record(make_event(1), None)
    (public_folder / forbidden).chmod(0o700)
    os.seteuid(NOBODY)
    try:
        with pytest.raises(StoreError, match=r"judder\.db: Permission denied; run as root or join the group"):
            AlertStore.read_only(public_folder / "judder.db")
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_first_start_on_a_read_only_disk(
    public_folder: Path, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no file that could be read meanwhile, and none can be made."""
    monkeypatch.setattr(database, "disk_refuses", lambda folder: True)
    monkeypatch.setattr(database, "is_read_only", lambda folder: True)
    os.seteuid(NOBODY)
    try:
        with AlertStore.open(public_folder / "judder.db", NOW) as store:
            assert (store.error is None, store.alerts()) == (False, [])
            with pytest.raises(StoreError, match="the disk is mounted read-only"):
                store.record(make_event(1), None)
            os.seteuid(0)
            store.record(make_event(1), None)
            assert (store.error, len(store.alerts())) == (None, 1)
    finally:
        os.seteuid(0)


def test_a_full_disk_is_told_and_nothing_is_half_written(store: AlertStore, make_event: MakeEvent) -> None:
    record_all(store, [make_event(1)])
    with store.database.reading() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full; free space on the disk"):
        record_all(store, [make_event(n, alert=n) for n in range(2, 200)])
    assert store.error is not None
    assert "free space" in store.error
    stored = len(store.alerts(limit=1000))
    assert stored == store.outbox.depth()
    assert 1 <= stored < 199
    with store.database.reading() as connection:
        connection.execute("PRAGMA max_page_count = 100000")
    record_all(store, [make_event(1000, alert=1000)])
    assert store.error is None


def test_a_refusal_of_ours_is_no_error_of_the_disk(store: AlertStore) -> None:
    with pytest.raises(StoreError):
        store.acknowledge("ffff", "ada", NOW)
    assert (store.error, store.damaged) == (None, False)


def test_damage_found_while_running_is_told(tmp_path: Path, make_event: MakeEvent) -> None:
    path = tmp_path / "judder.db"
    with AlertStore(path) as store:
        record_all(store, [make_event(n, alert=n) for n in range(1, 50)])
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with AlertStore(path) as store:
        with pytest.raises(StoreError, match="restart judder"):
            store.alerts()
        assert store.damaged


def test_an_unreadable_event_names_its_alert(store: AlertStore, make_event: MakeEvent) -> None:
    store.record(make_event(1), None)
    with store.database.transaction() as connection:
        connection.execute("UPDATE event SET document = '{}'")
    with pytest.raises(StoreError, match="alert 0199c000-aaaa-7000-8000-000000000000: not an alert event"):
        store.alerts()
