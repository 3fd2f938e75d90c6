"""Registers of the LSM6DSO that its accelerometer and FIFO need, named as in the data sheet.

Source: STMicroelectronics, LSM6DSO data sheet DS12140 rev. 2, "Mechanical characteristics" and "Register
mapping"; application note AN5192. Compared with two independent sources: ST's ``lsm6dso_reg.h`` (addresses,
bits, sensitivities, codes, tags) and Linux ``drivers/iio/imu/st_lsm6dsx/st_lsm6dsx_core.c`` (identity, rates,
reset, depth of the FIFO).
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

WHO_AM_I_VALUE = 0x6C
"""What WHO_AM_I always reads; the LSM6DSOX reads the same, and is the same here."""
FIFO_DEPTH = 512
"""Words of the FIFO without compression; a sample is a word."""
BYTES_PER_WORD = 7
"""FIFO_DATA_OUT_TAG to FIFO_DATA_OUT_Z_H; a longer read goes on with the next word's tag (AN5192, "FIFO")."""
TEMPERATURE_LSB_PER_C = 256
"""Of OUT_TEMP; 0 is 25 °C."""


class Register(IntEnum):
    """Register addresses."""

    FUNC_CFG_ACCESS = 0x01
    PIN_CTRL = 0x02
    FIFO_CTRL1 = 0x07
    FIFO_CTRL2 = 0x08
    FIFO_CTRL3 = 0x09
    FIFO_CTRL4 = 0x0A
    COUNTER_BDR_REG1 = 0x0B
    COUNTER_BDR_REG2 = 0x0C
    INT1_CTRL = 0x0D
    INT2_CTRL = 0x0E
    WHO_AM_I = 0x0F
    CTRL1_XL = 0x10
    CTRL2_G = 0x11
    CTRL3_C = 0x12
    CTRL4_C = 0x13
    CTRL5_C = 0x14
    CTRL6_C = 0x15
    CTRL7_G = 0x16
    CTRL8_XL = 0x17
    CTRL9_XL = 0x18
    CTRL10_C = 0x19
    STATUS_REG = 0x1E
    OUT_TEMP_L = 0x20
    OUT_TEMP_H = 0x21
    OUTX_L_A = 0x28
    OUTX_H_A = 0x29
    OUTY_L_A = 0x2A
    OUTY_H_A = 0x2B
    OUTZ_L_A = 0x2C
    OUTZ_H_A = 0x2D
    FIFO_STATUS1 = 0x3A
    FIFO_STATUS2 = 0x3B
    INTERNAL_FREQ_FINE = 0x63
    X_OFS_USR = 0x73
    Y_OFS_USR = 0x74
    Z_OFS_USR = 0x75
    FIFO_DATA_OUT_TAG = 0x78
    FIFO_DATA_OUT_X_L = 0x79
    FIFO_DATA_OUT_X_H = 0x7A
    FIFO_DATA_OUT_Y_L = 0x7B
    FIFO_DATA_OUT_Y_H = 0x7C
    FIFO_DATA_OUT_Z_L = 0x7D
    FIFO_DATA_OUT_Z_H = 0x7E


RATES_HZ = {
    12.5: 1,
    26.0: 2,
    52.0: 3,
    104.0: 4,
    208.0: 5,
    417.0: 6,
    833.0: 7,
    1667.0: 8,
    3333.0: 9,
    6667.0: 10,
}
"""Output data rate to the code in ODR_XL and BDR_XL, in high-performance mode."""
RANGES_G = {2.0: 0, 4.0: 2, 8.0: 3, 16.0: 1}
"""Full scale to FS_XL, with XL_FS_MODE = 0."""
G_PER_LSB = {2.0: 0.061e-3, 4.0: 0.122e-3, 8.0: 0.244e-3, 16.0: 0.488e-3}
"""Linear acceleration sensitivity per full scale."""


class Ctrl1Xl(IntFlag):
    """Bits of CTRL1_XL."""

    ODR_XL = 0xF0
    FS_XL = 0x0C
    LPF2_XL_EN = 0x02


ODR_XL_SHIFT = 4
FS_XL_SHIFT = 2


class Ctrl3C(IntFlag):
    """Bits of CTRL3_C."""

    BOOT = 0x80
    BDU = 0x40
    H_LACTIVE = 0x20
    PP_OD = 0x10
    SIM = 0x08
    IF_INC = 0x04
    SW_RESET = 0x01


class SelfTest(IntEnum):
    """ST_XL bits of CTRL5_C."""

    NORMAL = 0b00
    POSITIVE = 0b01
    NEGATIVE = 0b10


SELF_TEST_MASK = 0x03


class Ctrl9Xl(IntFlag):
    """Bits of CTRL9_XL."""

    DEN_X = 0x80
    DEN_Y = 0x40
    DEN_Z = 0x20
    DEN_XL_G = 0x10
    DEN_XL_EN = 0x08
    DEN_LH = 0x04
    I3C_DISABLE = 0x02


class FifoMode(IntEnum):
    """FIFO_MODE bits of FIFO_CTRL4."""

    BYPASS = 0b000
    FIFO = 0b001
    CONTINUOUS_TO_FIFO = 0b011
    BYPASS_TO_CONTINUOUS = 0b100
    CONTINUOUS = 0b110
    BYPASS_TO_FIFO = 0b111


FIFO_MODE_MASK = 0x07
BDR_XL_MASK = 0x0F


class FifoStatus2(IntFlag):
    """Bits of FIFO_STATUS2; those of DIFF_FIFO belong above FIFO_STATUS1."""

    FIFO_WTM_IA = 0x80
    FIFO_OVR_IA = 0x40
    FIFO_FULL_IA = 0x20
    COUNTER_BDR_IA = 0x10
    FIFO_OVR_LATCHED = 0x08
    DIFF_FIFO = 0x03


class Tag(IntEnum):
    """TAG_SENSOR, the five highest bits of FIFO_DATA_OUT_TAG: what a word holds."""

    GYROSCOPE = 0x01
    ACCELEROMETER = 0x02
    TEMPERATURE = 0x03
    TIMESTAMP = 0x04
    CFG_CHANGE = 0x05


TAG_SENSOR_SHIFT = 3
TAG_COUNT_SHIFT = 1
"""Of TAG_CNT, two bits that count the time slots; the lowest bit makes the parity even."""
