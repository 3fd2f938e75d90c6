"""The chip's own clock as the machine's clock sees it.

When the last sample was, how fast samples come, and how many are missing: for any chip that samples by itself
into a FIFO.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from firmware_bridge.clock import NS_PER_S

# The estimate is good to about one period over its window.
_MIN_WINDOW_NS = 5 * NS_PER_S
_MIN_SAMPLES = 500
# Half of the window is dropped at this length, so that the estimate follows the chip's temperature.
_MAX_WINDOW_NS = 120 * NS_PER_S
# A drain at the very moment of a sample must count it, whatever the rounding.
_PHASE_SLACK = 1e-4
# The true rate lies at most so much above the nominal one (the LIS3DH is the worst), and above an estimate.
_NOMINAL_TOLERANCE = 0.1
_ESTIMATE_TOLERANCE = 0.01
# A read that takes so many periods longer than the fastest is a usual one.
_JITTER = 0.1


@dataclass(frozen=True)
class _Mark:
    """Where the counting for an estimate began."""

    end_ns: float
    received: int


class SampleClock:
    """Follows the times of a chip's samples from the counts of FIFO drains.

    At a drain, the newest sample lies between one period ago and now. The expected time, one period after
    the other, is kept and only moved into these bounds: it has the even beat of the chip and not the jitter
    of the reading loop.
    """

    def __init__(self, nominal_hz: float) -> None:
        self._rate_hz = nominal_hz
        self._estimated = False
        self._received = 0
        self._end_ns = 0.0
        self._oldest = self._newer = _Mark(0.0, 0)

    @property
    def rate_hz(self) -> float:
        """In Hz: nominal until 5 s have passed without a loss, then estimated; the last outlives a loss."""
        return self._rate_hz

    @property
    def end_ns(self) -> int:
        """Time of the last sample."""
        return round(self._end_ns)

    def start(self, now_ns: int) -> None:
        """Begin: the first sample comes one period from now."""
        self._end_ns = float(now_ns)
        self._mark_afresh()

    def due(self, now_ns: int) -> int:
        """Return how many samples the chip should have made since the last one received."""
        return int((now_ns - self._end_ns) * self._rate_hz / NS_PER_S + _PHASE_SLACK)

    def most(self, duration_ns: float) -> int:
        """Return how many samples a FIFO can hold, at most, that was emptied so long ago."""
        return int(self._periods(duration_ns) + _PHASE_SLACK) + 1

    def come_in(self, duration_ns: float) -> int:
        """Return how many samples can come, at most, in a time that begins anywhere between two."""
        return math.ceil(self._periods(duration_ns) - _JITTER)

    def _periods(self, duration_ns: float) -> float:
        tolerance = _ESTIMATE_TOLERANCE if self._estimated else _NOMINAL_TOLERANCE
        return duration_ns * self._rate_hz * (1 + tolerance) / NS_PER_S

    def receive(self, before_ns: int, after_ns: int, n: int, *, skipped: int = 0, gap: bool = False) -> None:
        """Take note of a drain.

        Args:
            before_ns: Time just before the chip was asked how many samples it holds.
            after_ns: Time just after. The process may have been suspended between the two.
            n: Samples received, at least one.
            skipped: Samples that the chip made but nobody received, by the clock.
            gap: True if samples were, or may have been, lost: no rate is estimated across it.
        """
        period_ns = NS_PER_S / self._rate_hz
        self._end_ns += (n + skipped) * period_ns
        if self._end_ns > after_ns:
            self._end_ns = float(after_ns)
        elif self._end_ns < before_ns - period_ns:
            self._end_ns = before_ns - period_ns
        self._received += n
        if gap:
            self._mark_afresh()
        else:
            self._estimate()

    def _estimate(self) -> None:
        length_ns = self._end_ns - self._oldest.end_ns
        n = self._received - self._oldest.received
        if length_ns >= _MIN_WINDOW_NS and n >= _MIN_SAMPLES:
            self._rate_hz = n * NS_PER_S / length_ns
            self._estimated = True
        if length_ns >= _MAX_WINDOW_NS:
            self._oldest = self._newer
        if self._end_ns - self._newer.end_ns >= _MAX_WINDOW_NS / 2:
            self._newer = self._mark()

    def _mark_afresh(self) -> None:
        self._oldest = self._newer = self._mark()

    def _mark(self) -> _Mark:
        return _Mark(self._end_ns, self._received)
