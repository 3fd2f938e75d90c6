"""One sensor's way from FIFO to ring buffer: opened, drained in time, opened anew for as long as it takes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from enum import StrEnum

from agent.sensing.ring_buffer import RingBuffer
from agent.system.backoff import Backoff
from agent.system.journal import Entry, fields
from firmware_bridge.bus.causes import TRANSIENT
from firmware_bridge.chip.accelerometer import Accelerometer, SampleBlock, SensorInfo, Thermometer
from firmware_bridge.clock import NS_PER_S, Clock
from firmware_bridge.errors import BridgeError, BusError, SensorError

logger = logging.getLogger(__name__)

BACKOFF_FIRST_S = 0.5
BACKOFF_LONGEST_S = 30.0
SILENCE_LIMIT_S = 2.0
"""A sensor that delivers nothing for longer is opened anew;"""
SILENT_PERIODS = 4.0
"""at a low rate it may take as many periods."""
RETRIES = 3
"""Drains in a row that may fail for a passing reason before the sensor is opened anew."""
RETRY_S = 0.002
"""Wait before the first retry; it doubles with each."""
DEEP_SAMPLES = 64
"""A FIFO is drained when it is half full, a deep one already at a quarter, but at no fewer samples than this:
that leaves more time for a thread that is woken late, and costs few wake-ups."""
TEMPERATURE_INTERVAL_S = 10.0
"""How often a chip with a thermometer is asked for its temperature."""
LONGEST_INTERVAL_S = 0.5
"""A deep FIFO at a low rate is drained as often as this, so that windows are judged soon."""


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
    last_error: str | None = None
    """The same, kept."""
    silent_since_ns: int | None = None
    """CLOCK_MONOTONIC time of the last sample (of the start, before the first) while none come; else None."""
    info: SensorInfo | None = None
    """None until the sensor was opened for the first time."""
    rate_hz: float = 0.0
    """Output data rate as estimated by the driver."""
    samples: int = 0
    samples_lost: int = 0
    retried: int = 0
    """How often a drain failed for a passing reason and was tried again."""
    reopened: int = 0
    """How often the sensor failed and had to be opened again."""
    temperature_c: float | None = None
    """Of the chip, in degrees Celsius; None if it has no thermometer, or does not answer."""


class Sampler:
    """Keeps one accelerometer going, a turn at a time; has no thread of its own (see ``BusSampler``)."""

    def __init__(
        self,
        name: str,
        open_sensor: Callable[[], AbstractContextManager[Accelerometer]],
        ring: RingBuffer,
        clock: Clock,
        backoff: Backoff,
    ) -> None:
        """Prepare; nothing is opened before the first ``turn``.

        Args:
            name: Name of the sensor in the configuration.
            open_sensor: Makes the driver, and the bus if it must, anew; called again after each failure.
            ring: Where the samples go.
            clock: For deadlines.
            backoff: The waits before the sensor is opened again.
        """
        self.name = name
        self._open_sensor = open_sensor
        self._ring = ring
        self._clock = clock
        self._backoff = backoff
        self._sensor: Accelerometer | None = None
        self._opened = ExitStack()
        self._status = SamplerStatus(silent_since_ns=clock.monotonic_ns())
        self._failed_drains = 0
        self._interval_ns = 0
        self._last_ns = 0
        self._temperature_due_ns = 0
        self.due_ns = clock.monotonic_ns()
        """When the next turn is due: the FIFO has filled to its watermark, or a wait is over."""
        self.overflow_ns = self.due_ns
        """When the FIFO is full and samples begin to be lost; ``due_ns`` of a sensor that is not sampling."""

    @property
    def early_ns(self) -> int:
        """When a thread that is awake anyway may as well drain, in monotonic nanoseconds.

        Three quarters of the wait are over then, and as many of the samples are there.
        """
        return self.due_ns - self._interval_ns // 4

    def status(self) -> SamplerStatus:
        """Return a snapshot."""
        return self._status

    def turn(self) -> None:
        """Open the sensor or drain it, whichever is next, and set when the next turn is due."""
        try:
            if self._sensor is None:
                self._open()
            else:
                self._drain(self._sensor)
        except BridgeError as error:
            self._fail(error)

    def close(self) -> None:
        """Let go of the sensor; may be called twice."""
        self._sensor = None
        self._interval_ns = 0
        self._opened.close()

    def _open(self) -> None:
        with ExitStack() as opening:
            sensor = opening.enter_context(self._open_sensor())
            sensor.start()
            self._opened = opening.pop_all()
        info = sensor.info
        self._sensor = sensor
        self._failed_drains = 0
        self._status = replace(
            self._status, state=SensorState.SAMPLING, error=None, info=info, rate_hz=info.rate_hz
        )
        entry = fields(Entry.SENSOR_SAMPLES, sensor=self.name)
        logger.info("sensor %s: %s samples at %g Hz", self.name, info.chip, info.rate_hz, extra=entry)
        self._last_ns = self._temperature_due_ns = self._clock.monotonic_ns()
        self._schedule(info, info.rate_hz, self._last_ns)

    def _drain(self, sensor: Accelerometer) -> None:
        try:
            block = sensor.read_fifo()
        except BusError as error:
            self._retry(error)
            return
        self._failed_drains = 0
        now_ns = self._clock.monotonic_ns()
        if len(block.samples_g):
            self._last_ns = now_ns
            self._take(block)
        elif now_ns - self._last_ns > _silence_limit_s(sensor.info) * NS_PER_S:
            limit_s = _silence_limit_s(sensor.info)
            silence = f"no samples for {limit_s:g} s though it answers; power-cycle it"
            raise SensorError(f"{place_of(sensor.info)}: {silence}")
        self._schedule(sensor.info, block.rate_hz, block.end_ns)
        if isinstance(sensor, Thermometer) and now_ns >= self._temperature_due_ns:
            self._temperature_due_ns = now_ns + round(TEMPERATURE_INTERVAL_S * NS_PER_S)
            self._take_temperature(sensor)

    def _schedule(self, info: SensorInfo, rate_hz: float, emptied_ns: int) -> None:
        """Drain next at the watermark: samples that came during a drain are in the FIFO already."""
        interval_s = min(watermark(info.fifo_depth) / rate_hz, LONGEST_INTERVAL_S)
        self._interval_ns = round(interval_s * NS_PER_S)
        self.due_ns = emptied_ns + self._interval_ns
        self.overflow_ns = emptied_ns + round(info.fifo_depth / rate_hz * NS_PER_S)

    def _retry(self, error: BusError) -> None:
        """Wait for the next try, or give up; samples that this drain lost are told by the next that works."""
        if error.code not in TRANSIENT or self._failed_drains >= RETRIES:
            raise error
        wait_s = RETRY_S * 2**self._failed_drains
        self._failed_drains += 1
        self._status = replace(self._status, retried=self._status.retried + 1)
        self._wait(wait_s)

    def _take(self, block: SampleBlock) -> None:
        self._ring.append(block)
        self._backoff.reset()
        status = self._status
        self._status = replace(
            status,
            silent_since_ns=None,
            samples=status.samples + len(block.samples_g),
            samples_lost=status.samples_lost + block.lost,
            rate_hz=block.rate_hz,
        )

    def _take_temperature(self, sensor: Thermometer) -> None:
        """Ask the thermometer, right after a drain, when the FIFO can wait."""
        try:
            temperature_c = sensor.temperature_c()
        except BusError:  # a bus that fails is found, and told, by the next drain
            temperature_c = None
        self._status = replace(self._status, temperature_c=temperature_c)

    def _fail(self, error: BridgeError) -> None:
        """Let go of the sensor, mark the gap, and wait, backing off, before it is opened again."""
        self.close()
        self._ring.mark_gap()
        reason = str(error)
        if self._status.state is not SensorState.FAILED or self._status.error != reason:
            logger.error(
                "sensor %s: %s", self.name, reason, extra=fields(Entry.SENSOR_FAILED, sensor=self.name)
            )
        silent_since_ns = self._status.silent_since_ns
        self._status = replace(
            self._status,
            state=SensorState.FAILED,
            silent_since_ns=self._last_ns if silent_since_ns is None else silent_since_ns,
            error=reason,
            last_error=reason,
            reopened=self._status.reopened + 1,
            temperature_c=None,
        )
        self._wait(self._backoff.next_s())

    def _wait(self, wait_s: float) -> None:
        self.due_ns = self.overflow_ns = self._clock.monotonic_ns() + round(wait_s * NS_PER_S)


def watermark(fifo_depth: int) -> int:
    """Return the number of samples at which a FIFO is drained."""
    return max(fifo_depth // 4, min(fifo_depth // 2, DEEP_SAMPLES))


def _silence_limit_s(info: SensorInfo) -> float:
    return max(SILENCE_LIMIT_S, SILENT_PERIODS / info.rate_hz)


def place_of(info: SensorInfo) -> str:
    """Return chip, bus and address as messages name them."""
    at = f" at 0x{info.address:02x}" if info.address is not None else ""
    return f"{info.chip} on {info.bus}{at}"
