"""STMicroelectronics LSM6DSO: three axes, 16 g, 6.66 kHz, FIFO of 512 samples (its gyroscope stays off)."""

from __future__ import annotations

from firmware_bridge.chip.chip import Chip
from firmware_bridge.lsm6dso.registers import WHO_AM_I_VALUE, Register

CHIP = Chip(
    name="lsm6dso",
    # SDO/SA0 low and high.
    addresses=(0x6A, 0x6B),
    identity={Register.WHO_AM_I: WHO_AM_I_VALUE},
    # Tag and three axes.
    bits_per_sample=7 * 9,
    driver="firmware_bridge.lsm6dso.driver:LSM6DSO",
    simulator="firmware_bridge.lsm6dso.simulator:SimulatedLSM6DSO",
)
