"""Analog Devices ADXL345: three axes, 16 g, FIFO of 32 samples."""

from __future__ import annotations

from firmware_bridge.adxl345.registers import DEVID_VALUE, Register
from firmware_bridge.chip.chip import Chip

CHIP = Chip(
    name="adxl345",
    # SDO/ALT ADDRESS low and high ("I2C").
    addresses=(0x53, 0x1D),
    identity={Register.DEVID: DEVID_VALUE},
    # Its register is addressed anew for every sample.
    bits_per_sample=9 * 9 + 3,
    driver="firmware_bridge.adxl345.driver:ADXL345",
    simulator="firmware_bridge.adxl345.simulator:SimulatedADXL345",
)
