"""The accelerometer as the sampler sees it, whichever chip it is."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from firmware_bridge.arrays import FloatArray

Limits = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
"""Lowest and highest value per axis x, y, z."""


@dataclass(frozen=True, kw_only=True)
class SensorInfo:
    """What a reader of the samples must know about the sensor."""

    chip: str
    """Chip name as in the configuration."""
    bus: str
    """Name of the bus as configured."""
    address: int | None
    """7-bit I2C address; None if the kernel's driver has the chip."""
    rate_hz: float
    """Nominal output data rate."""
    range_g: float
    """Full scale: samples lie between -range_g and +range_g."""
    resolution_g: float
    """Acceleration of one least significant bit."""
    fifo_depth: int
    """Samples that the chip holds before the oldest is lost."""
    simulated: bool
    """True for a simulated chip; shown in every status and payload."""


@dataclass(frozen=True)
class Offer:
    """What a chip can be set to: rates in Hz, full scales in g."""

    rates_hz: tuple[float, ...]
    """Output data rates, the slowest first."""
    ranges_g: tuple[float, ...]
    """Full scales, the smallest first."""


@dataclass(frozen=True)
class SampleBlock:
    """The samples of one FIFO drain, in g, evenly spaced by the chip's own clock."""

    samples_g: FloatArray
    """Acceleration, shape (n_samples, 3), axes x, y, z; n_samples may be 0."""
    end_ns: int
    """CLOCK_MONOTONIC time of the last sample (of the drain, if there is none)."""
    rate_hz: float
    """Output data rate, estimated from FIFO counts once enough have been seen, else nominal."""
    lost: int
    """Samples lost between the previous block and the first sample of this one; 0: no gap."""


@dataclass(frozen=True)
class SelfTest:
    """Outcome of the chip's electrostatic self-test, in g."""

    passed: bool
    """True if every axis moved within the data sheet's limits."""
    shift_g: tuple[float, float, float]
    """Output change per axis; without its sign where the data sheet limits only its size."""
    limits_g: Limits
    """Lowest and highest allowed change per axis."""


@dataclass(frozen=True)
class RegisterState:
    """A register of the configuration, as it was found."""

    name: str
    """As in the data sheet."""
    value: int
    wanted: int
    """What the driver gives it."""


class Accelerometer(Protocol):
    """A chip that samples by itself into a FIFO. A context manager; ``close`` may be called twice."""

    @property
    def info(self) -> SensorInfo:
        """What the samples mean."""
        ...

    def start(self) -> None:
        """Check the identity, configure, read the configuration back, and begin to sample.

        Raises:
            BusError: If a transfer fails.
            SensorError: If the chip is another one, or a setting does not read back.
        """
        ...

    def read_fifo(self) -> SampleBlock:
        """Drain what the FIFO holds; never waits.

        Raises:
            BusError: If a transfer fails.
            SensorError: If the chip is not started, lost its configuration, or stopped to sample.
        """
        ...

    def self_test(self) -> SelfTest:
        """Run the data sheet's self-test; sampling starts afresh afterwards.

        Raises:
            BusError: If a transfer fails.
            SensorError: If the chip is another one, does not take its settings, or does not sample.
        """
        ...

    def close(self) -> None:
        """Put the chip to standby and let go of it; the bus stays open."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class Thermometer(Protocol):
    """What an accelerometer that also measures its own temperature can do; ask with ``isinstance``."""

    def temperature_c(self) -> float:
        """Return the temperature of the chip, in degrees Celsius; sampling goes on.

        Raises:
            BusError: If a transfer fails.
        """
        ...


@runtime_checkable
class Configured(Protocol):
    """What an accelerometer that is read register by register can do; ask with ``isinstance``."""

    def configuration(self) -> list[RegisterState]:
        """Read the chip's present configuration; nothing is written.

        Raises:
            BusError: If a transfer fails.
            SensorError: If the chip is another one.
        """
        ...
