"""The chips that judder knows, by name. A new chip is a folder, and its name here."""

from __future__ import annotations

from importlib import import_module
from pkgutil import resolve_name

from firmware_bridge.bus.protocol import I2CBus
from firmware_bridge.bus.simulated import SimulatedChip
from firmware_bridge.chip.accelerometer import Accelerometer, Offer
from firmware_bridge.chip.chip import Chip
from firmware_bridge.clock import Clock
from firmware_bridge.errors import OfferError
from firmware_bridge.signals.source import SignalSource

_FOLDERS = (
    "adxl345",
    "adxl355",
    "lis3dh",
    "lsm6dso",
    "mpu6050",
)

CHIPS: dict[str, Chip] = {folder: import_module(f"firmware_bridge.{folder}").CHIP for folder in _FOLDERS}
"""Chip by its name, as in the configuration."""


def chip_named(name: str) -> Chip:
    """Return what is known of a chip.

    Raises:
        OfferError: If there is none of this name.
    """
    if name not in CHIPS:
        known = ", ".join(sorted(CHIPS))
        raise OfferError({"chip": f"unknown accelerometer '{name}'; known are: {known}"})
    return CHIPS[name]


def offered(chip: str) -> Offer:
    """Return the output data rates in Hz and the full scales in g of a chip by name.

    Raises:
        OfferError: If the chip is not known.
    """
    driver = resolve_name(chip_named(chip).driver)
    return Offer(tuple(sorted(driver.RATES_HZ)), tuple(sorted(driver.RANGES_G)))


def open_accelerometer(
    chip: str, bus: I2CBus, clock: Clock, *, address: int | None, rate_hz: float, range_g: float
) -> Accelerometer:
    """Return the driver for a chip by name; nothing is sent to the chip before ``start``.

    Args:
        chip: A key of ``CHIPS``.
        bus: Where the chip is.
        clock: Source of sample times.
        address: 7-bit I2C address, or None for the chip's usual one.
        rate_hz: Output data rate in Hz, one that the chip offers.
        range_g: Full scale in g, one that the chip offers.

    Raises:
        OfferError: If the chip is not known, or does not offer the address, the rate or the range.
    """
    driver = resolve_name(chip_named(chip).driver)
    accelerometer: Accelerometer = driver(
        bus, clock, address=address, rate_hz=rate_hz, range_g=range_g, known=CHIPS.values()
    )
    return accelerometer


def simulate(chip: str, clock: Clock, signal: SignalSource, *, rate_error: float = 0.0) -> SimulatedChip:
    """Return the twin of a chip by name, to be attached to a ``SimulatedBus``.

    Args:
        chip: A key of ``CHIPS``.
        clock: What makes samples appear.
        signal: What the chip feels, in g.
        rate_error: Part by which this chip samples too fast, such as 0.02.

    Raises:
        OfferError: If the chip is not known.
    """
    simulated: SimulatedChip = resolve_name(chip_named(chip).simulator)(clock, signal, rate_error=rate_error)
    return simulated
