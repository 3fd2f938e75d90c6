"""When a sensor's own alert is raised and cleared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from agent.judging.alert import Change
from agent.judging.sensor_watch import SensorChange, SensorWatch
from agent.sensing.sampler import SamplerStatus, SensorState
from firmware_bridge.chip.accelerometer import SensorInfo
from firmware_bridge.clock import SimulatedClock

Window = npt.NDArray[np.float32]
INFO = SensorInfo(
    chip="adxl345",
    bus="/dev/i2c-1",
    address=0x53,
    rate_hz=800.0,
    range_g=16.0,
    resolution_g=1 / 256,
    fifo_depth=32,
    simulated=False,
)
GOOD: Window = np.random.default_rng(0).normal(0, 1, (64, 3)).astype(np.float32)
STUCK: Window = np.where([True, False, False], np.float32(0.5), GOOD)
FAILED = "no answer from this address"


class Bench:
    """A watch on a sampler that the test speaks for."""

    def __init__(self, reason: str | None = None) -> None:
        self.clock = SimulatedClock()
        self.status = SamplerStatus(SensorState.SAMPLING, info=INFO)
        self.watch = SensorWatch("xyz", 16.0, self.clock, lambda: self.status, reason=reason)

    def fail(self, error: str = FAILED) -> None:
        self.status = replace(
            self.status,
            state=SensorState.FAILED,
            error=error,
            last_error=error,
            reopened=self.status.reopened + 1,
        )

    def recover(self) -> None:
        self.status = replace(self.status, state=SensorState.SAMPLING, error=None)

    def feed(self, window: Window, seconds: float) -> list[SensorChange]:
        """Give ten windows a second and return what changed."""
        changes = []
        for _ in range(round(10 * seconds)):
            self.clock.advance(0.1)
            self.watch.admits(window)
            changes.append(self.watch.poll())
        return [change for change in changes if change]


def test_a_sensor_that_works_is_not_told() -> None:
    assert Bench().feed(GOOD, 20.0) == []


def test_a_failed_sensor_is_told_at_once_and_cleared_when_it_works_again() -> None:
    bench = Bench()
    bench.feed(GOOD, 1.0)
    bench.fail()
    assert bench.watch.poll() == SensorChange(Change.RAISED, FAILED)
    bench.clock.advance(60)
    assert bench.watch.poll() is None
    bench.recover()
    assert bench.feed(GOOD, 4.9) == []
    assert bench.feed(GOOD, 0.2) == [SensorChange(Change.CLEARED, FAILED)]


def test_a_failure_between_two_looks_is_told_too() -> None:
    bench = Bench()
    bench.fail("lost its configuration")
    bench.recover()
    assert bench.watch.poll() == SensorChange(Change.RAISED, "lost its configuration")


def test_a_sensor_that_fails_again_and_again_is_one_alert() -> None:
    bench = Bench()
    changes = []
    for _ in range(10):
        bench.fail()
        bench.recover()
        changes += bench.feed(GOOD, 3.0)
    assert changes == [SensorChange(Change.RAISED, FAILED)]


def test_a_sensor_that_says_nothing_is_not_sound() -> None:
    bench = Bench()
    bench.fail()
    bench.watch.poll()
    bench.recover()
    bench.clock.advance(60)
    assert bench.watch.poll() is None


def test_a_stuck_axis_is_not_admitted_and_told_with_its_place() -> None:
    bench = Bench()
    assert bench.watch.admits(GOOD)
    assert not bench.watch.admits(STUCK)
    assert not bench.watch.admits(STUCK)
    assert bench.watch.poll() is None
    bench.watch.admits(STUCK)
    change = bench.watch.poll()
    assert change is not None
    assert change.reason.startswith("adxl345 on /dev/i2c-1 at 0x53: axis x gives one code only")
    assert [change.change for change in bench.feed(GOOD, 6.0)] == [Change.CLEARED]


def test_two_bad_windows_are_nothing_yet() -> None:
    bench = Bench()
    for _ in range(10):
        assert bench.feed(STUCK, 0.2) == []
        assert bench.feed(GOOD, 0.1) == []


def test_a_moved_sensor_is_told_but_its_windows_are_scored() -> None:
    bench = Bench()
    bench.feed(GOOD, 4.0)
    askew = GOOD + np.float32(0.5)
    assert bench.watch.admits(askew)
    (change,) = bench.feed(askew, 1.0)
    assert "tighten it" in change.reason


def test_an_alert_left_open_is_cleared_after_a_restart() -> None:
    assert Bench(FAILED).feed(GOOD, 6.0) == [SensorChange(Change.CLEARED, FAILED)]


def test_a_machine_is_watched_while_samples_of_use_come() -> None:
    bench = Bench()
    assert bench.watch.blind_since_ns() is None
    bench.status = replace(bench.status, silent_since_ns=123)
    assert bench.watch.blind_since_ns() == 123
    bench.status = replace(bench.status, silent_since_ns=None)
    assert bench.watch.blind_since_ns() is None


def test_a_machine_is_not_watched_while_no_window_can_be_used() -> None:
    bench = Bench()
    bench.feed(GOOD, 1.0)
    bench.feed(STUCK, 0.2)
    assert bench.watch.blind_since_ns() is None
    bench.feed(STUCK, 0.3)
    assert bench.watch.blind_since_ns() == pytest.approx(1.1e9)
    bench.feed(GOOD, 0.1)
    assert bench.watch.blind_since_ns() is None
