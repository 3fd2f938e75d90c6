"""Driver of the ADXL355.

Source: Analog Devices, ADXL354/ADXL355 data sheet rev. B; Linux ``adxl355_core.c`` for the reset.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from firmware_bridge.adxl355 import CHIP
from firmware_bridge.adxl355.registers import (
    BYTES_PER_ENTRY,
    FIFO_DEPTH,
    G_PER_LSB,
    N_SHADOW_REGISTERS,
    RANGES_G,
    RATES_HZ,
    RESET_CODE,
    SHADOW_REGISTERS,
    TEMPERATURE_AT_25_C,
    TEMPERATURE_LSB_PER_C,
    Marker,
    PowerCtl,
    Range,
    Register,
    SelfTest,
    Status,
)
from firmware_bridge.arrays import FloatArray
from firmware_bridge.chip.fifo_accelerometer import FifoAccelerometer, Fill, Force, SelfTestPlan, Setup
from firmware_bridge.chip.register_chip import Setting

_RESET_S = 0.005
_RESET_ATTEMPTS = 4
_AXES = 3
_MARKERS = int(Marker.X_AXIS | Marker.EMPTY)
# Where an entry is wanted: an axis to its markers.
_EXPECTED_MARKERS = np.array([Marker.X_AXIS, 0, 0], np.uint8)
_SELF_TEST = {Force.OFF: SelfTest(0), Force.REST: SelfTest.ST1, Force.PUSHED: SelfTest.ST1 | SelfTest.ST2}

_ByteArray = npt.NDArray[np.uint8]


class ADXL355(FifoAccelerometer):
    """An ADXL355 on an I2C bus (``Accelerometer``, ``Thermometer``).

    A drain takes two system calls: the FIFO is read at one register, three bytes an axis. At 4 kHz the wire
    carries 324 kbit/s, so give the bus at least 400 kHz and nothing else to do.
    """

    CHIP = CHIP
    RATES_HZ = RATES_HZ
    RANGES_G = RANGES_G
    FIFO_DEPTH = FIFO_DEPTH
    STANDBY = (Register.POWER_CTL, PowerCtl.STANDBY)
    # The data sheet gives typical changes only, 0.3 g for x and y and 1.5 g for z. Analog Devices' own driver
    # in Zephyr (drivers/sensor/adi/adxl355/adxl355.h, ADXL355_SELF_TEST_MIN_X to _MAX_Z) lets a third to the
    # double of them pass, as here. At 8 g, because gravity and the change on z together are more than 2 g.
    SELF_TEST: ClassVar = SelfTestPlan(
        rate_hz=500.0, range_g=8.0, settling=8, samples=16, limits_g=((0.1, 0.6), (0.1, 0.6), (0.5, 3.0))
    )

    def temperature_c(self) -> float:
        """Return the temperature of the chip in degrees Celsius; good to some degrees without calibration.

        Raises:
            BusError: If the transfer fails.
        """
        counts = int.from_bytes(self._chip.read(Register.TEMP2, 2), "big") & 0xFFF
        return 25.0 + (counts - TEMPERATURE_AT_25_C) / TEMPERATURE_LSB_PER_C

    def _reset(self) -> None:
        """Reset until the trimming values, which shadow registers show, are loaded as they were before."""
        before = self._chip.read(SHADOW_REGISTERS, N_SHADOW_REGISTERS)
        for _ in range(_RESET_ATTEMPTS):
            self._chip.write(Register.RESET, RESET_CODE)
            self._clock.wait(_RESET_S)
            if self._chip.read(SHADOW_REGISTERS, N_SHADOW_REGISTERS) == before:
                return
        raise self._chip.error("does not load its trimming values at a reset; power-cycle it")

    def _settings(self, setup: Setup) -> list[Setting]:
        return [
            (Register.POWER_CTL, PowerCtl.STANDBY),
            (Register.FILTER, RATES_HZ[setup.rate_hz]),
            (Register.FIFO_SAMPLES, FIFO_DEPTH * _AXES),
            (Register.INT_MAP, 0),
            (Register.SYNC, 0),
            (Register.RANGE, Range.I2C_HS | RANGES_G[setup.range_g]),
            (Register.SELF_TEST, _SELF_TEST[setup.force]),
            (Register.POWER_CTL, 0),
        ]

    def _resolution_g(self, setup: Setup) -> float:
        return G_PER_LSB[setup.range_g]

    def _fill(self) -> Fill:
        status, entries = self._chip.read(Register.STATUS, 2)
        return Fill(entries // _AXES, bool(status & Status.FIFO_OVR))

    def _take(self, n: int) -> FloatArray:
        entries = self._entries(n * _AXES)
        begins = entries[:_AXES, -1] & Marker.X_AXIS
        if not begins[0]:
            # An interrupted read, or another reader, took the beginning of the first sample.
            torn = int(np.argmax(begins))
            entries, self._gap = np.concatenate([entries[torn:], self._entries(torn)]), True
        markers = entries[:, -1].reshape(-1, _AXES) & _MARKERS
        if not (markers == _EXPECTED_MARKERS).all():
            raise self._chip.error("FIFO is out of step; check wiring and pull-ups, then start it again")
        return decode(entries) * self._g_per_lsb

    def _entries(self, n: int) -> _ByteArray:
        data = self._chip.read(Register.FIFO_DATA, n * BYTES_PER_ENTRY)
        return np.frombuffer(data, np.uint8).reshape(-1, BYTES_PER_ENTRY)


def decode(entries: _ByteArray) -> FloatArray:
    """Return counts, shape (n, 3), from 3 n entries of the FIFO, shape (3 n, 3).

    Two's complement, high byte first, 20 bits left-justified in 24; the lowest hold the markers.
    """
    words = np.zeros((len(entries), 4), np.uint8)
    words[:, :BYTES_PER_ENTRY] = entries
    # Eight bits of filling and four below the counts.
    counts = words.view(">i4") >> 12
    return counts.reshape(-1, _AXES).astype(np.float32)
