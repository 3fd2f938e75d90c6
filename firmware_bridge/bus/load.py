"""How much of an I2C bus a sensor takes, and how fast the bus is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from firmware_bridge.errors import SensorError

# Bits on the wire for each sample: bytes of nine bits (the acknowledge is one). The ADXL345 wants its
# register addressed for every sample, the others hand out sample after sample.
BITS_PER_SAMPLE = {
    "adxl345": 9 * 9 + 3,
    "adxl355": 9 * 9,
    "lis3dh": 6 * 9,
    "lsm6dso": 7 * 9,
    "mpu6050": 6 * 9,
}
BITS_PER_DRAIN = 110
"""Bits of a drain beside its samples: the FIFO's status is read, and its register addressed."""
USABLE = 0.9
"""Part of a bus's bits that can carry samples: the adapter pauses between transfers."""
USUAL_SPEED_HZ = 400_000.0
"""Fast mode; what an adapter is taken to have that does not tell."""
SYSFS = Path("/sys/class/i2c-adapter")


@dataclass(frozen=True)
class BusLoad:
    """What one sensor takes."""

    samples_per_s: float
    bytes_per_s: float
    """Bytes on the wire, addresses included."""
    bits_per_s: float
    """The same with acknowledges and conditions."""


def load_of(chip: str, rate_hz: float, watermark: int) -> BusLoad:
    """Return what a sensor takes of its bus.

    Args:
        chip: A key of ``BITS_PER_SAMPLE``.
        rate_hz: Output data rate.
        watermark: Samples of one drain.

    Raises:
        SensorError: If nobody has counted this chip's bits.
    """
    if chip not in BITS_PER_SAMPLE:
        raise SensorError(f"{chip}: what it takes of an I2C bus is not known; add it to bus_load")
    bits_per_s = rate_hz * (BITS_PER_SAMPLE[chip] + BITS_PER_DRAIN / watermark)
    return BusLoad(rate_hz, bits_per_s / 9, bits_per_s)


def kernel_speed_hz(bus: str, sysfs: Path = SYSFS) -> float | None:
    """Return the clock of a bus as the device tree gives it, or None if it does not tell.

    Args:
        bus: Device node, such as ``/dev/i2c-1``, or its number.
        sysfs: Where the kernel lists its adapters.
    """
    adapter = f"i2c-{bus}" if bus.isdecimal() else Path(bus).name
    try:
        content = (sysfs / adapter / "of_node" / "clock-frequency").read_bytes()
    except OSError:
        return None
    # A cell of a device tree is 32 bits, the highest byte first.
    return float(int.from_bytes(content[:4], "big")) if len(content) >= 4 else None
