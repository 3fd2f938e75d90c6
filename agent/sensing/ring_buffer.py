"""Between the sampler and the detector: fast, may lose, and counts what it loses."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Condition

import numpy as np

from agent.inference.arrays import FloatArray
from agent.inference.window import WindowSpec
from firmware_bridge.chip.accelerometer import SampleBlock
from firmware_bridge.clock import NS_PER_S
from firmware_bridge.recording import Gap


@dataclass(frozen=True)
class Window:
    """One stretch of samples without a gap."""

    samples: FloatArray
    """A copy, shape (length, n_axes); in memory each axis is contiguous."""
    start: int
    """Index of the first sample since the sampler began."""
    end_ns: int
    """CLOCK_MONOTONIC time of the last sample."""


class RingBuffer:
    """Preallocated samples in g with one writer and one reader, each in a thread of its own."""

    def __init__(self, capacity: int, n_axes: int) -> None:
        """Reserve the memory: 4 bytes a sample and axis.

        Args:
            capacity: Samples kept.
            n_axes: Columns.
        """
        self._samples = np.zeros((n_axes, capacity), np.float32)
        self._gaps: deque[Gap] = deque()
        self._changed = Condition()
        self._closed = False
        self._end_ns = 0
        self._rate_hz = 1.0
        self.total = 0
        """Samples ever written."""

    @property
    def capacity(self) -> int:
        """How many samples are kept."""
        return self._samples.shape[1]

    @property
    def n_axes(self) -> int:
        """Columns of each sample."""
        return len(self._samples)

    def append(self, block: SampleBlock) -> None:
        """Write a block; what it lost before its first sample becomes a gap."""
        with self._changed:
            if block.lost:
                self._gap(block.lost)
            new = block.samples_g[-self.capacity :].T
            at = (self.total + len(block.samples_g) - new.shape[1]) % self.capacity
            first = min(new.shape[1], self.capacity - at)
            self._samples[:, at : at + first] = new[:, :first]
            self._samples[:, : new.shape[1] - first] = new[:, first:]
            self.total += len(block.samples_g)
            self._end_ns, self._rate_hz = block.end_ns, block.rate_hz
            self._changed.notify()

    def mark_gap(self) -> None:
        """Note that the next sample does not follow the last one."""
        with self._changed:
            self._gap(None)

    def close(self) -> None:
        """Tell the reader that no more samples will come."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def wait(self, end: int, timeout_s: float) -> bool:
        """Wait until sample ``end - 1`` is written; return False on time-out or after ``close``."""
        with self._changed:
            self._changed.wait_for(lambda: self.total >= end or self._closed, timeout_s)
            return self.total >= end

    def oldest(self) -> int:
        """Return the index of the oldest sample kept."""
        return max(0, self.total - self.capacity)

    def gap_inside(self, start: int, end: int) -> int | None:
        """Return the last sample in (start, end) that does not follow its predecessor, or None."""
        return max((gap.at for gap in self.gaps(start + 1, end)), default=None)

    def gaps(self, start: int, end: int) -> tuple[Gap, ...]:
        """Return the gaps at the samples from ``start`` on, before ``end``, that are still kept."""
        with self._changed:
            return tuple(gap for gap in self._gaps if start <= gap.at < end)

    def copy(self, start: int, length: int) -> Window | None:
        """Return ``length`` samples from ``start`` on, or None if some have been overwritten."""
        with self._changed:
            if start < self.oldest():
                return None
            at = start % self.capacity
            first = min(length, self.capacity - at)
            samples = np.empty((self.n_axes, length), np.float32)
            samples[:, :first] = self._samples[:, at : at + first]
            samples[:, first:] = self._samples[:, : length - first]
            behind = self.total - (start + length)
            return Window(samples.T, start, self._end_ns - round(behind * NS_PER_S / self._rate_hz))

    def _gap(self, lost: int | None) -> None:
        """Note a gap of so many samples, None if unknown; forget those that have been overwritten."""
        while self._gaps and self._gaps[0].at < self.oldest():
            self._gaps.popleft()
        if self._gaps and self._gaps[-1].at == self.total:
            earlier = self._gaps.pop().lost
            lost = None if lost is None or earlier is None else earlier + lost
        if self.total:
            self._gaps.append(Gap(self.total, lost))


class WindowReader:
    """Cuts the stream of samples into windows, and counts those it could not give."""

    def __init__(self, ring: RingBuffer, spec: WindowSpec, columns: Sequence[int]) -> None:
        """Read from the ring's first sample on.

        Args:
            ring: At least one window long.
            spec: Length and hop.
            columns: Which axes a window has, in order.

        Raises:
            ValueError: If the ring is shorter than a window.
        """
        if ring.capacity < spec.length:
            raise ValueError(f"a ring of {ring.capacity} samples cannot hold a window of {spec.length}")
        self._ring = ring
        self._spec = spec
        self._columns = slice(None) if list(columns) == list(range(ring.n_axes)) else list(columns)
        self._begin = 0
        self._next = -spec.lead
        self.skipped_gap = 0
        """Windows not given because they would have spanned a gap."""
        self.skipped_late = 0
        """Windows not given because the reader was too slow."""

    def read(self, timeout_s: float) -> Window | None:
        """Return the next window without a gap, or None if none comes within so many seconds."""
        while self._ring.wait(self._next + self._spec.length, timeout_s):
            end = self._next + self._spec.length
            first = max(self._next, self._begin)
            gap = self._ring.gap_inside(first, end)
            if gap is not None:
                self.skipped_gap += self._jump(gap - self._spec.lead)
                self._begin = gap
                continue
            window = self._ring.copy(first, end - first)
            if window is not None:
                self._next += self._spec.hop
                return self._padded(window, first - (end - self._spec.length))
            self.skipped_late += self._jump(self._ring.oldest() + self._spec.hop)
        return None

    def _padded(self, window: Window, lacking: int) -> Window:
        """Return the window with the wanted axes, and zeros for the samples that it lacks on the left."""
        samples = window.samples.T[self._columns].T  # each axis stays contiguous
        if lacking:
            samples = np.pad(samples.T, ((0, 0), (lacking, 0))).T
        return Window(samples, window.start - lacking, window.end_ns)

    def _jump(self, to: int) -> int:
        """Go on at a later sample; return the number of windows left out."""
        left_out = max(-(-(to - self._next) // self._spec.hop), 0)
        self._next = to
        return left_out
