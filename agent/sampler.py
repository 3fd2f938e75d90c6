"""The sampler thread: FIFO to ring buffer, for as long as it takes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Event, Thread

from agent.backoff import Backoff
from agent.ring_buffer import RingBuffer
from agent.watchdog import Watchdog
from firmware_bridge.accelerometer import Accelerometer, SampleBlock, SensorInfo
from firmware_bridge.clock import NS_PER_S, Clock
from firmware_bridge.errors import BridgeError, SensorError

logger = logging.getLogger(__name__)

BACKOFF_FIRST_S = 0.5
BACKOFF_LONGEST_S = 30.0
SILENCE_LIMIT_S = 2.0
"""A sensor that delivers nothing for longer is opened anew."""
CHECK_IN_LIMIT_S = 10.0
"""The sampler is stuck if it does not check in for longer (a transfer that never returns)."""


class SensorState(StrEnum):
    """What the sampler is doing."""

    STARTING = "starting"
    SAMPLING = "sampling"
    FAILED = "failed"


@dataclass(frozen=True)
class SamplerStatus:
    """A snapshot for status and health."""

    state: SensorState = SensorState.STARTING
    error: str | None = None
    """Why the sensor failed last; None once it samples again."""
    info: SensorInfo | None = None
    """None until the sensor was opened for the first time."""
    rate_hz: float = 0.0
    """Output data rate as estimated by the driver."""
    samples: int = 0
    samples_lost: int = 0
    reopened: int = 0
    """How often the sensor failed and had to be opened again."""


class Sampler:
    """Drains one accelerometer whenever its FIFO is half full; opens it anew, backing off, when it fails."""

    def __init__(
        self,
        name: str,
        open_sensor: Callable[[], AbstractContextManager[Accelerometer]],
        ring: RingBuffer,
        clock: Clock,
        watchdog: Watchdog,
        backoff: Backoff,
    ) -> None:
        """Prepare; nothing is opened before ``start``.

        Args:
            name: Name of the sensor in the configuration.
            open_sensor: Makes the driver, and the bus if it must, anew; called again after each failure.
            ring: Where the samples go.
            clock: For waiting.
            watchdog: Told of every turn of the loop: only a transfer that never returns is stuck.
            backoff: The waits before the sensor is opened again.
        """
        self._name = name
        self._open_sensor = open_sensor
        self._ring = ring
        self._clock = clock
        self._watchdog = watchdog
        self._stop = Event()
        self._thread = Thread(target=self._run, name=f"sampler-{name}", daemon=True)
        self._status = SamplerStatus()
        self._backoff = backoff

    def start(self) -> None:
        """Start the thread."""
        self._watchdog.register(self._thread.name, CHECK_IN_LIMIT_S)
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Ask the thread to end; return True if it did within the time."""
        self._stop.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def status(self) -> SamplerStatus:
        """Return a snapshot."""
        return self._status

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._open_sensor() as sensor:
                    self._sample(sensor)
            except BridgeError as error:
                self._failed(error)
                self._wait_before_reopening()

    def _sample(self, sensor: Accelerometer) -> None:
        """Drain until told to stop."""
        sensor.start()
        info = sensor.info
        self._status = replace(
            self._status, state=SensorState.SAMPLING, error=None, info=info, rate_hz=info.rate_hz
        )
        logger.info("sensor %s: %s samples at %g Hz", self._name, info.chip, info.rate_hz)
        interval_s = info.fifo_depth / 2 / info.rate_hz
        last_ns = self._clock.monotonic_ns()
        while not self._clock.wait(interval_s, self._stop):
            block = sensor.read_fifo()
            if len(block.samples_g):
                last_ns = self._clock.monotonic_ns()
                self._take(block)
            elif self._clock.monotonic_ns() - last_ns > SILENCE_LIMIT_S * NS_PER_S:
                raise SensorError(f"{info.chip} delivers no samples for {SILENCE_LIMIT_S:g} s")
            self._watchdog.check_in(self._thread.name)

    def _take(self, block: SampleBlock) -> None:
        self._ring.append(block)
        self._backoff.reset()
        status = self._status
        self._status = replace(
            status,
            samples=status.samples + len(block.samples_g),
            samples_lost=status.samples_lost + block.lost,
            rate_hz=block.rate_hz,
        )

    def _failed(self, error: BridgeError) -> None:
        self._ring.mark_gap()
        if self._status.state is not SensorState.FAILED or self._status.error != str(error):
            logger.error("sensor %s: %s", self._name, error)
        self._status = replace(
            self._status, state=SensorState.FAILED, error=str(error), reopened=self._status.reopened + 1
        )

    def _wait_before_reopening(self) -> None:
        """Wait; check in on the way, because waiting is progress, too."""
        left_s = self._backoff.next_s()
        while left_s > 0 and not self._clock.wait(min(left_s, 1.0), self._stop):
            left_s -= 1.0
            self._watchdog.check_in(self._thread.name)
