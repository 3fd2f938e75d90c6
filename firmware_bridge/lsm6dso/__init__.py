"""STMicroelectronics LSM6DSO: three axes, 16 g, 6.66 kHz, FIFO of 512 samples (its gyroscope stays off)."""

from __future__ import annotations

from firmware_bridge.chip.chip import Chip
from firmware_bridge.lsm6dso.registers import WHO_AM_I_VALUE, Register

CHIP = Chip(
    name="lsm6dso",
    # SDO/SA0 low and high.
    addresses=(0x6A, 0x6B),
    identity={Register.WHO_AM_I: WHO_AM_I_VALUE},
    alike=("LSM6DSOX", "LSM6DSO32 with twice the range"),
    # Linux, drivers/iio/imu/st_lsm6dsx/st_lsm6dsx_core.c; the makers' lsm6ds3tr-c_reg.h, ism330dhcx_reg.h.
    relatives={
        0x69: "LSM6DS3",
        0x6A: "LSM6DS3TR-C, LSM6DSL or ISM330DLC",
        0x6B: "ISM330DHCX or LSM6DSR",
        0x6D: "LSM6DST",
        0x70: "LSM6DSV16X",
    },
    # Tag and three axes.
    bits_per_sample=7 * 9,
    driver="firmware_bridge.lsm6dso.driver:LSM6DSO",
    simulator="firmware_bridge.lsm6dso.simulator:SimulatedLSM6DSO",
)
