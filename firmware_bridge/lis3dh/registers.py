"""Registers of the LIS3DH, named as in the data sheet.

Source: STMicroelectronics, LIS3DH data sheet DocID17530 rev. 2, tables 4 and 11, "Register mapping";
application note AN3308. Compared with two independent sources: ST's ``lis3dh_reg.h`` and ``lis3dh_reg.c``
(addresses, bits, sensitivities, temperature) with ``lis3dh_self_test.c`` (limits), and Linux
``drivers/iio/accel/st_accel_core.c`` (identity, rates, ranges, gains).
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

WHO_AM_I_VALUE = 0x33
"""What WHO_AM_I always reads; the LIS2DH12 reads the same."""
AUTO_INCREMENT = 0x80
"""In the register byte: the address moves on from byte to byte ("I2C operation")."""
FIFO_DEPTH = 32
BYTES_PER_SAMPLE = 6
"""OUT_X_L to OUT_Z_H; with the FIFO on, a longer read goes round to OUT_X_L (AN3308, "FIFO")."""
TURN_ON_PERIODS = 7
"""Samples that high resolution takes to turn on; one in low power (table 11)."""


class Register(IntEnum):
    """Register addresses."""

    STATUS_REG_AUX = 0x07
    OUT_ADC1_L = 0x08
    OUT_ADC1_H = 0x09
    OUT_ADC2_L = 0x0A
    OUT_ADC2_H = 0x0B
    OUT_ADC3_L = 0x0C
    OUT_ADC3_H = 0x0D
    WHO_AM_I = 0x0F
    CTRL_REG0 = 0x1E
    TEMP_CFG_REG = 0x1F
    CTRL_REG1 = 0x20
    CTRL_REG2 = 0x21
    CTRL_REG3 = 0x22
    CTRL_REG4 = 0x23
    CTRL_REG5 = 0x24
    CTRL_REG6 = 0x25
    REFERENCE = 0x26
    STATUS_REG = 0x27
    OUT_X_L = 0x28
    OUT_X_H = 0x29
    OUT_Y_L = 0x2A
    OUT_Y_H = 0x2B
    OUT_Z_L = 0x2C
    OUT_Z_H = 0x2D
    FIFO_CTRL_REG = 0x2E
    FIFO_SRC_REG = 0x2F
    INT1_CFG = 0x30
    INT1_SRC = 0x31
    INT1_THS = 0x32
    INT1_DURATION = 0x33
    INT2_CFG = 0x34
    INT2_SRC = 0x35
    INT2_THS = 0x36
    INT2_DURATION = 0x37
    CLICK_CFG = 0x38
    CLICK_SRC = 0x39
    CLICK_THS = 0x3A
    TIME_LIMIT = 0x3B
    TIME_LATENCY = 0x3C
    TIME_WINDOW = 0x3D
    ACT_THS = 0x3E
    ACT_DUR = 0x3F


RATES_HZ = {
    1.0: 1,
    10.0: 2,
    25.0: 3,
    50.0: 4,
    100.0: 5,
    200.0: 6,
    400.0: 7,
    1344.0: 9,
    1600.0: 8,
    5376.0: 9,
}
"""Output data rate to ODR in CTRL_REG1; 1600 and 5376 Hz exist in low power only ("CTRL_REG1").

Table 12 and ST's header call the rate of code 8 1620 Hz, "CTRL_REG1" and Linux 1600 Hz: the true rate is
measured, and differs by more from chip to chip.
"""
LOW_POWER_RATES_HZ = (1600.0, 5376.0)
"""Rates at which the chip gives 8 bits instead of 12."""
RANGES_G = {2.0: 0, 4.0: 1, 8.0: 2, 16.0: 3}
"""Full scale to FS in CTRL_REG4."""
HIGH_RESOLUTION_G_PER_LSB = {2.0: 1e-3, 4.0: 2e-3, 8.0: 4e-3, 16.0: 12e-3}
"""Sensitivity of 12 bits per full scale (table 4)."""
LOW_POWER_G_PER_LSB = {2.0: 16e-3, 4.0: 32e-3, 8.0: 64e-3, 16.0: 192e-3}
"""Sensitivity of 8 bits per full scale (table 4)."""


class TempCfg(IntFlag):
    """Bits of TEMP_CFG_REG."""

    ADC_EN = 0x80
    TEMP_EN = 0x40


class CtrlReg1(IntFlag):
    """Bits of CTRL_REG1."""

    ODR = 0xF0
    LPEN = 0x08
    ZEN = 0x04
    YEN = 0x02
    XEN = 0x01


ODR_SHIFT = 4
ALL_AXES = CtrlReg1.XEN | CtrlReg1.YEN | CtrlReg1.ZEN


class CtrlReg4(IntFlag):
    """Bits of CTRL_REG4."""

    BDU = 0x80
    BLE = 0x40
    FS = 0x30
    HR = 0x08
    SIM = 0x01


FS_SHIFT = 4


class SelfTest(IntEnum):
    """ST bits of CTRL_REG4, in place."""

    NORMAL = 0x00
    SELF_TEST_0 = 0x02
    SELF_TEST_1 = 0x04


SELF_TEST_MASK = 0x06


class CtrlReg5(IntFlag):
    """Bits of CTRL_REG5."""

    BOOT = 0x80
    FIFO_EN = 0x40
    LIR_INT1 = 0x08
    D4D_INT1 = 0x04
    LIR_INT2 = 0x02
    D4D_INT2 = 0x01


class FifoMode(IntEnum):
    """FM bits of FIFO_CTRL_REG, in place."""

    BYPASS = 0x00
    FIFO = 0x40
    STREAM = 0x80
    STREAM_TO_FIFO = 0xC0


FIFO_MODE_MASK = 0xC0
FIFO_THRESHOLD_MASK = 0x1F


class FifoSrc(IntFlag):
    """Bits of FIFO_SRC_REG."""

    WTM = 0x80
    OVRN_FIFO = 0x40
    EMPTY = 0x20
    FSS = 0x1F
