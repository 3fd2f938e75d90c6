"""Driver of the LSM6DSO's accelerometer, in high-performance mode, with the gyroscope off.

Source: STMicroelectronics, LSM6DSO data sheet DS12140 rev. 2, application note AN5192.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from firmware_bridge.arrays import FloatArray
from firmware_bridge.chip.fifo_accelerometer import FifoAccelerometer, Fill, Force, SelfTestPlan, Setup
from firmware_bridge.chip.register_chip import Setting
from firmware_bridge.lsm6dso import CHIP
from firmware_bridge.lsm6dso.registers import (
    BYTES_PER_WORD,
    FIFO_DEPTH,
    FS_XL_SHIFT,
    G_PER_LSB,
    ODR_XL_SHIFT,
    RANGES_G,
    RATES_HZ,
    TAG_SENSOR_SHIFT,
    TEMPERATURE_LSB_PER_C,
    Ctrl3C,
    Ctrl9Xl,
    FifoMode,
    FifoStatus2,
    Register,
    SelfTest,
    Tag,
)

# A software reset takes 50 µs (AN5192, "Boot procedure").
_RESET_S = 0.001
_OVERRUN = int(FifoStatus2.FIFO_OVR_IA | FifoStatus2.FIFO_OVR_LATCHED)
_DIFF_FIFO_HIGH = int(FifoStatus2.DIFF_FIFO)
_WATERMARK = FIFO_DEPTH // 2
_POWER_DOWN = 0
_CTRL9_XL = Ctrl9Xl.DEN_X | Ctrl9Xl.DEN_Y | Ctrl9Xl.DEN_Z | Ctrl9Xl.I3C_DISABLE


class LSM6DSO(FifoAccelerometer):
    """An LSM6DSO on an I2C bus (``Accelerometer``, ``Thermometer``).

    A drain takes two system calls, however many words wait: the read of the FIFO goes on from word to word.
    The bus must carry it: 6667 Hz are 420 kbit/s, more than a bus at 400 kHz can.
    """

    CHIP = CHIP
    RATES_HZ = RATES_HZ
    RANGES_G = RANGES_G
    FIFO_DEPTH = FIFO_DEPTH
    STANDBY = (Register.CTRL1_XL, _POWER_DOWN)
    # 52 Hz at 4 g, 100 ms to settle (AN5192, "Accelerometer self-test"); 50 to 1700 mg (data sheet). The same
    # in ST's ``lsm6dso_self_test.c``.
    SELF_TEST: ClassVar = SelfTestPlan(
        rate_hz=52.0, range_g=4.0, settling=6, samples=10, limits_g=((0.05, 1.7),) * 3
    )

    def temperature_c(self) -> float:
        """Return the temperature of the chip in degrees Celsius; good to 15 °C without calibration.

        Raises:
            BusError: If the transfer fails.
        """
        counts = int.from_bytes(self._chip.read(Register.OUT_TEMP_L, 2), "little", signed=True)
        return 25.0 + counts / TEMPERATURE_LSB_PER_C

    def _reset(self) -> None:
        self._chip.write(Register.CTRL3_C, Ctrl3C.SW_RESET | Ctrl3C.IF_INC)
        self._clock.wait(_RESET_S)
        if self._chip.value(Register.CTRL3_C) & Ctrl3C.SW_RESET:
            raise self._chip.error("does not come out of its reset; power-cycle it")

    def _settings(self, setup: Setup) -> list[Setting]:
        rate_code = RATES_HZ[setup.rate_hz]
        pushed = SelfTest.POSITIVE if setup.force is Force.PUSHED else SelfTest.NORMAL
        return [
            (Register.CTRL9_XL, _CTRL9_XL),
            (Register.CTRL3_C, Ctrl3C.BDU | Ctrl3C.IF_INC),
            (Register.CTRL2_G, _POWER_DOWN),
            (Register.CTRL4_C, 0),
            (Register.CTRL5_C, pushed),
            # High-performance mode, and no filter but the anti-alias at half the rate.
            (Register.CTRL6_C, 0),
            (Register.CTRL7_G, 0),
            (Register.CTRL8_XL, 0),
            (Register.CTRL10_C, 0),
            (Register.FIFO_CTRL1, _WATERMARK & 0xFF),
            (Register.FIFO_CTRL2, _WATERMARK >> 8),
            (Register.FIFO_CTRL3, rate_code),
            # Bypass mode empties the FIFO.
            (Register.FIFO_CTRL4, FifoMode.BYPASS),
            (Register.FIFO_CTRL4, FifoMode.CONTINUOUS),
            (Register.CTRL1_XL, rate_code << ODR_XL_SHIFT | RANGES_G[setup.range_g] << FS_XL_SHIFT),
        ]

    def _resolution_g(self, setup: Setup) -> float:
        return G_PER_LSB[setup.range_g]

    def _fill(self) -> Fill:
        low, high = self._chip.read(Register.FIFO_STATUS1, 2)
        return Fill((high & _DIFF_FIFO_HIGH) << 8 | low, bool(high & _OVERRUN))

    def _take(self, n: int) -> FloatArray:
        data = self._chip.read(Register.FIFO_DATA_OUT_TAG, n * BYTES_PER_WORD)
        words = np.frombuffer(data, np.uint8).reshape(-1, BYTES_PER_WORD)
        ours = words[:, 0] >> TAG_SENSOR_SHIFT == Tag.ACCELEROMETER
        if not ours.all():
            # Nothing else is batched: a word of another kind is a sample that a bit error took.
            words, self._gap = words[np.flatnonzero(~ours)[-1] + 1 :], True
        counts = np.ascontiguousarray(words[:, 1:]).view("<i2")
        return counts.astype(np.float32) * self._g_per_lsb
