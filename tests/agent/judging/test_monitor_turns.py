"""The detector turn by turn, without its thread: rules that change meanwhile, a disk that comes and goes."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.alarm import AlarmPolicy
from agent.errors import StoreError, WindowError
from agent.inference.arrays import FloatArray
from agent.inference.detector import Explanation, Verdict
from agent.inference.manifest import Manifest
from agent.inference.scoring import Level, Threshold, Thresholds
from agent.inference.window import WindowSpec
from agent.judging.alarm import Alarm, Transition
from agent.judging.alert import AlertEvent, Change, Rule, Subject
from agent.judging.monitor import Monitor
from agent.judging.sensor_watch import SensorWatch
from agent.sensing.ring_buffer import RingBuffer, WindowReader
from agent.sensing.sampler import SamplerStatus, SensorState
from agent.system.watchdog import Watchdog
from firmware_bridge.chip.accelerometer import SampleBlock
from firmware_bridge.clock import SimulatedClock

RATE_HZ = 100.0
HOP = 64
SINGLE = AlarmPolicy(k=1, n=1, hysteresis=0.0, persistence_hours=0.0)
"""Every window by itself."""
PATIENT = AlarmPolicy(k=2, n=3, hysteresis=0.0, persistence_hours=0.0)
MACHINE_ALERT = "0199c000-aaaa-7000-8000-000000000001"
SENSOR_ALERT = "0199c000-aaaa-7000-8000-000000000002"


def lines(warning: float, alarm: float) -> Thresholds:
    return Thresholds(Threshold(warning, "person"), Threshold(alarm, "person"))


class SaidJudge:
    """Gives the scores that the test says; does not look at the samples."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.score = 0.0

    def judge(self, windows: FloatArray) -> list[Verdict]:
        if np.isnan(self.score):
            raise WindowError("the score is not finite")
        return [Verdict(self.score, Level.NORMAL, "level")]

    def explain(self, window: FloatArray, part: str) -> Explanation:
        return Explanation((), ())


class Bench:
    """A monitor that is turned by hand, a window a turn."""

    def __init__(
        self,
        manifest: Manifest,
        policy: AlarmPolicy = SINGLE,
        *,
        open_alert: Transition | None = None,
        sensor_reason: str | None = None,
    ) -> None:
        manifest = replace(manifest, thresholds=lines(2.0, 4.0), window=WindowSpec(HOP, HOP), rate_hz=RATE_HZ)
        self.clock = SimulatedClock()
        self.ring = RingBuffer(4 * HOP, 1)
        self.status = SamplerStatus(SensorState.SAMPLING)
        self.judge = SaidJudge(manifest)
        self.alarm = Alarm(manifest, policy, open_alert=open_alert)
        self.disk_full = False
        self.events: list[AlertEvent] = []
        self.noise = np.random.default_rng(0).standard_normal((HOP, 1)).astype(np.float32)
        self.monitor = Monitor(
            "press",
            WindowReader(self.ring, manifest.window, [0]),
            self.judge,
            self.alarm,
            SensorWatch("x", 100.0, self.clock, lambda: self.status, reason=sensor_reason),
            clock=self.clock,
            watchdog=Watchdog(lambda state: None, self.clock),
            announce=self.announce,
            simulated=False,
            alert_id=MACHINE_ALERT if open_alert else None,
            sensor_alert_id=SENSOR_ALERT if sensor_reason else None,
        )

    def announce(self, event: AlertEvent) -> None:
        if self.disk_full:
            raise StoreError(Path("judder.db"), "no space left")
        self.events.append(event)

    def hear(self, *scores: float) -> None:
        """Give a window for each score."""
        for score in scores:
            self.judge.score = score
            self.clock.advance(HOP / RATE_HZ)
            self.ring.append(SampleBlock(self.noise, self.clock.monotonic_ns(), RATE_HZ, lost=0))
            self.monitor.turn(0.0)

    def told(self) -> list[tuple[Change, Level]]:
        return [(event.change, event.level) for event in self.events]


@pytest.fixture
def bench(level_manifest: Manifest) -> Bench:
    return Bench(level_manifest)


def test_new_thresholds_hold_from_the_next_window_on(bench: Bench) -> None:
    bench.hear(3.0)
    bench.monitor.adjust(lines(5.0, 6.0), SINGLE)
    bench.hear(3.0, 5.5)
    assert bench.told() == [
        (Change.RAISED, Level.WARNING),
        (Change.CLEARED, Level.WARNING),
        (Change.RAISED, Level.WARNING),
    ]
    assert bench.events[2].threshold == 5.0
    assert bench.monitor.status().thresholds == lines(5.0, 6.0)


def test_a_new_policy_leaves_thresholds_that_are_not_in_force_yet(bench: Bench) -> None:
    """A person sets thresholds and the configuration is loaded again, both within one window."""
    bench.monitor.adjust(lines(5.0, 6.0), SINGLE)
    bench.monitor.adjust(None, PATIENT)
    bench.hear(4.5, 4.5, 5.5)
    assert bench.told() == []
    bench.hear(5.5)
    assert bench.told() == [(Change.RAISED, Level.WARNING)]


def test_a_change_while_another_is_taken_over_is_not_lost(level_manifest: Manifest) -> None:
    bench = Bench(level_manifest)
    taken: list[Thresholds] = []
    adjust = bench.alarm.adjust

    def slow(thresholds: Thresholds, policy: AlarmPolicy) -> None:
        adjust(thresholds, policy)
        taken.append(thresholds)
        if len(taken) == 1:  # somebody else comes before the detector is back
            bench.monitor.adjust(lines(7.0, 8.0), policy)

    bench.alarm.adjust = slow  # type: ignore[method-assign]
    bench.monitor.adjust(lines(5.0, 6.0), SINGLE)
    bench.hear(0.0, 0.0, 0.0)
    assert taken == [lines(5.0, 6.0), lines(7.0, 8.0)]
    assert bench.monitor.status().thresholds == lines(7.0, 8.0)


def test_an_adjustment_is_taken_over_without_a_window_too(bench: Bench) -> None:
    bench.monitor.adjust(lines(5.0, 6.0), SINGLE)
    bench.monitor.turn(0.0)
    assert bench.monitor.status().thresholds == lines(5.0, 6.0)


def test_what_waits_is_stored_before_what_comes_later(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.disk_full = True
    with caplog.at_level(logging.ERROR):
        bench.hear(3.0, 5.0, 0.0)
    assert (bench.events, bench.monitor.status().waiting) == ([], 3)
    assert [record.getMessage() for record in caplog.records] == [
        "sensor press: alerts wait in memory: judder.db: no space left"
    ]
    bench.disk_full = False
    bench.hear(3.0)
    assert bench.monitor.status().waiting == 0
    assert bench.told() == [
        (Change.RAISED, Level.WARNING),
        (Change.ESCALATED, Level.ALARM),
        (Change.CLEARED, Level.ALARM),
        (Change.RAISED, Level.WARNING),
    ]
    assert [event.alert_id == bench.events[0].alert_id for event in bench.events] == [True, True, True, False]


def test_a_disk_that_fills_up_again_is_told_again(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        for full in (True, False, True):
            bench.disk_full = full
            bench.hear(3.0, 0.0)
    assert len(caplog.records) == 2


@given(st.lists(st.tuples(st.sampled_from([0.0, 3.0, 5.0]), st.booleans()), max_size=40))
def test_whatever_the_disk_does_every_event_is_stored_once_and_in_order(
    level_manifest: Manifest, windows: list[tuple[float, bool]]
) -> None:
    bench, sound = Bench(level_manifest), Bench(level_manifest)
    for score, disk_full in windows:
        bench.disk_full = disk_full
        bench.hear(score)
        sound.hear(score)
        assert len(bench.events) + bench.monitor.status().waiting == len(sound.events)
    bench.disk_full = False
    bench.monitor.turn(0.0)
    assert bench.told() == sound.told()
    assert len({event.event_id for event in bench.events}) == len(bench.events)


def test_both_alerts_that_were_open_are_continued(level_manifest: Manifest) -> None:
    bench = Bench(
        level_manifest,
        open_alert=Transition(Change.RAISED, Level.WARNING, Rule.K_OF_N, 1),
        sensor_reason="no answer",
    )
    status = bench.monitor.status()
    assert (status.level, status.alert_id, status.sensor_alert_id) == (
        Level.WARNING,
        MACHINE_ALERT,
        SENSOR_ALERT,
    )
    bench.hear(3.0)
    assert bench.told() == []
    bench.hear(5.0, 0.0)
    bench.clock.advance(6.0)
    bench.hear(0.0)
    machine = [event for event in bench.events if event.subject is Subject.MACHINE]
    assert [(event.change, event.alert_id) for event in machine] == [
        (Change.ESCALATED, MACHINE_ALERT),
        (Change.CLEARED, MACHINE_ALERT),
    ]
    (sensor,) = (event for event in bench.events if event.subject is Subject.SENSOR)
    assert (sensor.change, sensor.alert_id, sensor.reason) == (Change.CLEARED, SENSOR_ALERT, "no answer")
    status = bench.monitor.status()
    assert (status.alert_id, status.sensor_alert_id) == (None, None)


def test_a_failed_sensor_has_an_alert_beside_that_of_its_machine(bench: Bench) -> None:
    bench.hear(3.0)
    bench.status = SamplerStatus(SensorState.FAILED, error="no answer", reopened=1)
    bench.monitor.turn(0.0)
    machine, sensor = bench.events
    assert (sensor.subject, sensor.change, sensor.level) == (Subject.SENSOR, Change.RAISED, Level.WARNING)
    assert (sensor.score, sensor.threshold, sensor.rule, sensor.windows) == (0.0, 0.0, None, 0)
    assert sensor.alert_id != machine.alert_id
    assert bench.monitor.status().level is Level.WARNING


def test_a_window_without_a_score_leaves_the_level(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.hear(3.0, float("nan"), float("nan"))
    status = bench.monitor.status()
    assert (status.level, status.windows_scored, status.windows_bad) == (Level.WARNING, 1, 2)
    assert status.score == 3.0
    assert len([record for record in caplog.records if "window not scored" in record.getMessage()]) == 1


def test_the_summary_has_each_window_once(bench: Bench) -> None:
    assert bench.monitor.take_summary() is None
    bench.hear(1.0, 3.0, 2.5)
    summary = bench.monitor.take_summary()
    assert summary is not None
    assert (summary.windows, summary.score_max, summary.score_median) == (3, 3.0, 2.5)
    assert (summary.end - summary.start).total_seconds() == pytest.approx(2 * 0.64)
    assert (summary.level, summary.sensor, summary.simulated) == (Level.WARNING, "press", False)
    assert bench.monitor.take_summary() is None
    bench.hear(0.5)
    assert (bench.monitor.scores().count, bench.monitor.scores().total) == (4, 7.0)


def test_of_the_scores_the_newest_thousand_are_kept(bench: Bench) -> None:
    bench.hear(*(float(number % 2) for number in range(1001)), -7.0)
    sample = bench.monitor.scores()
    assert (len(sample.newest), sample.newest[0], sample.newest[-1]) == (1000, 0.0, -7.0)
    assert (sample.count, sample.total) == (1002, 493.0)


def test_the_delay_is_counted_from_the_last_sample(bench: Bench) -> None:
    bench.ring.append(SampleBlock(bench.noise, bench.clock.monotonic_ns(), RATE_HZ, lost=0))
    bench.clock.advance(0.25)
    bench.monitor.turn(0.0)
    status = bench.monitor.status()
    assert status.delay_s == 0.25
    assert status.scored_at is not None
    assert (bench.clock.utc() - status.scored_at).total_seconds() == 0.25
