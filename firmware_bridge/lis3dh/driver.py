"""Driver of the LIS3DH: 12 bits in high resolution, 8 bits at the rates that only low power has.

Source: STMicroelectronics, LIS3DH data sheet DocID17530 rev. 2, application note AN3308.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from firmware_bridge.arrays import FloatArray
from firmware_bridge.chip.fifo_accelerometer import FifoAccelerometer, Fill, Force, SelfTestPlan, Setup
from firmware_bridge.chip.register_chip import Setting
from firmware_bridge.lis3dh import CHIP
from firmware_bridge.lis3dh.registers import (
    ALL_AXES,
    AUTO_INCREMENT,
    BYTES_PER_SAMPLE,
    FIFO_DEPTH,
    FS_SHIFT,
    HIGH_RESOLUTION_G_PER_LSB,
    LOW_POWER_G_PER_LSB,
    LOW_POWER_RATES_HZ,
    ODR_SHIFT,
    RANGES_G,
    RATES_HZ,
    TURN_ON_PERIODS,
    CtrlReg1,
    CtrlReg4,
    CtrlReg5,
    FifoMode,
    FifoSrc,
    Register,
    SelfTest,
    TempCfg,
)

# Reloading the trimming values takes 5 ms (AN3308, "Boot").
_BOOT_S = 0.005
_OVERRUN = int(FifoSrc.OVRN_FIFO)
_UNREAD = int(FifoSrc.FSS)
_POWER_DOWN = 0
_WATERMARK = FIFO_DEPTH // 2
# Left-justified in 16 bits: 12 bits in high resolution, 8 in low power.
_HIGH_RESOLUTION_STEP = 1 << 4
_LOW_POWER_STEP = 1 << 8
_STEPS_PER_C = 256.0


class LIS3DH(FifoAccelerometer):
    """A LIS3DH on an I2C bus (``Accelerometer``, ``Thermometer``).

    A drain takes two system calls: the read of the data registers goes round as long as the FIFO has samples.
    At 16 g a sample can be up to 24.6 g: the chip's scale ends there (12 mg * 2048).
    """

    CHIP = CHIP
    RATES_HZ = RATES_HZ
    RANGES_G = RANGES_G
    FIFO_DEPTH = FIFO_DEPTH
    STANDBY = (Register.CTRL_REG1, _POWER_DOWN)
    # Table 4: 17 to 360 steps of 4 mg at 2 g.
    SELF_TEST: ClassVar = SelfTestPlan(
        rate_hz=100.0, range_g=2.0, settling=10, samples=12, limits_g=((0.068, 1.44),) * 3
    )

    def temperature_c(self) -> float:
        """Return the temperature of the chip in degrees Celsius.

        The chip tells only changes, in steps of 1 °C: the absolute value, about 25 °C at 0, can be far off.

        Raises:
            BusError: If the transfer fails.
        """
        data = self._chip.read(Register.OUT_ADC3_L | AUTO_INCREMENT, 2)
        counts = int.from_bytes(data, "little", signed=True)
        return 25.0 + counts / _STEPS_PER_C

    def _reset(self) -> None:
        self._chip.write(Register.CTRL_REG5, CtrlReg5.BOOT)
        self._clock.wait(_BOOT_S)

    def _settings(self, setup: Setup) -> list[Setting]:
        low_power = setup.rate_hz in LOW_POWER_RATES_HZ
        mode = CtrlReg1.LPEN if low_power else CtrlReg1(0)
        resolution = CtrlReg4(0) if low_power else CtrlReg4.HR
        pushed = SelfTest.SELF_TEST_0 if setup.force is Force.PUSHED else SelfTest.NORMAL
        return [
            (Register.CTRL_REG1, _POWER_DOWN),
            (Register.TEMP_CFG_REG, TempCfg.ADC_EN | TempCfg.TEMP_EN),
            # No high-pass filter, no interrupts.
            (Register.CTRL_REG2, 0),
            (Register.CTRL_REG3, 0),
            (Register.CTRL_REG6, 0),
            (Register.CTRL_REG4, CtrlReg4.BDU | RANGES_G[setup.range_g] << FS_SHIFT | resolution | pushed),
            (Register.CTRL_REG5, CtrlReg5.FIFO_EN),
            # Bypass mode empties the FIFO.
            (Register.FIFO_CTRL_REG, FifoMode.BYPASS),
            (Register.FIFO_CTRL_REG, FifoMode.STREAM | _WATERMARK),
            (Register.CTRL_REG1, RATES_HZ[setup.rate_hz] << ODR_SHIFT | mode | ALL_AXES),
        ]

    def _resolution_g(self, setup: Setup) -> float:
        low_power = setup.rate_hz in LOW_POWER_RATES_HZ
        return (LOW_POWER_G_PER_LSB if low_power else HIGH_RESOLUTION_G_PER_LSB)[setup.range_g]

    def _turn_on_s(self, setup: Setup) -> float:
        periods = 1 if setup.rate_hz in LOW_POWER_RATES_HZ else TURN_ON_PERIODS
        return (periods - 1) / setup.rate_hz

    def _fill(self) -> Fill:
        source = self._chip.value(Register.FIFO_SRC_REG)
        overrun = bool(source & _OVERRUN)
        # FSS ends at 31; the 32nd unread sample shows as OVRN_FIFO (AN3308, "FIFO_SRC_REG").
        return Fill((source & _UNREAD) + overrun, overrun)

    def _take(self, n: int) -> FloatArray:
        data = self._chip.read(Register.OUT_X_L | AUTO_INCREMENT, n * BYTES_PER_SAMPLE)
        counts = np.frombuffer(data, "<i2").reshape(-1, 3)
        return counts.astype(np.float32) * self._g_per_step

    def _begin(self, setup: Setup) -> None:
        super()._begin(setup)
        step = _LOW_POWER_STEP if setup.rate_hz in LOW_POWER_RATES_HZ else _HIGH_RESOLUTION_STEP
        self._g_per_step = self._g_per_lsb / np.float32(step)
