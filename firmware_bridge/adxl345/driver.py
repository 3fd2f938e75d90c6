"""Driver of the ADXL345.

Source: Analog Devices, ADXL345 data sheet rev. G. The 5 µs that must pass between two reads of the FIFO
("Retrieving Data from FIFO") are always there on I2C: addressing the register again takes longer.
"""

from __future__ import annotations

import logging
from typing import ClassVar

import numpy as np

from firmware_bridge.adxl345 import CHIP
from firmware_bridge.adxl345.registers import (
    BYTES_PER_SAMPLE,
    FIFO_DEPTH,
    LSB_PER_G,
    MAX_I2C_RATE_HZ,
    RANGES_G,
    RATES_HZ,
    TURN_ON_S,
    DataFormat,
    FifoMode,
    FifoStatus,
    Interrupt,
    PowerCtl,
    Register,
)
from firmware_bridge.arrays import FloatArray
from firmware_bridge.chip.fifo_accelerometer import FifoAccelerometer, Fill, Force, SelfTestPlan, Setup
from firmware_bridge.chip.register_chip import Setting

log = logging.getLogger(__name__)

_STANDBY = 0
# As an int: masking with an IntFlag takes longer than the rest of a drain's arithmetic.
_ENTRIES = int(FifoStatus.ENTRIES)
_LITTLE_ENDIAN = np.dtype("<i2")
_G_PER_LSB = np.float32(1.0 / LSB_PER_G)
_WATERMARK = FIFO_DEPTH // 2


class ADXL345(FifoAccelerometer):
    """An ADXL345 on an I2C bus (``Accelerometer``), in full resolution: 3.9 mg/LSB in every range.

    Its FIFO hands out one sample for each time that the data registers are addressed: 21 samples take one
    system call.
    """

    CHIP = CHIP
    RATES_HZ = RATES_HZ
    RANGES_G = RANGES_G
    FIFO_DEPTH = FIFO_DEPTH
    STANDBY = (Register.POWER_CTL, _STANDBY)
    # Average at least 0.1 s at 100 Hz or more; the output settles in four samples ("Using Self-Test").
    # Limits of table 1 at 2.5 V, times the factors of table 14 for the 3.3 V that gateways give:
    # (0.20, 2.10) g * 1.77 for x, the negative of it for y, (0.30, 3.40) g * 1.47 for z.
    SELF_TEST: ClassVar = SelfTestPlan(
        rate_hz=100.0,
        range_g=16.0,
        settling=4,
        samples=25,
        limits_g=((0.354, 3.717), (-3.717, -0.354), (0.441, 4.998)),
        absolute=False,
    )

    def start(self) -> None:
        """Check the identity, configure, read the configuration back, and begin to sample.

        1600 and 3200 Hz, which the data sheet reserves for SPI, are warned of.

        Raises:
            BusError: If a transfer fails.
            SensorError: If the chip is another one, or a setting does not read back.
        """
        if self.info.rate_hz > MAX_I2C_RATE_HZ:
            log.warning(
                "adxl345: the data sheet allows %g Hz over I2C, %g Hz need SPI; samples may be lost or noisy",
                MAX_I2C_RATE_HZ,
                self.info.rate_hz,
            )
        super().start()

    def _settings(self, setup: Setup) -> list[Setting]:
        data_format = DataFormat.FULL_RES | RANGES_G[setup.range_g]
        if setup.force is Force.PUSHED:
            data_format |= DataFormat.SELF_TEST
        return [
            (Register.POWER_CTL, _STANDBY),
            # Bypass mode empties the FIFO ("FIFO", "Bypass Mode").
            (Register.FIFO_CTL, FifoMode.BYPASS),
            (Register.OFSX, 0),
            (Register.OFSY, 0),
            (Register.OFSZ, 0),
            (Register.DATA_FORMAT, data_format),
            (Register.BW_RATE, RATES_HZ[setup.rate_hz]),
            # OVERRUN is in INT_SOURCE even when no interrupt is enabled.
            (Register.INT_ENABLE, 0),
            (Register.FIFO_CTL, FifoMode.STREAM | _WATERMARK),
            (Register.POWER_CTL, PowerCtl.MEASURE),
        ]

    def _resolution_g(self, setup: Setup) -> float:
        return 1.0 / LSB_PER_G

    def _turn_on_s(self, setup: Setup) -> float:
        return TURN_ON_S

    def _fill(self) -> Fill:
        entries = self._chip.value(Register.FIFO_STATUS) & _ENTRIES
        # Reading the data clears OVERRUN, and only a full FIFO can have it.
        overrun = entries == FIFO_DEPTH and self._chip.value(Register.INT_SOURCE) & Interrupt.OVERRUN
        return Fill(entries, bool(overrun))

    def _take(self, n: int) -> FloatArray:
        return decode(self._chip.read_burst(Register.DATAX0, BYTES_PER_SAMPLE, n))


def decode(data: bytes) -> FloatArray:
    """Return samples in g, shape (n, 3), from DATAX0 to DATAZ1 of n reads.

    Two's complement, low byte first, 256 LSB/g in full resolution ("Register 0x32 to Register 0x37").
    """
    counts = np.frombuffer(data, _LITTLE_ENDIAN).reshape(-1, 3)
    return counts.astype(np.float32) * _G_PER_LSB
