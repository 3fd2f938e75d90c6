"""Registers of the ADXL345, named as in the data sheet.

Source: Analog Devices, ADXL345 data sheet rev. G, "Register Map" (table 19) and "Register Definitions".
Compared with independent sources: Linux ``drivers/input/misc/adxl34x.c`` (all addresses and bits) and
``drivers/iio/accel/adxl345_core.c`` (all rates with their codes), and ``Adafruit_ADXL345_U.h`` of the Arduino
library (all addresses, rate and range codes).
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

DEVID_VALUE = 0xE5
"""What DEVID always reads."""
LSB_PER_G = 256
"""Sensitivity in full resolution, the same in every range: 3.9 mg/LSB (table 1)."""
OFFSET_LSB = 4
"""One step of OFSX, OFSY, OFSZ in full-resolution LSB: 15.6 mg."""
FIFO_DEPTH = 32
"""Entries of the FIFO; one more sample waits at the output filter when it is full ("FIFO_STATUS")."""
BYTES_PER_SAMPLE = 6
"""DATAX0 to DATAZ1, low byte first."""
TURN_ON_S = 1.1e-3
"""Turn-on time beyond the first sampling period (table 1, footnote: 1/rate + 1.1 ms)."""
MAX_I2C_RATE_HZ = 800.0
"""Highest output data rate over I2C at 400 kHz; 1600 and 3200 Hz need SPI at 2 MHz ("I2C", "SPI")."""


class Register(IntEnum):
    """Register addresses."""

    DEVID = 0x00
    THRESH_TAP = 0x1D
    OFSX = 0x1E
    OFSY = 0x1F
    OFSZ = 0x20
    DUR = 0x21
    LATENT = 0x22
    WINDOW = 0x23
    THRESH_ACT = 0x24
    THRESH_INACT = 0x25
    TIME_INACT = 0x26
    ACT_INACT_CTL = 0x27
    THRESH_FF = 0x28
    TIME_FF = 0x29
    TAP_AXES = 0x2A
    ACT_TAP_STATUS = 0x2B
    BW_RATE = 0x2C
    POWER_CTL = 0x2D
    INT_ENABLE = 0x2E
    INT_MAP = 0x2F
    INT_SOURCE = 0x30
    DATA_FORMAT = 0x31
    DATAX0 = 0x32
    DATAX1 = 0x33
    DATAY0 = 0x34
    DATAY1 = 0x35
    DATAZ0 = 0x36
    DATAZ1 = 0x37
    FIFO_CTL = 0x38
    FIFO_STATUS = 0x39


class Rate(IntEnum):
    """Rate bits of BW_RATE, in normal power operation (table 7)."""

    HZ_0_10 = 0x0
    HZ_0_20 = 0x1
    HZ_0_39 = 0x2
    HZ_0_78 = 0x3
    HZ_1_56 = 0x4
    HZ_3_13 = 0x5
    HZ_6_25 = 0x6
    HZ_12_5 = 0x7
    HZ_25 = 0x8
    HZ_50 = 0x9
    HZ_100 = 0xA
    HZ_200 = 0xB
    HZ_400 = 0xC
    HZ_800 = 0xD
    HZ_1600 = 0xE
    HZ_3200 = 0xF


RATES_HZ = {
    0.09765625: Rate.HZ_0_10,
    0.1953125: Rate.HZ_0_20,
    0.390625: Rate.HZ_0_39,
    0.78125: Rate.HZ_0_78,
    1.5625: Rate.HZ_1_56,
    3.125: Rate.HZ_3_13,
    6.25: Rate.HZ_6_25,
    12.5: Rate.HZ_12_5,
    25.0: Rate.HZ_25,
    50.0: Rate.HZ_50,
    100.0: Rate.HZ_100,
    200.0: Rate.HZ_200,
    400.0: Rate.HZ_400,
    800.0: Rate.HZ_800,
    1600.0: Rate.HZ_1600,
    3200.0: Rate.HZ_3200,
}
"""Output data rate to ``Rate``: each half of the one above, which the data sheet rounds."""


class BwRate(IntFlag):
    """Bits of BW_RATE; the rest is the ``Rate``."""

    LOW_POWER = 0x10
    RATE = 0x0F


class PowerCtl(IntFlag):
    """Bits of POWER_CTL."""

    LINK = 0x20
    AUTO_SLEEP = 0x10
    MEASURE = 0x08
    SLEEP = 0x04
    WAKEUP = 0x03


class Interrupt(IntFlag):
    """Bits of INT_ENABLE, INT_MAP and INT_SOURCE."""

    DATA_READY = 0x80
    SINGLE_TAP = 0x40
    DOUBLE_TAP = 0x20
    ACTIVITY = 0x10
    INACTIVITY = 0x08
    FREE_FALL = 0x04
    WATERMARK = 0x02
    OVERRUN = 0x01


class DataFormat(IntFlag):
    """Bits of DATA_FORMAT."""

    SELF_TEST = 0x80
    SPI = 0x40
    INT_INVERT = 0x20
    FULL_RES = 0x08
    JUSTIFY = 0x04
    RANGE = 0x03


class Range(IntEnum):
    """Range bits of DATA_FORMAT (table 21)."""

    G_2 = 0
    G_4 = 1
    G_8 = 2
    G_16 = 3


RANGES_G = {2.0: Range.G_2, 4.0: Range.G_4, 8.0: Range.G_8, 16.0: Range.G_16}


class FifoCtl(IntFlag):
    """Bits of FIFO_CTL; the two highest are the ``FifoMode``."""

    MODE = 0xC0
    TRIGGER = 0x20
    SAMPLES = 0x1F


class FifoMode(IntEnum):
    """FIFO_MODE bits of FIFO_CTL, in place (table 22)."""

    BYPASS = 0x00
    FIFO = 0x40
    STREAM = 0x80
    TRIGGER = 0xC0


class FifoStatus(IntFlag):
    """Bits of FIFO_STATUS."""

    FIFO_TRIG = 0x80
    ENTRIES = 0x3F
