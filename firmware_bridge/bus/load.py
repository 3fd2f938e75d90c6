"""How much of an I2C bus a sensor takes, and how fast the bus is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BITS_PER_DRAIN = 110
"""Bits of a drain beside its samples: the FIFO's status is read, and its register addressed."""
USABLE = 0.9
"""Part of a bus's bits that can carry samples: the adapter pauses between transfers."""
USUAL_SPEED_HZ = 400_000.0
"""Fast mode; what an adapter is taken to have that does not tell."""
SYSFS = Path("/sys/class/i2c-adapter")


@dataclass(frozen=True)
class BusLoad:
    """What one sensor takes of its bus, in samples, bytes and bits per second."""

    samples_per_s: float
    bytes_per_s: float
    """Bytes on the wire, addresses included."""
    bits_per_s: float
    """The same with acknowledges and conditions."""


def load_of(bits_per_sample: int, rate_hz: float, watermark: int) -> BusLoad:
    """Return what a sensor takes of its bus.

    Args:
        bits_per_sample: Bits on the wire for each sample, as its ``Chip`` says.
        rate_hz: Output data rate in Hz.
        watermark: Samples of one drain.
    """
    bits_per_s = rate_hz * (bits_per_sample + BITS_PER_DRAIN / watermark)
    return BusLoad(rate_hz, bits_per_s / 9, bits_per_s)


def kernel_speed_hz(bus: str, sysfs: Path = SYSFS) -> float | None:
    """Return the clock of a bus in Hz as the device tree gives it, or None if it does not tell.

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
