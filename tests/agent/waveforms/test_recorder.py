"""From the ring buffer to a WAV file, sample by sample."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from agent.sensing.ring_buffer import RingBuffer
from agent.waveforms.recorder import Recorder
from firmware_bridge.chip.accelerometer import SampleBlock, SensorInfo
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import RecordingError
from firmware_bridge.recording import Gap, Segment, load_recording

INFO = SensorInfo(
    chip="adxl345",
    bus="sim:press",
    address=0x53,
    rate_hz=800.0,
    range_g=16.0,
    resolution_g=1 / 256,
    fifo_depth=32,
    simulated=True,
)


class Bench:
    """A ring that the test fills with numbered samples, at 800 Hz."""

    def __init__(self, folder: Path, capacity: int = 4096) -> None:
        self.clock = SimulatedClock()
        self.ring = RingBuffer(capacity, 3)
        self.path = folder / "run.wav"
        self.recorder = Recorder(self.path, INFO, self.ring, self.clock)

    def feed(self, count: int, lost: int = 0) -> None:
        self.clock.advance((count + lost) / 800)
        samples = np.zeros((count, 3), np.float32)
        samples[:, 0] = np.arange(self.ring.total, self.ring.total + count) % 4000 / 256
        self.ring.append(SampleBlock(samples, self.clock.monotonic_ns(), 800.0, lost))

    def numbers(self) -> list[int]:
        return [round(value) for value in (load_recording(self.path).samples[:, 0] * 256).tolist()]


def test_everything_arrives_once_and_in_order(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with bench.recorder:
        for _ in range(100):
            bench.feed(16)
            bench.recorder.take(800.0)
        assert bench.recorder.samples == 1600
    assert bench.numbers() == list(range(1600))
    assert bench.recorder.info is not None
    # The first sample came one period after the clock began.
    assert bench.recorder.info.start == datetime(2026, 1, 1, 0, 0, 0, 1250, UTC)


def test_it_ends_where_it_shall(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with bench.recorder:
        for _ in range(10):
            bench.feed(16)
            bench.recorder.take(800.0, end=100)
    assert bench.numbers() == list(range(100))


def test_gaps_come_along(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with bench.recorder:
        for lost in (0, 5, 0, 7):
            bench.feed(16, lost)
            bench.feed(16)
            bench.recorder.take(800.0)
    assert bench.recorder.info is not None
    assert bench.recorder.info.gaps == (Gap(32, 5), Gap(96, 7))
    assert load_recording(bench.path).segments == (Segment(0, 32), Segment(32, 96), Segment(96, 128))


def test_what_the_ring_could_not_hold_is_a_gap(tmp_path: Path) -> None:
    bench = Bench(tmp_path, capacity=64)
    with bench.recorder:
        bench.feed(16)
        bench.recorder.take(800.0)
        for _ in range(10):
            bench.feed(16)
        bench.recorder.take(800.0)
    assert bench.numbers() == [*range(16), *range(112, 176)]
    assert bench.recorder.info is not None
    assert bench.recorder.info.gaps == (Gap(16, 96),)


def test_it_is_whole_every_second(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with bench.recorder:
        for _ in range(125):
            bench.feed(16)
            bench.recorder.take(801.5)
        # 2.5 s were taken, 2 s of them are on the disk.
        assert len(bench.numbers()) == pytest.approx(1600, abs=16)
        assert load_recording(bench.path).rate_hz == 801.5


def test_without_a_sample_there_is_no_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with bench.recorder:
        bench.recorder.take(800.0)
    assert bench.recorder.info is None
    assert not bench.path.exists()


def test_a_file_that_exists_is_left_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.path.write_text("precious")
    bench.feed(16)
    with pytest.raises(RecordingError, match="exists already"):
        bench.recorder.take(800.0)
    bench.recorder.close()
    assert bench.path.read_text() == "precious"
