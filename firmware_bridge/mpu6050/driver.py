"""Driver of the MPU-6050's accelerometer.

Source: InvenSense, MPU-6000/MPU-6050 Register Map rev. 4.2 and Product Specification rev. 3.4.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from firmware_bridge.arrays import FloatArray
from firmware_bridge.chip.accelerometer import Limits
from firmware_bridge.chip.fifo_accelerometer import FifoAccelerometer, Fill, Force, SelfTestPlan, Setup
from firmware_bridge.chip.register_chip import Setting
from firmware_bridge.mpu6050 import CHIP
from firmware_bridge.mpu6050.registers import (
    AFS_SEL_SHIFT,
    ALL_AXES_ST,
    BANDWIDTHS_HZ,
    BYTES_PER_SAMPLE,
    CLKSEL_PLL_X_GYRO,
    FIFO_DEPTH,
    LSB_PER_G,
    RANGES_G,
    RATES_HZ,
    TEMPERATURE_AT_0,
    TEMPERATURE_LSB_PER_C,
    TURN_ON_S,
    FifoEn,
    PwrMgmt1,
    PwrMgmt2,
    Register,
    UserCtrl,
    factory_trim_g,
)

# Power-up (Linux ``inv_mpu_iio.h``).
_RESET_S = 0.1
# The change may differ from the factory's by this part ("Accelerometer specifications").
_SELF_TEST_TOLERANCE = 0.14


class MPU6050(FifoAccelerometer):
    """An MPU-6050 on an I2C bus (``Accelerometer``, ``Thermometer``).

    A drain takes two system calls. Its FIFO counts bytes and marks nothing: once it overflows, or a read is
    interrupted, nobody knows where a sample begins. So it is emptied, and all that it held counts as lost.
    """

    CHIP = CHIP
    RATES_HZ = RATES_HZ
    RANGES_G = RANGES_G
    FIFO_DEPTH = FIFO_DEPTH
    STANDBY = (Register.PWR_MGMT_1, PwrMgmt1.SLEEP)
    # Register map, "Self Test Registers": at 8 g.
    SELF_TEST: ClassVar = SelfTestPlan(
        rate_hz=200.0, range_g=8.0, settling=20, samples=40, limits_g=None, absolute=False
    )

    def temperature_c(self) -> float:
        """Return the temperature of the chip in degrees Celsius; good to some degrees.

        Raises:
            BusError: If the transfer fails.
        """
        counts = int.from_bytes(self._chip.read(Register.TEMP_OUT_H, 2), "big", signed=True)
        return TEMPERATURE_AT_0 + counts / TEMPERATURE_LSB_PER_C

    def _reset(self) -> None:
        self._chip.write(Register.PWR_MGMT_1, PwrMgmt1.DEVICE_RESET)
        self._clock.wait(_RESET_S)

    def _settings(self, setup: Setup) -> list[Setting]:
        pushed = ALL_AXES_ST if setup.force is Force.PUSHED else 0
        return [
            (Register.PWR_MGMT_1, CLKSEL_PLL_X_GYRO),
            (Register.PWR_MGMT_2, PwrMgmt2.STBY_YG | PwrMgmt2.STBY_ZG),
            (Register.SMPLRT_DIV, RATES_HZ[setup.rate_hz]),
            (Register.CONFIG, _filter_code(setup.rate_hz)),
            (Register.ACCEL_CONFIG, pushed | RANGES_G[setup.range_g] << AFS_SEL_SHIFT),
            (Register.INT_ENABLE, 0),
            (Register.FIFO_EN, FifoEn.ACCEL),
            (Register.USER_CTRL, UserCtrl.FIFO_EN),
        ]

    def _resolution_g(self, setup: Setup) -> float:
        return 1.0 / LSB_PER_G[setup.range_g]

    def _turn_on_s(self, setup: Setup) -> float:
        return TURN_ON_S

    def _realign(self) -> None:
        # FIFO_RESET works while FIFO_EN is 0 (register map, "User Control").
        self._chip.write(Register.USER_CTRL, UserCtrl.FIFO_RESET)
        self._chip.write(Register.USER_CTRL, UserCtrl.FIFO_EN)

    def _fill(self) -> Fill:
        count = int.from_bytes(self._chip.read(Register.FIFO_COUNT_H, 2), "big")
        if count <= FIFO_DEPTH * BYTES_PER_SAMPLE:
            return Fill(count // BYTES_PER_SAMPLE, overrun=False)
        self._realign()
        return Fill(0, overrun=True)

    def _take(self, n: int) -> FloatArray:
        data = self._chip.read(Register.FIFO_R_W, n * BYTES_PER_SAMPLE)
        counts = np.frombuffer(data, ">i2").reshape(-1, 3)
        return counts.astype(np.float32) * self._g_per_lsb

    def _factory_limits_g(self) -> Limits:
        x, y, z, low_bits = self._chip.read(Register.SELF_TEST_X, 4)
        codes = [(high >> 5) << 2 | low_bits >> shift & 0b11 for high, shift in ((x, 4), (y, 2), (z, 0))]
        if not all(codes):
            raise self._chip.error(
                "holds no factory trim, so its self-test cannot be judged; it may be a copy of the chip"
            )
        low_x, low_y, low_z = ((1 - _SELF_TEST_TOLERANCE) * factory_trim_g(code) for code in codes)
        high_x, high_y, high_z = ((1 + _SELF_TEST_TOLERANCE) * factory_trim_g(code) for code in codes)
        return ((low_x, high_x), (low_y, high_y), (low_z, high_z))


def _filter_code(rate_hz: float) -> int:
    """Return the widest low-pass filter below half the rate, or the narrowest there is."""
    fitting = [code for bandwidth_hz, code in BANDWIDTHS_HZ.items() if bandwidth_hz <= rate_hz / 2]
    return min(fitting, default=max(BANDWIDTHS_HZ.values()))
