"""Looking at a sensor for a while: what it feels, and how fast it really samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event
from typing import NamedTuple

import numpy as np

from firmware_bridge.chip.accelerometer import Accelerometer, SampleBlock, Thermometer
from firmware_bridge.clock import NS_PER_S, Clock
from firmware_bridge.errors import SensorError

_LONGEST_WAIT_S = 0.5


@dataclass(frozen=True)
class Reading:
    """What a sensor felt in one interval, in g; axes in the order x, y, z."""

    time_utc: str
    """End of the interval, ISO 8601."""
    samples: int
    lost: int
    """Samples lost in the interval."""
    rate_hz: float
    """Output data rate, as far as it is known."""
    mean_g: tuple[float, ...]
    rms_g: tuple[float, ...]
    """Root mean square without the mean."""
    peak_g: tuple[float, ...]
    """Largest distance from the mean."""
    temperature_c: float | None
    """Of the chip; None if it has no thermometer."""


@dataclass(frozen=True)
class MeasuredRate:
    """An output data rate in Hz, measured by the monotonic clock."""

    rate_hz: float
    uncertainty_hz: float
    """One sample over the time."""
    nominal_hz: float
    samples: int
    seconds: float
    """Time between the first and the last drain."""


def readings(
    accelerometer: Accelerometer, clock: Clock, interval_s: float, seconds: float | None, stop: Event
) -> Iterator[Reading]:
    """Yield a reading per interval from a started sensor.

    Args:
        accelerometer: Started.
        clock: The one it was made with.
        interval_s: Length of an interval.
        seconds: How long; None: until ``stop``.
        stop: Ends it; what has been collected until then comes as the last reading.

    Raises:
        BusError: If a transfer fails.
        SensorError: If the sensor lost its configuration, or stopped sampling.
    """
    left_s = np.inf if seconds is None else seconds
    while left_s > 0 and not stop.is_set():
        span_s = min(interval_s, left_s)
        left_s -= span_s
        blocks = [drain.block for drain in _drain(accelerometer, clock, span_s, stop)]
        if any(len(block.samples_g) for block in blocks):
            yield _summary(accelerometer, clock, blocks)


def measure_rate(accelerometer: Accelerometer, clock: Clock, seconds: float, stop: Event) -> MeasuredRate:
    """Count samples against the monotonic clock.

    Args:
        accelerometer: Started.
        clock: The one it was made with.
        seconds: How long; the result is good to one sample over it.
        stop: Ends it early.

    Raises:
        BusError: If a transfer fails.
        SensorError: If samples are lost meanwhile, or none come.
    """
    nominal_hz = accelerometer.info.rate_hz
    # The chip turns on, and the FIFO is empty when the counting begins.
    *_, begin = _drain(accelerometer, clock, max(0.1, 5 / nominal_hz), stop)
    drains = list(_drain(accelerometer, clock, seconds, stop))
    samples = sum(len(drain.block.samples_g) for drain in drains)
    lost = sum(drain.block.lost for drain in drains)
    elapsed_s = (drains[-1].at_ns - begin.at_ns) / NS_PER_S if drains else 0.0
    if lost:
        raise SensorError(
            f"{lost} samples were lost, so the rate is unknown; choose a lower one, or a faster bus"
        )
    if samples == 0:
        raise SensorError(f"no sample in {elapsed_s:.1f} s; measure for longer")
    return MeasuredRate(samples / elapsed_s, 1 / elapsed_s, nominal_hz, samples, elapsed_s)


class _Drain(NamedTuple):
    at_ns: int
    """When the chip was asked, by the monotonic clock."""
    block: SampleBlock


def _drain(accelerometer: Accelerometer, clock: Clock, span_s: float, stop: Event) -> Iterator[_Drain]:
    """Drain for ``span_s`` seconds, at most half a FIFO at a time; the last drain is at the end."""
    info = accelerometer.info
    step_s = min(info.fifo_depth / 2 / info.rate_hz, _LONGEST_WAIT_S)
    end_ns = clock.monotonic_ns() + round(span_s * NS_PER_S)
    while (left_ns := end_ns - clock.monotonic_ns()) > 0:
        stopped = clock.wait(min(step_s, left_ns / NS_PER_S), stop)
        yield _Drain(clock.monotonic_ns(), accelerometer.read_fifo())
        if stopped:
            return


def _summary(accelerometer: Accelerometer, clock: Clock, blocks: list[SampleBlock]) -> Reading:
    samples_g = np.concatenate([block.samples_g for block in blocks]).astype(np.float64)
    mean_g = samples_g.mean(axis=0)
    moving_g = samples_g - mean_g
    return Reading(
        time_utc=clock.utc().isoformat(timespec="milliseconds"),
        samples=len(samples_g),
        lost=sum(block.lost for block in blocks),
        rate_hz=blocks[-1].rate_hz,
        mean_g=tuple(mean_g.tolist()),
        rms_g=tuple(np.sqrt((moving_g**2).mean(axis=0)).tolist()),
        peak_g=tuple(np.abs(moving_g).max(axis=0).tolist()),
        temperature_c=accelerometer.temperature_c() if isinstance(accelerometer, Thermometer) else None,
    )
