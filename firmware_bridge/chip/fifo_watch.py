"""Whether a FIFO may have lost samples around a read, told by times: what a chip itself does not say."""

from __future__ import annotations

import math
from enum import Enum

from firmware_bridge.chip.sample_clock import SampleClock


class Loss(Enum):
    """Where samples may be missing."""

    NONE = "none"
    BEFORE = "before"
    """Before what was read: its samples follow each other."""
    WITHIN = "within"
    """Anywhere among what was read."""


class FifoWatch:
    """Follows how much a FIFO can hold, at most, while the chip goes on and the reading thread is suspended.

    Args:
        depth: Samples that the FIFO holds.
        samples: The chip's own clock.
        now_ns: The FIFO is empty now.
    """

    def __init__(self, depth: int, samples: SampleClock, now_ns: int) -> None:
        self._depth = depth
        self._samples = samples
        self._oldest_ns = now_ns
        self._fastest_ns = math.inf

    def emptied(self, at_ns: int) -> None:
        """Take note that no sample in the FIFO is older than this time."""
        self._oldest_ns = at_ns

    def loss(self, counted: int, *, before_ns: int, start_ns: int, end_ns: int) -> Loss:
        """Return where samples may be missing after a read.

        Args:
            counted: Samples that the chip said it holds, all of which were read; at least one.
            before_ns: Time just before it was asked.
            start_ns: Time when the read began.
            end_ns: Time when it was over.
        """
        # By the clock since the FIFO was emptied, and by the count: both are bounds.
        held = self._samples.most(start_ns - self._oldest_ns)
        held = min(held, counted + self._samples.come_in(start_ns - before_ns))
        # On the wire samples leave faster than they come. What a read takes beyond the fastest is a stall.
        took_ns = end_ns - start_ns
        self._fastest_ns = min(self._fastest_ns, took_ns / counted)
        stalled_ns = took_ns - counted * self._fastest_ns
        if min(held, self._depth) + self._samples.come_in(stalled_ns) > self._depth:
            return Loss.WITHIN
        # A full FIFO may or may not have lost its oldest sample: the safe answer is that it has.
        return Loss.BEFORE if held > self._depth or counted == self._depth else Loss.NONE
