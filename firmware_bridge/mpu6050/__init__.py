"""InvenSense MPU-6050: three axes, 16 g, 1 kHz, FIFO of 1024 bytes (its gyroscope is only its clock)."""

from __future__ import annotations

from firmware_bridge.chip.chip import Chip
from firmware_bridge.mpu6050.registers import WHO_AM_I_VALUE, Register

CHIP = Chip(
    name="mpu6050",
    # AD0 low and high.
    addresses=(0x68, 0x69),
    identity={Register.WHO_AM_I: WHO_AM_I_VALUE},
    bits_per_sample=6 * 9,
    driver="firmware_bridge.mpu6050.driver:MPU6050",
    simulator="firmware_bridge.mpu6050.simulator:SimulatedMPU6050",
)
