"""Registers of the ADXL355, named as in the data sheet.

Source: Analog Devices, ADXL354/ADXL355 data sheet rev. B, "Register Map" and "Register Definitions". Compared
with two independent sources: Linux ``drivers/iio/accel/adxl355_core.c`` (addresses, identity, rates, scale,
temperature, reset with its shadow registers) and Analog Devices' no-OS ``adxl355.h`` and ``adxl355.c`` (reset
values, status bits, range codes, temperature, depth and markers of the FIFO); also with their driver in
Zephyr, ``drivers/sensor/adi/adxl355/adxl355.h`` (all addresses and bits, sensitivities, self-test limits).
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

DEVID_AD_VALUE = 0xAD
DEVID_MST_VALUE = 0x1D
PARTID_VALUE = 0xED
"""What PARTID always reads: 355 in octal."""
FIFO_DEPTH = 32
"""Samples of the FIFO: 96 entries of one axis each."""
BYTES_PER_ENTRY = 3
RESET_CODE = 0x52
"""What RESET must be given."""
SHADOW_REGISTERS = 0x50
"""The first of the shadow registers, which must read the same before and after a reset."""
N_SHADOW_REGISTERS = 5
TEMPERATURE_AT_25_C = 1885
"""Counts of TEMP at 25 °C."""
TEMPERATURE_LSB_PER_C = -9.05
"""Counts of TEMP for a degree."""


class Register(IntEnum):
    """Register addresses."""

    DEVID_AD = 0x00
    DEVID_MST = 0x01
    PARTID = 0x02
    REVID = 0x03
    STATUS = 0x04
    FIFO_ENTRIES = 0x05
    TEMP2 = 0x06
    TEMP1 = 0x07
    XDATA3 = 0x08
    XDATA2 = 0x09
    XDATA1 = 0x0A
    YDATA3 = 0x0B
    YDATA2 = 0x0C
    YDATA1 = 0x0D
    ZDATA3 = 0x0E
    ZDATA2 = 0x0F
    ZDATA1 = 0x10
    FIFO_DATA = 0x11
    OFFSET_X_H = 0x1E
    OFFSET_X_L = 0x1F
    OFFSET_Y_H = 0x20
    OFFSET_Y_L = 0x21
    OFFSET_Z_H = 0x22
    OFFSET_Z_L = 0x23
    ACT_EN = 0x24
    ACT_THRESH_H = 0x25
    ACT_THRESH_L = 0x26
    ACT_COUNT = 0x27
    FILTER = 0x28
    FIFO_SAMPLES = 0x29
    INT_MAP = 0x2A
    SYNC = 0x2B
    RANGE = 0x2C
    POWER_CTL = 0x2D
    SELF_TEST = 0x2E
    RESET = 0x2F


RATES_HZ = {
    4000.0: 0,
    2000.0: 1,
    1000.0: 2,
    500.0: 3,
    250.0: 4,
    125.0: 5,
    62.5: 6,
    31.25: 7,
    15.625: 8,
    7.8125: 9,
    3.90625: 10,
}
"""Output data rate to ODR_LPF in FILTER; the low-pass corner is at a quarter of it."""
RANGES_G = {2.0: 1, 4.0: 2, 8.0: 3}
"""Full scale to the range bits of RANGE; the true ends are 2.048, 4.096 and 8.192 g."""
G_PER_LSB = {2.0: 1 / 256000, 4.0: 1 / 128000, 8.0: 1 / 64000}
"""Scale of 20 bits per full scale: 3.9, 7.8 and 15.6 µg."""


class Status(IntFlag):
    """Bits of STATUS."""

    NVM_BUSY = 0x10
    ACTIVITY = 0x08
    FIFO_OVR = 0x04
    FIFO_FULL = 0x02
    DATA_RDY = 0x01


class Range(IntFlag):
    """Bits of RANGE."""

    I2C_HS = 0x80
    INT_POL = 0x40
    RANGE = 0x03


class PowerCtl(IntFlag):
    """Bits of POWER_CTL."""

    DRDY_OFF = 0x04
    TEMP_OFF = 0x02
    STANDBY = 0x01


class SelfTest(IntFlag):
    """Bits of SELF_TEST."""

    ST2 = 0x02
    """Apply the force."""
    ST1 = 0x01
    """Enable the self-test."""


class Marker(IntFlag):
    """The two lowest bits of an entry of the FIFO."""

    EMPTY = 0x02
    """There was nothing to read."""
    X_AXIS = 0x01
    """The first entry of a sample."""
