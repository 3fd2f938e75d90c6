"""The chip's clock as seen from counts: bounds, suspended processes, drifting rates, losses."""

from __future__ import annotations

import pytest

from firmware_bridge.chip.sample_clock import SampleClock

SECOND_NS = 1_000_000_000


def run(samples: SampleClock, start_ns: int, rate_hz: float, seconds: int) -> int:
    """Drain ten times a second what a chip of this rate makes; return the time at the end."""
    made = 0
    for tenth in range(1, 10 * seconds + 1):
        now_ns = start_ns + tenth * SECOND_NS // 10
        due = int(tenth * rate_hz / 10)
        samples.receive(now_ns, now_ns, due - made)
        made = due
    return start_ns + seconds * SECOND_NS


def test_the_end_keeps_the_beat_of_the_chip() -> None:
    samples = SampleClock(100)
    samples.start(0)
    # Ten samples at 10, 20, ... 100 ms; the reading loop comes late by 3, 9 and 1 ms.
    for now_ms, end_ms in ((103, 100), (209, 200), (301, 300)):
        samples.receive(now_ms * 1_000_000, now_ms * 1_000_000, 10)
        assert samples.end_ns == end_ms * 1_000_000


def test_the_end_is_never_later_than_now_nor_earlier_than_a_period() -> None:
    samples = SampleClock(100)
    samples.start(0)
    samples.receive(95_000_000, 95_000_000, 10)
    assert samples.end_ns == 95_000_000
    samples.receive(250_000_000, 250_000_000, 10)
    assert samples.end_ns == 240_000_000


def test_a_suspended_process_shifts_no_time() -> None:
    samples = SampleClock(100)
    samples.start(0)
    # Suspended for 200 ms between the look at the clock and the look at the chip, then the other way round.
    samples.receive(105_000_000, 305_000_000, 30)
    assert samples.end_ns == 300_000_000
    assert samples.due(405_000_000) == 10


def test_due_counts_the_sample_of_this_very_moment() -> None:
    samples = SampleClock(800)
    samples.start(0)
    assert samples.due(1_249_000) == 0
    assert samples.due(1_250_000) == 1
    assert samples.due(SECOND_NS) == 800


def test_the_estimate_needs_five_seconds() -> None:
    samples = SampleClock(800)
    samples.start(0)
    run(samples, 0, 824, 4)
    assert samples.rate_hz == 800
    run(samples, 4 * SECOND_NS, 824, 2)
    assert samples.rate_hz == pytest.approx(824, rel=1e-3)


def test_the_estimate_follows_a_warming_chip() -> None:
    samples = SampleClock(800)
    samples.start(0)
    now_ns = run(samples, 0, 800, 600)
    assert samples.rate_hz == pytest.approx(800, rel=1e-4)
    # An average since the start would still be near 801 Hz.
    run(samples, now_ns, 808, 130)
    assert samples.rate_hz == pytest.approx(808, rel=1e-4)


def test_no_rate_is_estimated_across_a_gap() -> None:
    samples = SampleClock(800)
    samples.start(0)
    now_ns = run(samples, 0, 816, 10)
    known_hz = samples.rate_hz
    samples.receive(now_ns + SECOND_NS, now_ns + SECOND_NS, 16, skipped=800, gap=True)
    assert samples.rate_hz == known_hz
    run(samples, now_ns + SECOND_NS, 816, 10)
    assert samples.rate_hz == pytest.approx(816, rel=5e-4)
