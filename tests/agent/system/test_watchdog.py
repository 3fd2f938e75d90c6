"""The watchdog: who must check in, and what systemd hears."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.system.watchdog import READY, Watchdog, sd_notify, status, watchdog_interval_s
from firmware_bridge.clock import SimulatedClock


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture
def sent() -> list[str]:
    return []


@pytest.fixture
def watchdog(sent: list[str], clock: SimulatedClock) -> Watchdog:
    return Watchdog(sent.append, clock)


def test_systemd_hears_of_it_while_all_are_fresh(
    watchdog: Watchdog, clock: SimulatedClock, sent: list[str]
) -> None:
    watchdog.register("sampler", 2.0)
    watchdog.register("forwarder", 60.0)
    clock.advance(2.0)
    assert watchdog.poll()
    clock.advance(0.1)
    assert not watchdog.poll()
    watchdog.check_in("forwarder")
    assert not watchdog.poll()
    watchdog.check_in("sampler")
    assert watchdog.poll()
    assert sent == ["WATCHDOG=1", "WATCHDOG=1"]


def test_the_silent_thread_is_named_once(
    watchdog: Watchdog, clock: SimulatedClock, caplog: pytest.LogCaptureFixture
) -> None:
    watchdog.register("sampler", 2.0)
    watchdog.register("detector", 2.0)
    clock.advance(1.5)
    watchdog.check_in("detector")
    clock.advance(1.0)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert not watchdog.poll()
        watchdog.check_in("sampler")
        assert watchdog.poll()
    assert [record.getMessage() for record in caplog.records] == [
        "thread sampler has been silent for 2.5 s (at most 2.0 s)",
        "thread sampler is back",
    ]


def test_all_silent_threads_are_named(
    watchdog: Watchdog, clock: SimulatedClock, caplog: pytest.LogCaptureFixture
) -> None:
    watchdog.register("sampler", 1.0)
    watchdog.register("detector", 1.0)
    clock.advance(5.0)
    watchdog.poll()
    assert "thread sampler" in caplog.text
    assert "thread detector" in caplog.text


def test_a_thread_that_ended_is_not_expected(watchdog: Watchdog, clock: SimulatedClock) -> None:
    watchdog.register("sampler", 1.0)
    watchdog.unregister("sampler")
    watchdog.check_in("sampler")
    clock.advance(5.0)
    assert watchdog.poll()


@pytest.fixture(params=["path", "abstract"])
def notify_socket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """Yield what systemd puts in NOTIFY_SOCKET, and the socket that it listens on."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@judder-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name.replace("@", "\0", 1))
        listener.settimeout(5.0)
        yield name, listener


def test_sd_notify_reaches_systemd(notify_socket: tuple[str, socket.socket]) -> None:
    name, listener = notify_socket
    sd_notify(READY, {"NOTIFY_SOCKET": name})
    sd_notify(status("2 sensors,\n1 alert"), {"NOTIFY_SOCKET": name})
    assert listener.recv(100) == b"READY=1"
    assert listener.recv(100) == b"STATUS=2 sensors, 1 alert"


def test_sd_notify_without_systemd(caplog: pytest.LogCaptureFixture) -> None:
    sd_notify(READY, {})
    assert not caplog.records
    sd_notify(READY, {"NOTIFY_SOCKET": "/nonexistent/notify"})
    assert "cannot notify systemd at /nonexistent/notify" in caplog.text


@pytest.mark.parametrize(
    ("environ", "interval_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_interval_is_half_of_what_systemd_allows(
    environ: dict[str, str], interval_s: float | None
) -> None:
    assert watchdog_interval_s(environ) == interval_s
