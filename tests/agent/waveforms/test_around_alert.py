"""The waveform around an alert: what is in it, how much is kept, and a disk that refuses."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from agent.config.waveforms import WaveformSettings
from agent.judging.alert import AlertEvent, Change
from agent.sensing.ring_buffer import RingBuffer
from agent.sensing.sampler import SamplerStatus, SensorState
from agent.system.watchdog import Watchdog
from agent.waveforms.around_alert import AlertWaveforms
from firmware_bridge.chip.accelerometer import SampleBlock, SensorInfo
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.recording import load_recording

RATE_HZ = 800.0
INFO = SensorInfo(
    chip="adxl345",
    bus="sim:press",
    address=0x53,
    rate_hz=RATE_HZ,
    range_g=16.0,
    resolution_g=1 / 256,
    fifo_depth=32,
    simulated=True,
)


class Bench:
    """AlertWaveforms of a sensor whose samples the test makes, numbered on x and turn by turn on y."""

    def __init__(self, folder: Path, settings: WaveformSettings | None = None) -> None:
        self.clock = SimulatedClock()
        self.folder = folder / "evidence"
        settings = settings or WaveformSettings(before_s=1.0, after_s=0.5)
        self.ring = RingBuffer(settings.samples(RATE_HZ) or 8192, 3)
        self.status = SamplerStatus(SensorState.SAMPLING, info=INFO, rate_hz=RATE_HZ)
        self.evidence = AlertWaveforms(
            self.folder, settings, self.clock, Watchdog(lambda state: None, self.clock)
        )
        self.evidence.watch("press", self.ring, lambda: self.status)

    def feed(self, seconds: float, lost: int = 0) -> None:
        count = round(seconds * RATE_HZ)
        numbers = np.arange(self.ring.total, self.ring.total + count)
        samples = np.stack([numbers % 2000, numbers // 2000, 0 * numbers], axis=1).astype(np.float32) / 256
        self.clock.advance(seconds)
        self.ring.append(SampleBlock(samples, self.clock.monotonic_ns(), RATE_HZ, lost))

    def capture(self, label: str = "raised-0199") -> Path:
        path = self.evidence.capture("press", label, "part level")
        assert path is not None
        return path


def numbers(path: Path) -> list[int]:
    counts = np.rint(load_recording(path).samples.astype(np.float64) * 256).astype(int)
    return [int(number) for number in counts[:, 0] + 2000 * counts[:, 1]]


def test_the_seconds_before_and_after(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.feed(5.0)
    path = bench.capture()
    bench.evidence.turn()
    assert not path.exists()
    bench.feed(0.6)
    bench.evidence.turn()
    assert numbers(path) == list(range(3200, 4400))
    recording = load_recording(path)
    assert (recording.rate_hz, recording.columns) == (RATE_HZ, ("x", "y", "z"))
    assert recording.notes[-1] == "part level"
    assert path.name == "20260101T000005Z-press-raised-0199.wav"


def test_soon_after_the_start_there_is_less(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.feed(0.25)
    path = bench.capture()
    bench.feed(0.5)
    bench.evidence.turn()
    assert numbers(path) == list(range(600))


def test_a_sensor_that_fell_silent_is_not_waited_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.feed(2.0)
    path = bench.capture()
    bench.clock.advance(2.4)
    bench.evidence.turn()
    assert not path.exists()
    bench.clock.advance(0.2)
    bench.evidence.turn()
    assert numbers(path) == list(range(800, 1600))


def test_a_gap_is_marked(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.feed(2.0)
    path = bench.capture()
    bench.feed(0.5, lost=3)
    bench.evidence.turn()
    assert [segment.end for segment in load_recording(path).segments] == [800, 1200]


def test_a_sensor_that_never_sampled_leaves_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.status = SamplerStatus()
    path = bench.capture()
    bench.clock.advance(10)
    bench.evidence.turn()
    assert not path.exists()


def test_the_oldest_make_room(tmp_path: Path) -> None:
    # A file is 44 bytes, 1200 samples of 6 bytes, and a side-car of about 400: four fit into 32 kB.
    bench = Bench(tmp_path, WaveformSettings(before_s=1.0, after_s=0.5, max_mb=0.032))
    bench.feed(2.0)
    paths = []
    for _ in range(7):
        paths.append(bench.capture())
        bench.feed(1.0)
        bench.evidence.turn()
    assert [path.exists() for path in paths] == [False] * 3 + [True] * 4
    assert len(list(bench.folder.iterdir())) == 8


def test_a_new_waveform_stays_where_the_clock_is_behind_that_of_the_older_ones(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WaveformSettings(before_s=1.0, after_s=0.5, max_mb=0.02))
    bench.folder.mkdir()
    ahead_s = datetime(2099, 1, 1, tzinfo=UTC).timestamp()
    older = [bench.folder / f"20990101T00000{n}Z-press-raised-{n}.wav" for n in (2, 0, 1)]
    for turn, path in enumerate(older):
        path.write_bytes(bytes(8_000))
        os.utime(path, (ahead_s + turn, ahead_s + turn))
    bench.feed(2.0)
    first = bench.capture("raised-3")
    bench.feed(1.0)
    bench.evidence.turn()
    assert [path.exists() for path in [*older, first]] == [False, False, True, True]
    second = bench.capture("raised-4")
    bench.feed(1.0)
    bench.evidence.turn()
    assert [path.exists() for path in [*older, first, second]] == [False, False, False, True, True]


def test_what_was_just_written_stays_even_if_it_alone_is_too_large(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WaveformSettings(before_s=1.0, after_s=0.5, max_mb=0.001))
    bench.feed(2.0)
    first = bench.capture("raised-1")
    bench.feed(1.0)
    bench.evidence.turn()
    assert first.exists()
    second = bench.capture("raised-2")
    bench.feed(1.0)
    bench.evidence.turn()
    assert (first.exists(), second.exists()) == (False, True)


def test_none_is_kept_if_none_is_wanted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WaveformSettings(max_mb=0.0))
    bench.feed(2.0)
    assert bench.evidence.capture("press", "raised-0199", "") is None
    assert WaveformSettings(max_mb=0.0).samples(RATE_HZ) == 0


def test_a_disk_that_refuses_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(tmp_path)
    bench.folder.write_text("in the way")
    bench.feed(2.0)
    with caplog.at_level(logging.ERROR):
        for number in range(3):
            bench.capture(str(number))
            bench.feed(1.0)
            bench.evidence.turn()
    assert [record.getMessage().startswith("no evidence is kept: ") for record in caplog.records] == [True]


def test_what_waits_is_written_at_the_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.feed(2.0)
    bench.evidence.start()
    path = bench.capture()
    assert bench.evidence.stop(5.0)
    assert numbers(path)[-1] == 1599


def test_what_is_asked_for_twice_within_a_second_is_kept_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path)
    bench.feed(5.25)
    first = bench.capture("asked")
    bench.feed(0.25)
    assert bench.capture("asked") == first
    bench.feed(0.5)
    with caplog.at_level(logging.ERROR):
        bench.evidence.turn()
    assert numbers(first) == list(range(3400, 4600))
    assert not caplog.records


def test_a_machine_whose_ring_went_on_is_kept_from_the_oldest_sample(tmp_path: Path) -> None:
    """The writer was late: what the ring has lost is lost, and the rest is whole."""
    bench = Bench(tmp_path)
    bench.feed(2.0)
    path = bench.capture()
    bench.feed(bench.ring.capacity / RATE_HZ - 1.0)
    bench.evidence.turn()
    assert bench.ring.oldest() == 800
    assert numbers(path) == list(range(800, 2000))
    path = bench.capture("late")
    bench.feed(bench.ring.capacity / RATE_HZ - 0.1)
    bench.evidence.turn()
    assert numbers(path)[0] == bench.ring.oldest()
    assert numbers(path)[-1] == bench.ring.oldest() + len(numbers(path)) - 1


def test_only_waveforms_count_and_are_deleted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WaveformSettings(before_s=1.0, after_s=0.5, max_mb=0.008))
    bench.folder.mkdir()
    (bench.folder / "notes.txt").write_text("x" * 100_000)
    for label in ("a", "b"):
        bench.feed(2.0)
        newest = bench.capture(label)
        bench.feed(0.6)
        bench.evidence.turn()
    assert [path.name for path in bench.folder.glob("*.wav")] == [newest.name]
    assert (bench.folder / "notes.txt").exists()


def test_a_cleared_alert_leaves_no_waveform(tmp_path: Path, make_event: Callable[..., AlertEvent]) -> None:
    bench = Bench(tmp_path)
    bench.feed(2.0)
    for change in Change:
        bench.evidence.keep(make_event(1, change=change, sensor="press"))
    bench.feed(0.6)
    bench.evidence.turn()
    alert = make_event(1).alert_id
    assert sorted(path.name for path in bench.folder.glob("*.wav")) == [
        f"20260101T000002Z-press-escalated-{alert}.wav",
        f"20260101T000002Z-press-raised-{alert}.wav",
    ]
