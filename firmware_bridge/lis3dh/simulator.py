"""The twin of a LIS3DH: its registers and its FIFO, sampling as time passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from firmware_bridge.arrays import CountArray, SignalArray
from firmware_bridge.chip.simulated_chip import ByteFifo, SimulatedAccelerometer, to_counts
from firmware_bridge.lis3dh.registers import (
    AUTO_INCREMENT,
    BYTES_PER_SAMPLE,
    FIFO_DEPTH,
    FIFO_MODE_MASK,
    FIFO_THRESHOLD_MASK,
    FS_SHIFT,
    HIGH_RESOLUTION_G_PER_LSB,
    LOW_POWER_G_PER_LSB,
    ODR_SHIFT,
    RANGES_G,
    SELF_TEST_MASK,
    TURN_ON_PERIODS,
    WHO_AM_I_VALUE,
    CtrlReg1,
    CtrlReg4,
    CtrlReg5,
    FifoMode,
    FifoSrc,
    Register,
    SelfTest,
    TempCfg,
)

_NORMAL_RATES_HZ = {1: 1.0, 2: 10.0, 3: 25.0, 4: 50.0, 5: 100.0, 6: 200.0, 7: 400.0, 9: 1344.0}
_LOW_POWER_RATES_HZ = {**_NORMAL_RATES_HZ, 8: 1600.0, 9: 5376.0}
_RANGES_G = {code: range_g for range_g, code in RANGES_G.items()}
_DATA = range(Register.OUT_X_L, Register.OUT_Z_H + 1)
_READ_ONLY = {Register.STATUS_REG, *_DATA, Register.FIFO_SRC_REG, Register.INT1_SRC, Register.INT2_SRC}


class SimulatedLIS3DH(SimulatedAccelerometer):
    """A chip (``SimulatedChip``) that feels a signal.

    Simulated: every register with its reset value, auto-increment and its going round in the FIFO, the FIFO
    in bypass and stream mode with its flags, high-resolution and low-power mode with their rates, scales and
    bits, the turn-on time, both directions of the self-test, and the thermometer.

    Not simulated: normal mode (10 bits; it acts as high resolution), the filters (what is above half the rate
    folds), the other FIFO modes, the ADC inputs, clicks and other interrupts, noise, and big-endian data.
    """

    SIZE = Register.ACT_DUR + 1
    # Data sheet, "Register mapping". FIFO_SRC_REG follows from the FIFO.
    RESET_VALUES: ClassVar[Mapping[int, int]] = {
        Register.WHO_AM_I: WHO_AM_I_VALUE,
        Register.CTRL_REG0: 0x10,
        Register.CTRL_REG1: 0x07,
    }
    WRITABLE = frozenset(range(Register.CTRL_REG0, SIZE)) - _READ_ONLY - {Register.CLICK_SRC}
    SELF_TEST_SHIFT_G = (0.5, 0.5, 0.5)

    _latched: bytes

    def read(self, register: int, length: int) -> bytes:
        """Return ``length`` bytes; without the bit for auto-increment, all of one register."""
        if not register & AUTO_INCREMENT:
            return super().read(register, 1) * length
        register -= AUTO_INCREMENT
        if register != Register.OUT_X_L or not self._fifo_on():
            return super().read(register, length)
        self._sample()
        # A sample leaves the FIFO as a whole, even if not all of it is read.
        whole = -(-length // BYTES_PER_SAMPLE) * BYTES_PER_SAMPLE
        taken = self._fifo.take(whole)
        self._latched = taken[-BYTES_PER_SAMPLE:] or self._latched
        # An empty FIFO gives the last sample again.
        return (taken + self._latched * (whole // BYTES_PER_SAMPLE))[:length]

    def write(self, register: int, data: bytes) -> None:
        """Take ``data`` into the registers; without the bit for auto-increment, all of it into one."""
        if register & AUTO_INCREMENT:
            super().write(register - AUTO_INCREMENT, data)
        else:
            super().write(register, data[-1:])

    def _clear_fifo(self) -> None:
        self._fifo = ByteFifo(FIFO_DEPTH, BYTES_PER_SAMPLE)
        self._latched = bytes(BYTES_PER_SAMPLE)

    def _fifo_on(self) -> bool:
        enabled = self._registers[Register.CTRL_REG5] & CtrlReg5.FIFO_EN
        return bool(enabled and self._registers[Register.FIFO_CTRL_REG] & FIFO_MODE_MASK != FifoMode.BYPASS)

    def _low_power(self) -> bool:
        return bool(self._registers[Register.CTRL_REG1] & CtrlReg1.LPEN)

    def _written(self, register: int, before: int, value: int) -> None:
        if register == Register.CTRL_REG5 and value & CtrlReg5.BOOT:
            # Reloads the trimming values only; the bit clears itself.
            self._registers[register] &= ~CtrlReg5.BOOT
        elif register == Register.FIFO_CTRL_REG and value & FIFO_MODE_MASK == FifoMode.BYPASS:
            self._clear_fifo()
        elif register == Register.CTRL_REG1 and value != before:
            rate_hz = self._rate_hz()
            periods = 1 if self._low_power() else TURN_ON_PERIODS
            self._restart((periods - 1) / rate_hz if rate_hz else 0.0)

    def _rate_hz(self) -> float:
        rates_hz = _LOW_POWER_RATES_HZ if self._low_power() else _NORMAL_RATES_HZ
        return rates_hz.get(self._registers[Register.CTRL_REG1] >> ODR_SHIFT, 0.0)

    def _pushed(self) -> bool:
        return self._registers[Register.CTRL_REG4] & SELF_TEST_MASK != SelfTest.NORMAL

    def _offset_g(self) -> SignalArray:
        backwards = self._registers[Register.CTRL_REG4] & SELF_TEST_MASK == SelfTest.SELF_TEST_1
        return -super()._offset_g() if backwards else super()._offset_g()

    def _counts(self, felt_g: SignalArray) -> CountArray:
        range_g = _RANGES_G[(self._registers[Register.CTRL_REG4] & CtrlReg4.FS) >> FS_SHIFT]
        if self._low_power():
            return to_counts(felt_g, LOW_POWER_G_PER_LSB[range_g], 8) << 8
        return to_counts(felt_g, HIGH_RESOLUTION_G_PER_LSB[range_g], 12) << 4

    def _store(self, counts: CountArray) -> None:
        raw = np.ascontiguousarray(counts, "<i2").tobytes()
        if self._fifo_on():
            self._samples_dropped += self._fifo.append(raw) // BYTES_PER_SAMPLE
        else:
            self._latched = raw[-BYTES_PER_SAMPLE:]
            self._samples_dropped += len(counts) - 1

    def _refresh(self) -> None:
        level = len(self._fifo)
        # FSS ends at 31; the 32nd unread sample shows as OVRN_FIFO (AN3308).
        source = FifoSrc(min(level, FIFO_DEPTH - 1))
        if level == FIFO_DEPTH:
            source |= FifoSrc.OVRN_FIFO
        if level == 0:
            source |= FifoSrc.EMPTY
        if level > self._registers[Register.FIFO_CTRL_REG] & FIFO_THRESHOLD_MASK:
            source |= FifoSrc.WTM
        self._registers[Register.FIFO_SRC_REG] = source
        self._registers[_DATA.start : _DATA.stop] = self._latched
        on = self._registers[Register.TEMP_CFG_REG] & TempCfg.TEMP_EN
        self._registers[Register.OUT_ADC3_H] = round(self._temperature_c - 25.0) & 0xFF if on else 0
