"""The ring buffer against a list that forgets nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agent.inference.window import WindowSpec
from agent.sensing.ring_buffer import RingBuffer, WindowReader
from firmware_bridge.chip.accelerometer import SampleBlock
from firmware_bridge.recording import Gap

CAPACITY = 12
MS = 1_000_000


class RingModel(RuleBasedStateMachine):
    """A writer at 1000 Hz of numbered samples, and a reader of windows of 4 that is late at times."""

    @initialize()
    def begin(self) -> None:
        self.ring = RingBuffer(CAPACITY, 2)
        self.reader = WindowReader(self.ring, WindowSpec(4, 2), (1, 0))
        self.written = 0
        self.now_ms = 0
        self.breaks: set[int] = set()
        self.seen = -1
        self.left_out = 0

    @rule(count=st.sampled_from([1, 2, 3, 5, 12, 30]), lost=st.sampled_from([0, 0, 1]))
    def write(self, count: int, lost: int) -> None:
        numbers = np.arange(self.written, self.written + count, dtype=np.float32)
        self.now_ms += count + lost
        self.ring.append(SampleBlock(np.stack([numbers, -numbers], 1), self.now_ms * MS, 1000.0, lost))
        if lost and self.written:
            self.breaks.add(self.written)
        self.written += count

    @rule()
    def fail(self) -> None:
        self.ring.mark_gap()
        if self.written:
            self.breaks.add(self.written)

    @rule()
    def read(self) -> None:
        window = self.reader.read(0.0)
        if window is None:
            return
        first = window.start
        assert window.samples[:, 1].tolist() == [float(number) for number in range(first, first + 4)]
        assert window.samples[:, 0].tolist() == [-float(number) for number in range(first, first + 4)]
        assert not self.breaks & set(range(first + 1, first + 4))
        assert self.written - CAPACITY <= first > self.seen
        left_out = self.reader.skipped_late + self.reader.skipped_gap
        if left_out == self.left_out and self.seen >= 0:
            assert first == self.seen + 2  # nothing was left out, and nothing is said to be
        self.seen, self.left_out = first, left_out

    @rule(back=st.integers(1, CAPACITY + 3), length=st.integers(1, 8))
    def copy(self, back: int, length: int) -> None:
        start = self.written - back
        if start < 0 or length > back:
            return
        window = self.ring.copy(start, length)
        if start < self.written - CAPACITY:
            assert window is None
            return
        assert window is not None
        assert window.samples[:, 0].tolist() == [float(number) for number in range(start, start + length)]
        behind = self.written - (start + length)
        assert window.end_ns == (self.now_ms - behind) * MS

    @invariant()
    def gaps_are_where_samples_are_missing(self) -> None:
        kept = range(self.ring.oldest(), self.written + 1)
        found = {gap.at for gap in self.ring.gaps(kept.start, kept.stop)}
        assert found == {place for place in self.breaks if place in kept}
        assert (self.ring.total, self.ring.oldest()) == (self.written, max(0, self.written - CAPACITY))


RingModel.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestRingModel = RingModel.TestCase


@pytest.mark.parametrize(
    ("losses", "lost"), [([2, 3], 5), ([2, None], None), ([None, 3], None), ([None, None], None), ([4], 4)]
)
def test_losses_before_one_sample_add_up_unless_one_is_not_known(
    losses: list[int | None], lost: int | None
) -> None:
    ring = RingBuffer(CAPACITY, 1)
    ring.append(SampleBlock(np.zeros((3, 1), np.float32), 0, 1000.0, 0))
    for loss in losses:
        if loss is None:
            ring.mark_gap()
        else:
            ring.append(SampleBlock(np.zeros((0, 1), np.float32), 0, 1000.0, loss))
    assert ring.gaps(0, 10) == (Gap(3, lost),)


def test_what_was_lost_before_the_first_sample_is_no_gap() -> None:
    ring = RingBuffer(CAPACITY, 1)
    ring.mark_gap()
    ring.append(SampleBlock(np.zeros((3, 1), np.float32), 0, 1000.0, lost=7))
    assert ring.gaps(0, 10) == ()


def test_a_reader_that_slept_goes_on_a_hop_behind_the_oldest_and_counts_what_it_missed() -> None:
    ring = RingBuffer(CAPACITY, 1)
    reader = WindowReader(ring, WindowSpec(4, 2), [0])
    ring.append(SampleBlock(np.zeros((100, 1), np.float32), 0, 1000.0, 0))
    window = reader.read(0.0)
    assert window is not None
    # The ring holds 88 to 99; windows would have begun at 0, 2, ... 88.
    assert (window.start, reader.skipped_late, reader.skipped_gap) == (90, 45, 0)
