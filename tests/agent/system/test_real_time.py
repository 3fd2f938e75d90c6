"""Threads that drain FIFOs go before others where that is allowed, and go on where it is not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from agent.sensing.bus_sampler import BusSampler
from agent.sensing.ring_buffer import RingBuffer
from agent.sensing.sampler import Sampler
from agent.system.backoff import Backoff
from agent.system.real_time import go_real_time, real_time
from agent.system.watchdog import Watchdog
from firmware_bridge.chip.accelerometer import Accelerometer
from firmware_bridge.clock import SystemClock
from firmware_bridge.errors import SensorError
from tests.waiting import DEADLINE_S


@pytest.fixture(autouse=True)
def _same_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


def in_a_thread() -> tuple[bool, int]:
    def ask() -> tuple[bool, int]:
        return go_real_time(), os.sched_getscheduler(0)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result()


def test_only_the_calling_thread_goes_real_time() -> None:
    allowed, policy = in_a_thread()
    if not allowed:
        pytest.skip("real-time priority is not allowed here (ulimit -r)")
    assert policy == os.SCHED_RR | os.SCHED_RESET_ON_FORK
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    assert sys.getswitchinterval() == pytest.approx(0.001)


def test_it_may_be_for_a_while() -> None:
    before = sys.getswitchinterval()
    allowed, _ = in_a_thread()
    sys.setswitchinterval(before)
    with real_time():
        assert os.sched_getscheduler(0) == (os.SCHED_RR if allowed else os.SCHED_OTHER)
        assert sys.getswitchinterval() == pytest.approx(0.001)
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    assert sys.getswitchinterval() == before


def test_a_thread_that_may_not_goes_on_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert in_a_thread() == (False, os.SCHED_OTHER)


def test_the_sampler_thread_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    policies: list[int] = []
    opened = Event()

    def no_sensor() -> Accelerometer:
        policies.append(os.sched_getscheduler(0))
        opened.set()
        raise SensorError("none here")

    clock = SystemClock()
    sampler = Sampler("press", no_sensor, RingBuffer(64, 3), clock, Backoff("press"))
    thread = BusSampler("sim:1", [sampler], clock, Watchdog(lambda state: None, clock))
    thread.start()
    assert opened.wait(DEADLINE_S)
    assert thread.stop(DEADLINE_S)
    allowed, policy = in_a_thread()
    assert policies == [policy if allowed else os.SCHED_OTHER]
