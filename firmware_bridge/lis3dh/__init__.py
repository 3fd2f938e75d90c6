"""STMicroelectronics LIS3DH: three axes, 16 g, 1.344 kHz in high resolution, FIFO of 32 samples."""

from __future__ import annotations

from firmware_bridge.chip.chip import Chip
from firmware_bridge.lis3dh.registers import WHO_AM_I_VALUE, Register

CHIP = Chip(
    name="lis3dh",
    # SDO/SA0 low and high.
    addresses=(0x18, 0x19),
    identity={Register.WHO_AM_I: WHO_AM_I_VALUE},
    alike=("LIS2DH12",),
    bits_per_sample=6 * 9,
    driver="firmware_bridge.lis3dh.driver:LIS3DH",
    simulator="firmware_bridge.lis3dh.simulator:SimulatedLIS3DH",
)
