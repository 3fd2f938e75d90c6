"""Registers of the MPU-6050 that its accelerometer and FIFO need, named as in the register map.

Source: InvenSense, MPU-6000/MPU-6050 Register Map and Descriptions RM-MPU-6000A rev. 4.2, and Product
Specification PS-MPU-6000A rev. 3.4. Compared with two independent sources: Linux
``drivers/iio/imu/inv_mpu6050/inv_mpu_iio.h`` (addresses, bits, delays) and Jeff
Rowberg's i2cdevlib ``MPU6050.h`` (addresses, bits, self-test fields).
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

WHO_AM_I_VALUE = 0x68
"""What WHO_AM_I always reads, whatever AD0 is; the MPU-6000 and MPU-9150 read the same."""
FIFO_BYTES = 1024
BYTES_PER_SAMPLE = 6
"""Three axes, high byte first."""
FIFO_DEPTH = FIFO_BYTES // BYTES_PER_SAMPLE
"""Whole samples; four bytes are left over, so a FIFO that overflows is out of step."""
BASE_RATE_HZ = 1000.0
"""What SMPLRT_DIV divides while the low-pass filter is on, and the accelerometer's own rate."""
TURN_ON_S = 0.06
"""Start-up of the gyroscope, which is the clock (Linux ``inv_mpu_iio.h``)."""
TEMPERATURE_LSB_PER_C = 340.0
TEMPERATURE_AT_0 = 36.53
"""Degrees Celsius at TEMP_OUT = 0."""


class Register(IntEnum):
    """Register addresses."""

    SELF_TEST_X = 0x0D
    SELF_TEST_Y = 0x0E
    SELF_TEST_Z = 0x0F
    SELF_TEST_A = 0x10
    SMPLRT_DIV = 0x19
    CONFIG = 0x1A
    GYRO_CONFIG = 0x1B
    ACCEL_CONFIG = 0x1C
    FIFO_EN = 0x23
    INT_PIN_CFG = 0x37
    INT_ENABLE = 0x38
    INT_STATUS = 0x3A
    ACCEL_XOUT_H = 0x3B
    ACCEL_XOUT_L = 0x3C
    ACCEL_YOUT_H = 0x3D
    ACCEL_YOUT_L = 0x3E
    ACCEL_ZOUT_H = 0x3F
    ACCEL_ZOUT_L = 0x40
    TEMP_OUT_H = 0x41
    TEMP_OUT_L = 0x42
    SIGNAL_PATH_RESET = 0x68
    USER_CTRL = 0x6A
    PWR_MGMT_1 = 0x6B
    PWR_MGMT_2 = 0x6C
    FIFO_COUNT_H = 0x72
    FIFO_COUNT_L = 0x73
    FIFO_R_W = 0x74
    WHO_AM_I = 0x75


# Of the 256 rates, those that are whole when written out; 333.3 Hz and the like would be rounded by somebody.
_DIVISORS = (1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 40, 50, 64, 80, 100, 125, 128, 160, 200, 250, 256)
RATES_HZ = {BASE_RATE_HZ / divisor: divisor - 1 for divisor in _DIVISORS}
"""Sample rate to SMPLRT_DIV."""
RANGES_G = {2.0: 0, 4.0: 1, 8.0: 2, 16.0: 3}
"""Full scale to AFS_SEL."""
LSB_PER_G = {2.0: 16384, 4.0: 8192, 8.0: 4096, 16.0: 2048}
"""Sensitivity per full scale."""
BANDWIDTHS_HZ = {184: 1, 94: 2, 44: 3, 21: 4, 10: 5, 5: 6}
"""Low-pass filter of the accelerometer to DLPF_CFG; 0 (260 Hz) would make the base rate 8 kHz."""


class AccelConfig(IntFlag):
    """Bits of ACCEL_CONFIG."""

    XA_ST = 0x80
    YA_ST = 0x40
    ZA_ST = 0x20
    AFS_SEL = 0x18


AFS_SEL_SHIFT = 3
ALL_AXES_ST = AccelConfig.XA_ST | AccelConfig.YA_ST | AccelConfig.ZA_ST


class FifoEn(IntFlag):
    """Bits of FIFO_EN."""

    TEMP = 0x80
    XG = 0x40
    YG = 0x20
    ZG = 0x10
    ACCEL = 0x08


class IntStatus(IntFlag):
    """Bits of INT_STATUS."""

    FIFO_OFLOW = 0x10
    DATA_RDY = 0x01


class UserCtrl(IntFlag):
    """Bits of USER_CTRL."""

    FIFO_EN = 0x40
    I2C_MST_EN = 0x20
    FIFO_RESET = 0x04
    I2C_MST_RESET = 0x02
    SIG_COND_RESET = 0x01


class PwrMgmt1(IntFlag):
    """Bits of PWR_MGMT_1."""

    DEVICE_RESET = 0x80
    SLEEP = 0x40
    CYCLE = 0x20
    TEMP_DIS = 0x08
    CLKSEL = 0x07


CLKSEL_PLL_X_GYRO = 1
"""The gyroscope's oscillator: good to 1 %, the internal one to 5 %."""


class PwrMgmt2(IntFlag):
    """Bits of PWR_MGMT_2."""

    STBY_XA = 0x20
    STBY_YA = 0x10
    STBY_ZA = 0x08
    STBY_XG = 0x04
    STBY_YG = 0x02
    STBY_ZG = 0x01


def factory_trim_g(code: int) -> float:
    """Return the self-test change that the factory saw, in g.

    Args:
        code: The five bits of XA_TEST, YA_TEST or ZA_TEST; 0: not trimmed.

    Source: register map, "Self Test Registers":
    FT = 4096 * 0.34 * (0.92 / 0.34) ** ((code - 1) / (2**5 - 2)), at 4096 LSB/g.
    """
    return 0.34 * (0.92 / 0.34) ** ((code - 1) / 30) if code else 0.0
