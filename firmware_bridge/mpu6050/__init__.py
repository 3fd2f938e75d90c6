"""InvenSense MPU-6050: three axes, 16 g, 1 kHz, FIFO of 1024 bytes (its gyroscope is only its clock)."""

from __future__ import annotations

from firmware_bridge.chip.chip import Chip
from firmware_bridge.mpu6050.registers import WHO_AM_I_VALUE, Register

CHIP = Chip(
    name="mpu6050",
    # AD0 low and high.
    addresses=(0x68, 0x69),
    identity={Register.WHO_AM_I: WHO_AM_I_VALUE},
    alike=("MPU-6000", "MPU-9150"),
    # Linux, drivers/iio/imu/inv_mpu6050/inv_mpu_iio.h; Betaflight, accgyro_mpu.h.
    relatives={
        0x12: "ICM-20602",
        0x70: "MPU-6500",
        0x71: "MPU-9250",
        0x73: "MPU-9255",
        0x74: "MPU-6515",
        0x78: "MPU-6880",
        0x98: "ICM-20689",
        0xAF: "ICM-20608",
    },
    bits_per_sample=6 * 9,
    driver="firmware_bridge.mpu6050.driver:MPU6050",
    simulator="firmware_bridge.mpu6050.simulator:SimulatedMPU6050",
)
