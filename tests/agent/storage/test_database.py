"""The database file: all or nothing, a disk that fills up at any page, what damage is called."""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.storage import HistoryLimits
from agent.errors import StoreError
from agent.judging.alert import AlertEvent, Change
from agent.storage.alerts import AlertStore
from agent.storage.database import MIGRATIONS, Database, check, disk_refuses, quarantine
from agent.storage.message import Kind, Message
from agent.storage.overrides import ThresholdOverride
from agent.uplink.sparkplug_births import Births

MakeEvent = Callable[..., AlertEvent]
MakeMessage = Callable[..., Message]
NOW = datetime(2026, 3, 1, 13, tzinfo=UTC)
DAMAGE = b"SQLite format 3\x00" + b"\xa5" * 4080
TABLES = ("alert", "event", "outbox", "threshold", "regime", "birth")


def fill(store: AlertStore, spare_pages: int = 0) -> None:
    """Let the file grow by so many pages and no more."""
    with store.database.reading() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + spare_pages}")


def counts(store: AlertStore) -> dict[str, int]:
    with store.database.reading() as connection:
        rows = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in TABLES}
    return {table: count for table, (count,) in rows.items()}


@pytest.mark.parametrize("spare_pages", range(4))
def test_an_event_is_stored_whole_or_not_at_all_wherever_the_disk_ends(
    store: AlertStore, make_event: MakeEvent, make_message: MakeMessage, spare_pages: int
) -> None:
    """An event of three pages and its message of two; some of them still fit."""
    fill(store, spare_pages)
    before = counts(store)
    large = make_event(1, sensor="m" * 10_000)
    with pytest.raises(StoreError, match="full; free space on the disk"):
        store.record(large, make_message(1, Kind.ALERT, size=8000))
    assert counts(store) == before
    assert store.outbox.totals()[Kind.ALERT].waiting == 0
    fill(store, 100)
    store.record(large, make_message(1, Kind.ALERT, size=8000))
    assert (counts(store)["event"], store.outbox.totals()[Kind.ALERT].waiting_bytes) == (1, 8000)


def test_a_full_disk_is_logged_once_and_so_is_its_end(
    store: AlertStore, make_message: MakeMessage, caplog: pytest.LogCaptureFixture
) -> None:
    fill(store)
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            with pytest.raises(StoreError):
                store.outbox.put(make_message(number, size=100_000))
        fill(store, 100)
        store.outbox.put(make_message(9))
        store.outbox.put(make_message(10))
    levels = [record.levelname for record in caplog.records]
    assert levels == ["ERROR", "WARNING"]
    assert caplog.records[1].getMessage() == f"{store.path} can be written again"


def test_what_people_have_set_survives_a_change_that_does_not_fit(store: AlertStore) -> None:
    store.overrides.set(ThresholdOverride("press", 3.0, 4.0, NOW, "ada"))
    store.regimes.set("press", "slow", NOW, "plc")
    fill(store)
    with pytest.raises(StoreError, match="full"):
        store.overrides.set(ThresholdOverride("press", 5.0, 6.0, NOW, "b" * 100_000))
    with pytest.raises(StoreError, match="full"):
        store.regimes.set("press", "fast", NOW, "b" * 100_000)
    kept = store.overrides.of("press")
    assert kept is not None
    assert (kept.warning, kept.alarm, kept.set_by) == (3.0, 4.0, "ada")
    assert store.regimes.of("press") == "slow"


def test_one_sensors_settings_are_not_anothers(store: AlertStore) -> None:
    store.overrides.set(ThresholdOverride("press", 3.0, 4.0, NOW, "ada"))
    store.regimes.set("press", "slow", NOW, "plc")
    assert (store.overrides.of("pump"), store.regimes.of("pump")) == (None, None)
    store.overrides.remove("pump")
    store.regimes.set("pump", None, NOW, "plc")
    assert store.overrides.of("press") is not None
    assert store.regimes.of("press") == "slow"
    store.regimes.set("press", None, NOW, "plc")
    assert store.regimes.of("press") is None


def test_births_go_on_in_memory_when_the_disk_takes_nothing(store: AlertStore) -> None:
    births = Births(store.database)
    assert [births.next(), births.next()] == [0, 1]
    with store.database.reading() as connection:
        connection.execute("PRAGMA query_only = ON")
    assert [births.next(), births.next()] == [2, 3]
    assert Births(store.database).next() == 2  # what a restart would find: the disk's last


def test_an_error_of_the_caller_undoes_his_changes(store: AlertStore) -> None:
    def fail_halfway() -> None:
        with store.database.transaction() as connection:
            connection.execute("INSERT INTO birth VALUES (7)")
            raise ValueError("not like that")

    with pytest.raises(ValueError, match="not like that"):
        fail_halfway()
    assert counts(store)["birth"] == 0
    assert store.error is None
    with store.database.transaction() as connection:
        connection.execute("INSERT INTO birth VALUES (8)")
    assert counts(store)["birth"] == 1


def test_one_message_cannot_wait_twice(store: AlertStore, make_message: MakeMessage) -> None:
    store.outbox.put(make_message(1, size=10))
    with pytest.raises(StoreError, match="UNIQUE"):
        store.outbox.put(make_message(1, size=10))
    total = store.outbox.totals()[Kind.SCORE]
    assert (total.waiting, total.waiting_bytes, total.created) == (1, 10, 1)
    assert store.error is None  # ours, not the disk's


@pytest.mark.parametrize("durable", [True, False])
def test_only_a_durable_transaction_waits_for_the_disk(store: AlertStore, durable: bool) -> None:
    with store.database.transaction(durable=durable) as connection:
        (level,) = connection.execute("PRAGMA synchronous").fetchone()
    assert level == (2 if durable else 1)  # FULL, NORMAL: https://sqlite.org/pragma.html#pragma_synchronous


def test_another_process_that_holds_the_file_is_told(store: AlertStore) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with store.database.reading() as connection:
            connection.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(StoreError, match="locked; another process holds the file; close it"):
            store.regimes.set("press", "slow", NOW, "plc")
        other.execute("ROLLBACK")
    store.regimes.set("press", "slow", NOW, "plc")
    assert store.regimes.of("press") == "slow"


def test_a_reader_may_not_change_anything(store: AlertStore, make_event: MakeEvent) -> None:
    store.record(make_event(1), None)
    with AlertStore.read_only(store.path) as reader:
        with pytest.raises(StoreError, match="readonly database; check who may write the file"):
            reader.acknowledge(make_event(1).alert_id, "ada", NOW)
        assert reader.alerts()[0].acknowledged_by is None


def test_an_older_file_is_brought_up_to_date_by_the_daemon_alone(tmp_path: Path) -> None:
    path = tmp_path / "judder.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(f"{MIGRATIONS[0]}; PRAGMA user_version = 1")
    with pytest.raises(StoreError, match=r"older judder \(schema 1, this one needs 3\); start judder once"):
        AlertStore.read_only(path)
    AlertStore(path).close()
    with AlertStore.read_only(path) as reader:
        assert reader.alerts() == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", None), (b"no database at all, but a text of some length", "file is not a database"), (None, None)],
)
def test_the_bytes_of_a_file_are_checked(tmp_path: Path, content: bytes | None, problem: str | None) -> None:
    path = tmp_path / "judder.db"
    if content is not None:
        path.write_bytes(content)
    assert check(path) == problem


@pytest.mark.parametrize("page", [1, 2, 4])
def test_damage_on_any_page_is_found_and_everything_kept(
    tmp_path: Path, make_event: MakeEvent, page: int
) -> None:
    path = tmp_path / "judder.db"
    with AlertStore(path) as store:
        for number in range(1, 100):
            store.record(make_event(number, alert=number), None)
    content = bytearray(path.read_bytes())
    content[4096 * (page - 1) : 4096 * page] = DAMAGE
    path.write_bytes(content)
    with AlertStore.open(path, NOW) as store:
        aside = store.quarantined
        assert (store.alerts(), store.damaged, store.error) == ([], False, None)
    assert aside == tmp_path / "judder.db.corrupt-20260301T130000.000000Z"
    assert aside.read_bytes() == content


def test_the_log_goes_aside_with_its_database(tmp_path: Path) -> None:
    path = tmp_path / "judder.db"
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).write_text(suffix)
    aside = quarantine(path, NOW)
    assert [file.name for file in sorted(tmp_path.iterdir())] == [
        aside.name,
        f"{aside.name}-shm",
        f"{aside.name}-wal",
    ]


def test_the_new_names_reach_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "judder.db"
    path.write_bytes(DAMAGE)
    synced: list[Path] = []
    monkeypatch.setattr("agent.storage.database.sync_folder", synced.append)
    quarantine(path, NOW)
    assert synced == [tmp_path]


def test_a_database_cannot_be_used_after_its_end(tmp_path: Path) -> None:
    database = Database(tmp_path / "judder.db")
    database.close()
    database.close()
    with pytest.raises(StoreError, match="closed"), database.transaction():
        pass
    assert database.error is None


@pytest.mark.parametrize(
    ("code", "refuses"),
    [(errno.ENOSPC, True), (errno.EROFS, True), (errno.EIO, True), (errno.EACCES, False), (None, False)],
)
def test_a_disk_that_refuses_is_told_from_a_folder_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None, refuses: bool
) -> None:
    def temporary_file(**_: object) -> object:
        raise OSError(code, "no")

    if code is not None:
        monkeypatch.setattr("agent.storage.database.tempfile.TemporaryFile", temporary_file)
    assert disk_refuses(tmp_path) is refuses


LIVES = st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=25)


@settings(max_examples=25)
@given(LIVES, st.integers(0, 3))
def test_the_newest_cleared_alerts_are_kept_and_all_that_are_active(
    make_event: MakeEvent, tmp_path_factory: pytest.TempPathFactory, lives: list[tuple[int, bool]], kept: int
) -> None:
    """Against a list: alert by number, in the order in which they were raised; true: it clears."""
    path = tmp_path_factory.mktemp("store") / "judder.db"
    order: list[int] = []
    cleared: set[int] = set()
    with AlertStore(path, history=HistoryLimits(kept)) as store:
        for number, (alert, clears) in enumerate(lives):
            change = Change.CLEARED if clears else Change.RAISED
            store.record(make_event(number, alert=alert, change=change), None)
            if alert not in order:
                order.append(alert)
            if clears:
                cleared.add(alert)
                past = [other for other in order if other in cleared]
                forgotten = past[: max(len(past) - kept, 0)]
                order = [other for other in order if other not in forgotten]
                cleared -= set(forgotten)
        found = {int(record.alert_id[-4:], 16): record.active for record in store.alerts()}
        assert found == {alert: alert not in cleared for alert in order}
        assert store.active_alerts() == len(set(order) - cleared)
