"""The detector thread: windows in, alert events out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from agent.config.alarm import AlarmPolicy
from agent.errors import StoreError
from agent.inference.detector import open_detector
from agent.inference.scoring import Level
from agent.judging.alarm import Alarm, Transition
from agent.judging.alert import AlertEvent, Change, Rule
from agent.judging.monitor import Monitor
from agent.judging.sensor_watch import SensorWatch
from agent.sensing.ring_buffer import RingBuffer, WindowReader
from agent.sensing.sampler import SamplerStatus
from agent.system.uuid7 import uuid7
from agent.system.watchdog import Watchdog
from firmware_bridge.chip.accelerometer import SampleBlock
from firmware_bridge.clock import SimulatedClock
from tests.waiting import DEADLINE_S, wait_until

RATE_HZ = 800.0


class Bench:
    """A monitor that is running on a ring that the test fills."""

    def __init__(
        self, bundle: Path, *, open_alert: Transition | None = None, alert_id: str | None = None
    ) -> None:
        detector, _ = open_detector(bundle)
        self.ring = RingBuffer(1024, 3)
        self.clock = SimulatedClock()
        self.events: list[AlertEvent] = []
        self.sampler = SamplerStatus()
        self.disk_full = False
        self.fed = 0
        self.random = np.random.default_rng(0)
        self.window = detector.manifest.window
        self.reader = WindowReader(self.ring, self.window, (0, 1, 2))
        self.monitor = Monitor(
            "press",
            self.reader,
            detector,
            Alarm(detector.manifest, AlarmPolicy(), open_alert=open_alert),
            SensorWatch(detector.manifest.axes, 100.0, self.clock, lambda: self.sampler),
            clock=self.clock,
            watchdog=Watchdog(lambda state: None, self.clock),
            announce=self.announce,
            simulated=True,
            alert_id=alert_id,
        )
        self.monitor.start()

    def announce(self, event: AlertEvent) -> None:
        if self.disk_full:
            raise StoreError(Path("judder.db"), "no space left")
        self.events.append(event)

    def feed(self, rms_g: float, windows: int = 4) -> None:
        """Append noise of an RMS and wait until it is judged."""
        noise = self.random.standard_normal((64 * windows, 3)).astype(np.float32)
        noise *= rms_g / np.sqrt(np.mean(noise**2, axis=0))
        self.clock.advance(len(noise) / RATE_HZ)
        self.ring.append(SampleBlock(noise, self.clock.monotonic_ns(), RATE_HZ, lost=0))
        self.fed += len(noise)
        complete = (self.fed - self.window.length) // self.window.hop + 1
        wait_until(lambda: self.over >= complete)

    @property
    def over(self) -> int:
        status = self.monitor.status()
        return status.windows_scored + status.windows_bad + status.windows_skipped_late

    def until_told(self, count: int) -> list[AlertEvent]:
        wait_until(lambda: len(self.events) >= count)
        return self.events

    def until_forgotten(self) -> None:
        """Wait until the thread has seen that nothing comes."""
        silent, judged = self.sampler, self.monitor.status

        def is_forgotten() -> bool:
            self.sampler = SamplerStatus()
            score = judged().score
            self.sampler = silent
            return score is None

        wait_until(is_forgotten)

    def close(self) -> None:
        self.ring.close()
        assert self.monitor.stop(DEADLINE_S)


@pytest.fixture
def bench(make_bundle: Callable[..., Path]) -> Iterator[Bench]:
    bench = Bench(make_bundle())
    yield bench
    bench.close()


def test_a_healthy_machine_raises_nothing(bench: Bench) -> None:
    bench.feed(1.0, windows=8)
    status = bench.monitor.status()
    assert (status.level, status.alert_id, status.windows_bad) == (Level.NORMAL, None, 0)
    assert status.score is not None
    assert bench.events == []


def test_an_alert_is_raised_explained_and_cleared(bench: Bench) -> None:
    bench.feed(1.0)
    bench.feed(3.0)
    (raised,) = bench.until_told(1)
    assert (raised.change, raised.level, raised.sensor) == (Change.RAISED, Level.ALARM, "press")
    assert (raised.part, raised.model, raised.simulated) == ("level", "easy-1", True)
    assert (raised.rule, raised.windows) == (Rule.K_OF_N, 3)
    assert raised.score > raised.threshold == 3.0
    assert [axis.rms_g for axis in raised.statistics] == pytest.approx([3.0] * 3, rel=0.3)
    assert bench.monitor.status().alert_id == raised.alert_id
    bench.feed(1.0, windows=8)
    cleared = bench.until_told(2)[1]
    assert (cleared.change, cleared.alert_id) == (Change.CLEARED, raised.alert_id)
    assert cleared.event_id != raised.event_id
    assert bench.monitor.status().alert_id is None


def test_a_weak_defect_that_persists_is_told_as_such(bench: Bench) -> None:
    bench.feed(1.0)
    for _ in range(30):
        bench.feed(1.17, windows=20)  # every window a little louder, none of them clearly abnormal
        if bench.events:
            break
    raised = bench.until_told(1)[0]
    assert raised.threshold == 2.5
    assert sum(score >= 2.5 for score in bench.monitor.scores().newest) <= 1
    assert (raised.change, raised.level, raised.rule) == (Change.RAISED, Level.WARNING, Rule.PERSISTENCE)
    assert raised.windows > 3
    evidence = bench.monitor.status().evidence
    assert evidence is not None
    assert evidence > 0.75


def test_a_score_is_not_told_of_a_time_when_nothing_comes(bench: Bench) -> None:
    bench.feed(1.0)
    assert bench.monitor.status().score is not None
    silent_since_ns = bench.clock.monotonic_ns()
    bench.sampler = SamplerStatus(silent_since_ns=silent_since_ns)
    since = bench.clock.utc()
    bench.clock.advance(60.0)
    status = bench.monitor.status()
    assert (status.score, status.scored_at, status.delay_s) == (None, None, None)
    assert status.unwatched_since == since
    bench.until_forgotten()
    bench.sampler = SamplerStatus()
    assert (bench.monitor.status().unwatched_since, bench.monitor.status().score) == (None, None)
    bench.feed(1.0)
    assert bench.monitor.status().score is not None


def test_the_time_of_an_event_is_that_of_its_window(bench: Bench) -> None:
    bench.feed(1.0)
    bench.feed(3.0)
    (raised,) = bench.until_told(1)
    age = bench.clock.utc() - raised.at
    assert timedelta(0) <= age <= timedelta(seconds=4 * 64 / RATE_HZ)


def test_the_next_alert_has_another_id(bench: Bench) -> None:
    for rms in (1.0, 3.0, 1.0, 3.0):
        bench.feed(rms, windows=8)
    events = bench.until_told(3)
    assert [event.change for event in events] == [Change.RAISED, Change.CLEARED, Change.RAISED]
    assert events[2].alert_id != events[0].alert_id


def test_an_alert_left_open_is_continued(make_bundle: Callable[..., Path]) -> None:
    left_open = Transition(Change.RAISED, Level.ALARM, Rule.K_OF_N, 3)
    bench = Bench(make_bundle(), open_alert=left_open, alert_id="0199c000-aaaa-7000-8000-000000000001")
    bench.feed(3.0)
    bench.feed(1.0, windows=8)
    (cleared,) = bench.until_told(1)
    assert (cleared.change, cleared.alert_id) == (Change.CLEARED, "0199c000-aaaa-7000-8000-000000000001")
    bench.close()


def test_a_bad_window_is_counted_and_neither_healthy_nor_an_alert(bench: Bench) -> None:
    bench.feed(1.0)
    scored = bench.monitor.status().windows_scored
    with np.errstate(invalid="ignore"):
        bench.feed(float("nan"))
    status = bench.monitor.status()
    assert status.windows_bad >= 4
    assert status.windows_scored == scored
    assert bench.events == []
    bench.feed(3.0, windows=8)
    assert bench.until_told(1)


def test_an_alert_waits_while_the_disk_is_full(bench: Bench) -> None:
    bench.disk_full = True
    bench.feed(1.0)
    bench.feed(3.0, windows=8)
    assert bench.events == []
    bench.disk_full = False
    bench.feed(3.0)
    assert bench.until_told(1)[0].change is Change.RAISED


def test_a_summary_tells_what_happened_since_the_last(bench: Bench) -> None:
    bench.feed(1.0, windows=8)
    summary = bench.monitor.take_summary()
    assert summary is not None
    assert summary.windows >= 8
    assert summary.score_max >= summary.score_median
    assert summary.start < summary.end
    wait_until(lambda: bench.monitor.take_summary() is None)


def test_ids_sort_by_time_and_say_their_version() -> None:
    clock = SimulatedClock()
    ids = []
    for _ in range(20):
        clock.advance(0.01)
        ids.append(str(uuid7(clock.utc())))
    assert ids == sorted(ids)
    assert all(UUID(text).version == 7 and UUID(text).variant == "specified in RFC 4122" for text in ids)
    # 2026-01-01T00:00:00.010Z is 1767225600010 ms = 0x019b76daa40a.
    assert ids[0].startswith("019b76da-")
