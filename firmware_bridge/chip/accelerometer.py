"""The accelerometer as the sampler sees it, whichever chip it is, and the table of known chips."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from firmware_bridge.bus.protocol import I2CBus
from firmware_bridge.bus.simulated import SimulatedChip
from firmware_bridge.chip.identity import ADDRESSES
from firmware_bridge.clock import Clock
from firmware_bridge.errors import OfferError
from firmware_bridge.signals.source import SignalSource

FloatArray = npt.NDArray[np.float32]

Limits = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
"""Lowest and highest value per axis x, y, z."""

# Chip name, as in the configuration, to the driver class; loaded only when chosen.
DRIVERS: dict[str, str] = {
    "adxl345": "firmware_bridge.adxl345.driver:ADXL345",
    "adxl355": "firmware_bridge.adxl355.driver:ADXL355",
    "lis3dh": "firmware_bridge.lis3dh.driver:LIS3DH",
    "lsm6dso": "firmware_bridge.lsm6dso.driver:LSM6DSO",
    "mpu6050": "firmware_bridge.mpu6050.driver:MPU6050",
}
# The twin of each driver, by the same name.
SIMULATORS: dict[str, str] = {
    "adxl345": "firmware_bridge.adxl345.simulator:SimulatedADXL345",
    "adxl355": "firmware_bridge.adxl355.simulator:SimulatedADXL355",
    "lis3dh": "firmware_bridge.lis3dh.simulator:SimulatedLIS3DH",
    "lsm6dso": "firmware_bridge.lsm6dso.simulator:SimulatedLSM6DSO",
    "mpu6050": "firmware_bridge.mpu6050.simulator:SimulatedMPU6050",
}
# 7-bit I2C address of each chip as it is usually wired.
DEFAULT_ADDRESSES: dict[str, int] = {chip: addresses[0] for chip, addresses in ADDRESSES.items()}


@dataclass(frozen=True)
class SensorInfo:
    """What a reader of the samples must know about the sensor."""

    chip: str
    """Chip name as in ``DRIVERS``."""
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
    """What a chip can be set to."""

    rates_hz: tuple[float, ...]
    """Output data rates, the slowest first."""
    ranges_g: tuple[float, ...]
    """Full scales, the smallest first."""


@dataclass(frozen=True)
class SampleBlock:
    """Samples of one FIFO drain, evenly spaced by the chip's own clock."""

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
    """Outcome of the chip's electrostatic self-test."""

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


def open_accelerometer(
    chip: str, bus: I2CBus, clock: Clock, *, address: int | None, rate_hz: float, range_g: float
) -> Accelerometer:
    """Return the driver for a chip by name; nothing is sent to the chip before ``start``.

    Args:
        chip: A key of ``DRIVERS``.
        bus: Where the chip is.
        clock: Source of sample times.
        address: 7-bit address, or None for the chip's usual one.
        rate_hz: Output data rate, one that the chip offers.
        range_g: Full scale, one that the chip offers.

    Raises:
        SensorError: If the chip is not known, or does not offer the rate or the range.
    """
    driver = _load(DRIVERS, chip)
    accelerometer: Accelerometer = driver(bus, clock, address=address, rate_hz=rate_hz, range_g=range_g)
    return accelerometer


def offered(chip: str) -> Offer:
    """Return the rates and ranges of a chip by name.

    Raises:
        SensorError: If the chip is not known.
    """
    driver: Any = _load(DRIVERS, chip)
    return Offer(tuple(sorted(driver.RATES_HZ)), tuple(sorted(driver.RANGES_G)))


def simulate(chip: str, clock: Clock, signal: SignalSource, *, rate_error: float = 0.0) -> SimulatedChip:
    """Return the twin of a chip by name, to be attached to a ``SimulatedBus``.

    Args:
        chip: A key of ``SIMULATORS``; ``DEFAULT_ADDRESSES`` has its usual address.
        clock: What makes samples appear.
        signal: What the chip feels.
        rate_error: Part by which this chip samples too fast, such as 0.02.

    Raises:
        SensorError: If there is no twin of this name.
    """
    simulated: SimulatedChip = _load(SIMULATORS, chip)(clock, signal, rate_error=rate_error)
    return simulated


def _load(table: Mapping[str, str], chip: str) -> Callable[..., Any]:
    try:
        module, _, name = table[chip].partition(":")
    except KeyError:
        known = ", ".join(sorted(table))
        raise OfferError({"chip": f"unknown accelerometer '{chip}'; known are: {known}"}) from None
    maker: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return maker
