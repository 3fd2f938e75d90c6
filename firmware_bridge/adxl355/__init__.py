"""Analog Devices ADXL355: three axes, 8 g, 20 bits, low noise, 4 kHz, FIFO of 32 samples."""

from __future__ import annotations

from firmware_bridge.adxl355.registers import DEVID_AD_VALUE, DEVID_MST_VALUE, PARTID_VALUE, Register
from firmware_bridge.chip.chip import Chip

CHIP = Chip(
    name="adxl355",
    # ASEL low and high.
    addresses=(0x1D, 0x53),
    identity={
        Register.DEVID_AD: DEVID_AD_VALUE,
        Register.DEVID_MST: DEVID_MST_VALUE,
        Register.PARTID: PARTID_VALUE,
    },
    alike=("ADXL357 with five times the range",),
    # Linux, drivers/iio/accel/adxl355_core.c.
    relatives={0xE9: "ADXL359"},
    bits_per_sample=9 * 9,
    driver="firmware_bridge.adxl355.driver:ADXL355",
    simulator="firmware_bridge.adxl355.simulator:SimulatedADXL355",
)
