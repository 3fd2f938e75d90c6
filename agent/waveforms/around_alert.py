"""The raw waveform around each alert, so that an engineer can look at what the model saw."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread

from agent.config.waveforms import WaveformSettings
from agent.judging.alert import AlertEvent, Change
from agent.sensing.ring_buffer import RingBuffer
from agent.sensing.sampler import SamplerStatus
from agent.system.watchdog import Watchdog
from agent.waveforms.files import make_room, mark_newest
from agent.waveforms.recorder import start_of, wave_info
from firmware_bridge.clock import NS_PER_S, Clock
from firmware_bridge.errors import RecordingError
from firmware_bridge.recording import Gap, WavWriter

logger = logging.getLogger(__name__)

POLL_S = 0.5
PATIENCE_S = 2.0
"""How long to wait for samples that do not come, beyond the time that they need."""
CHECK_IN_LIMIT_S = 30.0
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class _Source:
    ring: RingBuffer
    status: Callable[[], SamplerStatus]


@dataclass(frozen=True)
class _Capture:
    """A stretch of samples that is to be written, once it is there."""

    path: Path
    source: _Source
    first: int
    last: int
    deadline_ns: int
    note: str

    def ready(self, now_ns: int) -> bool:
        return self.source.ring.total >= self.last or now_ns >= self.deadline_ns


class AlertWaveforms:
    """Writes waveforms in a thread of its own: a slow disk delays neither sampling nor alerts."""

    def __init__(self, folder: Path, settings: WaveformSettings, clock: Clock, watchdog: Watchdog) -> None:
        """Prepare; the thread begins with ``start``.

        Args:
            folder: Where the waveforms are kept; made when the first is written.
            settings: How much is kept.
            clock: For waiting and UTC.
            watchdog: Told of every turn of the loop.
        """
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._watchdog = watchdog
        self._sources: dict[str, _Source] = {}
        self._waiting: list[_Capture] = []
        self._lock = Lock()
        self._writing = True
        self._stop = Event()
        self._thread = Thread(target=self._run, name="evidence", daemon=True)

    def samples(self, rate_hz: float) -> int:
        """Return how many samples a ring buffer must hold for a capture."""
        return self._settings.samples(rate_hz)

    def watch(self, sensor: str, ring: RingBuffer, status: Callable[[], SamplerStatus]) -> None:
        """Make a sensor known: where its samples are, and what they mean."""
        self._sources[sensor] = _Source(ring, status)

    def capture(self, sensor: str, label: str, note: str) -> Path | None:
        """Have the waveform around now written; returns at once. May be called from any thread.

        Args:
            sensor: A sensor that is watched.
            label: End of the file's name, such as an alert's id.
            note: Goes into the side-car.

        Returns:
            The file that will be there, or None if no evidence is kept.
        """
        if self._settings.max_mb <= 0:
            return None
        source = self._sources[sensor]
        rate_hz = source.status().rate_hz
        total = source.ring.total
        path = self._folder / f"{self._clock.utc():%Y%m%dT%H%M%SZ}-{sensor}-{label}.wav"
        wait_ns = round((self._settings.after_s + PATIENCE_S) * NS_PER_S)
        capture = _Capture(
            path,
            source,
            first=max(0, total - round(self._settings.before_s * rate_hz)),
            last=total + round(self._settings.after_s * rate_hz),
            deadline_ns=self._clock.monotonic_ns() + wait_ns,
            note=note,
        )
        with self._lock:
            self._waiting.append(capture)
        return path

    def keep(self, event: AlertEvent) -> None:
        """Have the waveform around an alert written, unless it only clears."""
        if event.change is not Change.CLEARED:
            self.capture(event.sensor, f"{event.change}-{event.alert_id}", event.cause)

    def start(self) -> None:
        """Start the thread."""
        self._watchdog.register(self._thread.name, CHECK_IN_LIMIT_S)
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Write what waits as it is, and end the thread; return True if it ended within so many seconds."""
        self._stop.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def turn(self, *, all_now: bool = False) -> None:
        """Write the captures whose samples are there, or ``all_now``, whatever is there."""
        now_ns = self._clock.monotonic_ns()
        with self._lock:
            ready = [capture for capture in self._waiting if all_now or capture.ready(now_ns)]
            self._waiting = [capture for capture in self._waiting if capture not in ready]
        for capture in ready:
            self._keep(capture)

    def _run(self) -> None:
        while not self._clock.wait(POLL_S, self._stop):
            self.turn()
            self._watchdog.check_in(self._thread.name)
        self.turn(all_now=True)

    def _keep(self, capture: _Capture) -> None:
        """Write a capture and make room; a disk that refuses is told once."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._write(capture):
                mark_newest(capture.path)
                self._make_room(capture.path)
            self._writing = True
        except (RecordingError, OSError) as error:
            if self._writing:
                logger.error("no evidence is kept: %s", error)
            self._writing = False

    def _write(self, capture: _Capture) -> bool:
        """Return False if there is nothing to write."""
        ring, status = capture.source.ring, capture.source.status()
        first = max(capture.first, ring.oldest())
        window = ring.copy(first, min(capture.last, ring.total) - first) if ring.total > first else None
        if window is None or status.info is None or capture.path.exists():  # asked for twice within a second
            return False
        start = start_of(window, status.rate_hz, self._clock)
        info = wave_info(status.info, status.rate_hz, start, capture.note)
        gaps = [Gap(gap.at - first, gap.lost) for gap in ring.gaps(first, first + len(window.samples))]
        with WavWriter(capture.path, info) as writer:
            writer.append(window.samples, gaps)
        logger.info("evidence kept in %s", capture.path)
        return True

    def _make_room(self, just_written: Path | None = None) -> None:
        make_room(self._folder, self._settings.max_mb * _MEGABYTE, just_written)
