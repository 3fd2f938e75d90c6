"""From the ring buffer to a waveform on the disk."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from agent.sensing.ring_buffer import RingBuffer, Window
from firmware_bridge.axes import AXES
from firmware_bridge.chip.accelerometer import SensorInfo
from firmware_bridge.clock import NS_PER_S, Clock
from firmware_bridge.recording import Gap, WaveInfo, WavWriter

SAVE_S = 1.0
"""What a crash costs at most."""


def wave_info(info: SensorInfo, rate_hz: float, start: datetime, note: str = "") -> WaveInfo:
    """Return the description of a sensor's waveform of ``rate_hz`` Hz that begins at a UTC time."""
    return WaveInfo(
        axes=AXES,
        scale_g=info.resolution_g,
        range_g=info.range_g,
        rate_hz=rate_hz,
        start=start,
        chip=info.chip,
        bus=info.bus,
        address=info.address,
        simulated=info.simulated,
        note=note,
    )


def start_of(window: Window, rate_hz: float, clock: Clock) -> datetime:
    """Return the UTC time of a window's first sample."""
    age_s = (clock.monotonic_ns() - window.end_ns) / NS_PER_S + (len(window.samples) - 1) / rate_hz
    return clock.utc() - timedelta(seconds=age_s)


class Recorder:
    """Writes what comes into a ring buffer, from its first sample on, saving every second.

    A context manager; ``close`` may be called twice.
    """

    def __init__(self, path: Path, info: SensorInfo, ring: RingBuffer, clock: Clock) -> None:
        """Prepare; the file is begun with the first samples.

        Args:
            path: Ends in ``.wav``, and does not exist.
            info: The sensor.
            ring: Where its samples come.
            clock: For the time of the first sample, and of the next ``save``.
        """
        self._path = path
        self._info = info
        self._ring = ring
        self._clock = clock
        self._writer: WavWriter | None = None
        self._next = 0
        self._saved_ns = clock.monotonic_ns()

    @property
    def info(self) -> WaveInfo | None:
        """What is being written; None before the first sample."""
        return self._writer.info if self._writer else None

    @property
    def samples(self) -> int:
        """How many samples are written so far."""
        return self._writer.samples if self._writer else 0

    def take(self, rate_hz: float, end: int | None = None) -> None:
        """Write what has come since the last call.

        Args:
            rate_hz: The sensor's rate as known by now.
            end: The sample before which the recording ends, or None.

        Raises:
            RecordingError: If the file cannot be begun or written.
        """
        end = self._ring.total if end is None else min(end, self._ring.total)
        oldest = self._ring.oldest()
        # A disk that stood still for longer than the ring holds costs samples, and says so.
        late = [Gap(0, oldest - self._next)] if oldest > self._next else []
        first = max(self._next, oldest)
        window = self._ring.copy(first, end - first) if end > first else None
        if window is None:
            return
        if self._writer is None:
            start = start_of(window, rate_hz, self._clock)
            self._writer = WavWriter(self._path, wave_info(self._info, rate_hz, start))
        gaps = [Gap(gap.at - first, gap.lost) for gap in self._ring.gaps(first, end)]
        self._writer.append(window.samples, late + gaps)
        self._next = end
        if self._clock.monotonic_ns() - self._saved_ns >= SAVE_S * NS_PER_S:
            self._saved_ns = self._clock.monotonic_ns()
            self._writer.save(rate_hz)

    def close(self) -> None:
        """Save and close the file; may be called twice.

        Raises:
            RecordingError: If it cannot be written.
        """
        if self._writer is not None:
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
