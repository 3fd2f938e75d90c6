"""The twin of an LSM6DSO's accelerometer: registers and FIFO, sampling as time passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from firmware_bridge.arrays import CountArray, SignalArray
from firmware_bridge.chip.simulated_chip import ByteFifo, SimulatedAccelerometer, to_counts
from firmware_bridge.lsm6dso.registers import (
    BDR_XL_MASK,
    BYTES_PER_WORD,
    FIFO_DEPTH,
    FIFO_MODE_MASK,
    FS_XL_SHIFT,
    G_PER_LSB,
    ODR_XL_SHIFT,
    RANGES_G,
    RATES_HZ,
    SELF_TEST_MASK,
    TAG_COUNT_SHIFT,
    TAG_SENSOR_SHIFT,
    TEMPERATURE_LSB_PER_C,
    WHO_AM_I_VALUE,
    Ctrl1Xl,
    Ctrl3C,
    FifoMode,
    FifoStatus2,
    Register,
    SelfTest,
    Tag,
)

_RATES_HZ = {code: rate_hz for rate_hz, code in RATES_HZ.items()}
_RANGES_G = {code: range_g for range_g, code in RANGES_G.items()}
_OUTPUTS = range(Register.OUTX_L_A, Register.OUTZ_H_A + 1)
_TIME_SLOTS = 4


class SimulatedLSM6DSO(SimulatedAccelerometer):
    """A chip (``SimulatedChip``) that feels a signal.

    Simulated: the registers of ``Register`` with their reset values, the software reset, auto-increment and
    its rounding in the FIFO, the FIFO in bypass and continuous mode with tags, watermark, full and overrun
    flags, all ranges and rates with their scales, the positive and negative self-test, and the thermometer.

    Not simulated: the gyroscope, the filters (what is above half the rate folds), low-power modes, batching
    slower than the output, compression, the other FIFO modes, the embedded functions, the sensor hub, user
    offsets, interrupt pins, noise, and the settling after a change (AN5192).
    """

    SIZE = Register.FIFO_DATA_OUT_Z_H + 1
    # Data sheet, "Register mapping".
    RESET_VALUES: ClassVar[Mapping[int, int]] = {
        Register.PIN_CTRL: 0x3F,
        Register.WHO_AM_I: WHO_AM_I_VALUE,
        Register.CTRL3_C: 0x04,
        Register.CTRL9_XL: 0xE0,
    }
    WRITABLE = frozenset(
        {
            Register.FUNC_CFG_ACCESS,
            Register.PIN_CTRL,
            *range(Register.FIFO_CTRL1, Register.WHO_AM_I),
            *range(Register.CTRL1_XL, Register.CTRL10_C + 1),
            *range(Register.X_OFS_USR, Register.Z_OFS_USR + 1),
        }
    )
    SELF_TEST_SHIFT_G = (0.5, 0.5, 0.5)

    def read(self, register: int, length: int) -> bytes:
        """Return ``length`` bytes from ``register`` on; the FIFO's output goes round from word to word."""
        if register != Register.FIFO_DATA_OUT_TAG:
            data = super().read(register, length)
            if register <= Register.FIFO_STATUS2 < register + length:
                self._latched_overrun = False
            return data
        self._sample()
        # A word leaves the FIFO as a whole, even if not all of it is read.
        whole = -(-length // BYTES_PER_WORD) * BYTES_PER_WORD
        return self._fifo.take(whole).ljust(whole, b"\0")[:length]

    def _clear_fifo(self) -> None:
        self._fifo = ByteFifo(FIFO_DEPTH, BYTES_PER_WORD)
        self._latched_overrun = False
        self._slot = 0

    def _written(self, register: int, before: int, value: int) -> None:
        if register == Register.CTRL3_C and value & (Ctrl3C.SW_RESET | Ctrl3C.BOOT):
            self.power_cycle()
        elif register == Register.FIFO_CTRL4 and value & FIFO_MODE_MASK == FifoMode.BYPASS:
            self._clear_fifo()
        elif register == Register.CTRL1_XL and value != before:
            self._restart(0.0)

    def _rate_hz(self) -> float:
        return _RATES_HZ.get(self._registers[Register.CTRL1_XL] >> ODR_XL_SHIFT, 0.0)

    def _pushed(self) -> bool:
        return self._registers[Register.CTRL5_C] & SELF_TEST_MASK != SelfTest.NORMAL

    def _offset_g(self) -> SignalArray:
        negative = self._registers[Register.CTRL5_C] & SELF_TEST_MASK == SelfTest.NEGATIVE
        return -super()._offset_g() if negative else super()._offset_g()

    def _counts(self, felt_g: SignalArray) -> CountArray:
        code = (self._registers[Register.CTRL1_XL] & Ctrl1Xl.FS_XL) >> FS_XL_SHIFT
        return to_counts(felt_g, G_PER_LSB[_RANGES_G[code]], 16)

    def _store(self, counts: CountArray) -> None:
        samples = np.ascontiguousarray(counts, "<i2")
        self._registers[_OUTPUTS.start : _OUTPUTS.stop] = samples[-1].tobytes()
        batched = self._registers[Register.FIFO_CTRL3] & BDR_XL_MASK
        if self._registers[Register.FIFO_CTRL4] & FIFO_MODE_MASK != FifoMode.CONTINUOUS or not batched:
            self._samples_dropped += len(counts)
            return
        words = np.empty((len(counts), BYTES_PER_WORD), np.uint8)
        words[:, 0] = _tags(self._slot, len(counts))
        words[:, 1:] = samples.view(np.uint8)
        self._slot = (self._slot + len(counts)) % _TIME_SLOTS
        self._samples_dropped += self._fifo.append(words.tobytes()) // BYTES_PER_WORD
        self._latched_overrun = self._latched_overrun or len(self._fifo) == FIFO_DEPTH

    def _refresh(self) -> None:
        level = len(self._fifo)
        flags = FifoStatus2(level >> 8)
        watermark = self._registers[Register.FIFO_CTRL1] | (self._registers[Register.FIFO_CTRL2] & 1) << 8
        if 0 < watermark <= level:
            flags |= FifoStatus2.FIFO_WTM_IA
        if level >= FIFO_DEPTH - 1:
            flags |= FifoStatus2.FIFO_FULL_IA
        if level == FIFO_DEPTH:
            flags |= FifoStatus2.FIFO_OVR_IA
        if self._latched_overrun:
            flags |= FifoStatus2.FIFO_OVR_LATCHED
        self._registers[Register.FIFO_STATUS1] = level & 0xFF
        self._registers[Register.FIFO_STATUS2] = flags
        temperature = round((self._temperature_c - 25.0) * TEMPERATURE_LSB_PER_C)
        self._registers[Register.OUT_TEMP_L : Register.OUT_TEMP_H + 1] = temperature.to_bytes(
            2, "little", signed=True
        )


def _tags(first_slot: int, n: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return FIFO_DATA_OUT_TAG of n following samples, shape (n,): kind, time slot, even parity."""
    slots = (first_slot + np.arange(n)) % _TIME_SLOTS
    tags = Tag.ACCELEROMETER << TAG_SENSOR_SHIFT | slots << TAG_COUNT_SHIFT
    # The kind has one bit set, so parity wants another for the slots 0 (no bit) and 3 (two bits).
    return np.asarray(tags | ((slots == 0) | (slots == _TIME_SLOTS - 1)), np.uint8)
