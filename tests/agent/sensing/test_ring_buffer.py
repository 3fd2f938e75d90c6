"""The ring buffer: nothing twice, nothing out of order, everything counted."""

from __future__ import annotations

from threading import Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inference.window import WindowSpec
from agent.sensing.ring_buffer import RingBuffer, Window, WindowReader
from firmware_bridge.chip.accelerometer import SampleBlock
from firmware_bridge.recording import Gap
from tests.waiting import DEADLINE_S

MS = 1_000_000


def block(first: int, count: int, lost: int = 0) -> SampleBlock:
    """Return samples whose x is their number; at 1,000 Hz sample i is taken at i ms."""
    samples = np.zeros((count, 3), np.float32)
    samples[:, 0] = np.arange(first, first + count)
    return SampleBlock(samples, end_ns=(first + count - 1) * MS, rate_hz=1000.0, lost=lost)


def reader(ring: RingBuffer, length: int, hop: int) -> WindowReader:
    return WindowReader(ring, WindowSpec(length, hop), columns=(0, 1, 2))


def numbers(window: Window | None) -> list[float]:
    assert window is not None
    result: list[float] = window.samples[:, 0].tolist()
    return result


def test_sliding_windows() -> None:
    ring = RingBuffer(64, 3)
    windows = reader(ring, 8, 4)
    ring.append(block(0, 16))
    assert numbers(windows.read(0)) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert numbers(windows.read(0)) == [4, 5, 6, 7, 8, 9, 10, 11]
    assert numbers(windows.read(0)) == [8, 9, 10, 11, 12, 13, 14, 15]
    assert windows.read(0) is None


def test_padded_windows_begin_at_the_first_sample_and_after_a_gap() -> None:
    ring = RingBuffer(64, 3)
    windows = WindowReader(ring, WindowSpec(4, 2, "zeros"), columns=(0, 1, 2))
    ring.append(block(1, 5))
    assert numbers(windows.read(0)) == [0, 0, 1, 2]
    assert numbers(windows.read(0)) == [1, 2, 3, 4]
    ring.append(block(9, 4, lost=3))
    after = windows.read(0)
    assert numbers(after) == [0, 0, 9, 10]
    assert after is not None
    assert after.end_ns == 10 * MS
    assert numbers(windows.read(0)) == [9, 10, 11, 12]
    assert windows.read(0) is None


def test_tumbling_windows_over_the_end_of_the_ring() -> None:
    ring = RingBuffer(10, 3)
    windows = reader(ring, 6, 6)
    for first in range(0, 24, 6):
        ring.append(block(first, 6))
        assert numbers(windows.read(0)) == [first + i for i in range(6)]


def test_the_time_of_a_window_is_that_of_its_last_sample() -> None:
    ring = RingBuffer(64, 3)
    windows = reader(ring, 8, 4)
    ring.append(block(0, 20))
    window = windows.read(0)
    assert window is not None
    assert window.end_ns == 7 * MS


def test_a_window_is_a_copy() -> None:
    ring = RingBuffer(8, 3)
    windows = reader(ring, 8, 8)
    ring.append(block(0, 8))
    window = windows.read(0)
    ring.append(block(100, 8))
    assert numbers(window) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_chosen_axes_in_their_order() -> None:
    ring = RingBuffer(8, 3)
    windows = WindowReader(ring, WindowSpec(4, 4), columns=(2, 0))
    ring.append(block(0, 4))
    window = windows.read(0)
    assert window is not None
    assert window.samples.tolist() == [[0, 0], [0, 1], [0, 2], [0, 3]]


def test_no_window_spans_a_gap_and_the_skipped_are_counted() -> None:
    ring = RingBuffer(64, 3)
    windows = reader(ring, 8, 4)
    ring.append(block(0, 10))
    ring.append(block(50, 10, lost=40))
    assert numbers(windows.read(0)) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert numbers(windows.read(0)) == [50, 51, 52, 53, 54, 55, 56, 57]
    assert windows.skipped_gap == 2  # those at 4 and at 8


def test_a_gap_at_the_border_of_windows_costs_nothing() -> None:
    ring = RingBuffer(64, 3)
    windows = reader(ring, 8, 8)
    ring.append(block(0, 8))
    ring.append(block(20, 8, lost=12))
    assert numbers(windows.read(0))[0] == 0
    assert numbers(windows.read(0))[0] == 20
    assert windows.skipped_gap == 0


def test_a_slow_reader_loses_the_oldest_and_counts() -> None:
    ring = RingBuffer(16, 3)
    windows = reader(ring, 8, 8)
    for first in range(0, 48, 8):
        ring.append(block(first, 8))
    window = windows.read(0)
    assert window is not None
    assert window.start >= 32
    assert numbers(window) == [window.start + i for i in range(8)]
    assert windows.skipped_late == pytest.approx((window.start) / 8, abs=1)


def test_a_block_longer_than_the_ring_leaves_its_end() -> None:
    ring = RingBuffer(8, 3)
    ring.append(block(0, 20))
    window = ring.copy(12, 8)
    assert numbers(window) == [12, 13, 14, 15, 16, 17, 18, 19]


def test_closing_wakes_the_reader() -> None:
    ring = RingBuffer(8, 3)
    results: list[Window | None] = []
    thread = Thread(target=lambda: results.append(reader(ring, 4, 4).read(60.0)))
    thread.start()
    ring.close()
    thread.join(DEADLINE_S)
    assert results == [None]


def test_a_ring_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        reader(RingBuffer(4, 3), 8, 8)


@given(
    blocks=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3), st.booleans()), max_size=40),
    length=st.integers(4, 10),
    hop=st.integers(1, 10),
)
def test_every_window_is_contiguous_and_windows_go_forward(
    blocks: list[tuple[int, int, bool]], length: int, hop: int
) -> None:
    ring = RingBuffer(20, 3)
    windows = reader(ring, length, min(hop, length))
    at, last = 0, -1.0
    for count, lost, read in blocks:
        ring.append(block(at + lost, count, lost))
        at += lost + count
        while read and (window := windows.read(0)) is not None:
            values = numbers(window)
            assert values == [values[0] + i for i in range(length)]
            assert values[0] > last
            last = values[0]


def test_gaps_have_their_place_and_their_length_until_they_are_overwritten() -> None:
    ring = RingBuffer(32, 3)
    ring.append(block(0, 8, lost=9))
    ring.append(block(8, 8, lost=3))
    ring.mark_gap()
    ring.append(block(16, 8))
    assert ring.gaps(0, 100) == (Gap(8, 3), Gap(16, None))
    assert ring.gaps(8, 16) == (Gap(8, 3),)
    assert ring.gaps(9, 16) == ()
    ring.append(block(24, 20))
    ring.append(block(44, 4, lost=1))
    assert ring.gaps(0, 100) == (Gap(16, None), Gap(44, 1))


def test_losses_at_one_place_are_one_gap() -> None:
    ring = RingBuffer(32, 3)
    ring.append(block(0, 8))
    for lost in (2, 3):
        ring.append(SampleBlock(np.empty((0, 3), np.float32), 8 * MS, 1000.0, lost=lost))
    assert ring.gaps(0, 100) == (Gap(8, 5),)
    ring.mark_gap()
    assert ring.gaps(0, 100) == (Gap(8, None),)
