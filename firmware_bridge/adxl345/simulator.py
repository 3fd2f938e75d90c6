"""The twin of an ADXL345: its registers and its FIFO, sampling as time passes."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from firmware_bridge.adxl345.registers import (
    BYTES_PER_SAMPLE,
    DEVID_VALUE,
    FIFO_DEPTH,
    LSB_PER_G,
    OFFSET_LSB,
    TURN_ON_S,
    BwRate,
    DataFormat,
    FifoCtl,
    FifoMode,
    Interrupt,
    PowerCtl,
    Rate,
    Register,
)
from firmware_bridge.arrays import CountArray, SignalArray
from firmware_bridge.chip.simulated_chip import SimulatedAccelerometer, to_counts

_DATA = range(Register.DATAX0, Register.DATAZ1 + 1)
_READ_ONLY = {
    Register.ACT_TAP_STATUS,
    Register.INT_SOURCE,
    *_DATA,
    Register.FIFO_STATUS,
}
_FASTEST_HZ = 3200.0
# The FIFO and the output filter ("FIFO_STATUS": a maximum of 33 entries available at any given time).
_HELD_AT_MOST = FIFO_DEPTH + 1


class SimulatedADXL345(SimulatedAccelerometer):
    """A chip (``SimulatedChip``) that feels a signal.

    Simulated: every register with its reset value, the FIFO in bypass, FIFO and stream mode, DATA_READY,
    WATERMARK and OVERRUN, full and 10-bit resolution, clipping, rounding, the offset registers, the
    self-test, the missing last bit at 1600 and 3200 Hz, and the turn-on time.

    Not simulated: the filter before the sampling (what is above half the rate folds), the chip's noise and
    temperature drift, taps, activity and free fall, trigger mode (it acts as stream mode), sleep, low
    power, left-justified data, interrupt pins, and the settling after a change. OVERRUN comes as the data
    sheet words it, "when FIFO is filled": at 32 entries, just before the first sample is lost.
    """

    SIZE = Register.FIFO_STATUS + 1
    # "Register Map". INT_SOURCE and FIFO_STATUS follow from the FIFO.
    RESET_VALUES: ClassVar[Mapping[int, int]] = {Register.DEVID: DEVID_VALUE, Register.BW_RATE: 0x0A}
    WRITABLE = frozenset(range(Register.THRESH_TAP, SIZE)) - _READ_ONLY
    # At 3.3 V.
    SELF_TEST_SHIFT_G = (1.2, -1.2, 1.8)

    def read(self, register: int, length: int) -> bytes:
        """Return ``length`` bytes from ``register`` on; reading any of the data takes a sample out."""
        self._sample()
        if register < _DATA.stop and register + length > _DATA.start:
            self._latch()
        return super().read(register, length)

    def _clear_fifo(self) -> None:
        self._held: deque[bytes] = deque()
        self._latched = bytes(BYTES_PER_SAMPLE)
        self._overrun = False

    def _written(self, register: int, before: int, value: int) -> None:
        if register == Register.FIFO_CTL and self._mode() == FifoMode.BYPASS:
            self._held.clear()
            self._overrun = False
        elif register == Register.POWER_CTL and value & ~before & PowerCtl.MEASURE:
            self._restart(TURN_ON_S)
        elif register == Register.BW_RATE and value != before:
            self._restart(0.0)

    def _mode(self) -> int:
        return self._registers[Register.FIFO_CTL] & FifoCtl.MODE

    def _latch(self) -> None:
        """Move the oldest sample into the data registers; without one, the last stays."""
        if self._held:
            self._latched = self._held.popleft()
        self._overrun = False

    def _refresh(self) -> None:
        entries = 0 if self._mode() == FifoMode.BYPASS else min(len(self._held), FIFO_DEPTH)
        source = Interrupt.OVERRUN if self._overrun else Interrupt(0)
        if self._held:
            source |= Interrupt.DATA_READY
        if entries >= self._registers[Register.FIFO_CTL] & FifoCtl.SAMPLES:
            source |= Interrupt.WATERMARK
        self._registers[Register.INT_SOURCE] = source
        self._registers[Register.FIFO_STATUS] = entries
        self._registers[_DATA.start : _DATA.stop] = self._latched

    def _rate_hz(self) -> float:
        if not self._registers[Register.POWER_CTL] & PowerCtl.MEASURE:
            return 0.0
        return math.ldexp(_FASTEST_HZ, self._rate_code() - Rate.HZ_3200)

    def _rate_code(self) -> int:
        return self._registers[Register.BW_RATE] & BwRate.RATE

    def _counts(self, felt_g: SignalArray) -> CountArray:
        data_format = self._registers[Register.DATA_FORMAT]
        range_code = data_format & DataFormat.RANGE
        full_resolution = bool(data_format & DataFormat.FULL_RES)
        lsb_per_g = LSB_PER_G if full_resolution else LSB_PER_G >> range_code
        counts = to_counts(felt_g, 1.0 / lsb_per_g, 10 + range_code if full_resolution else 10)
        if self._rate_code() > Rate.HZ_800 and (full_resolution or range_code == 0):
            # "Data Formatting of Upper Data Rates", page 32.
            counts &= ~1
        return counts

    def _pushed(self) -> bool:
        return bool(self._registers[Register.DATA_FORMAT] & DataFormat.SELF_TEST)

    def _offset_g(self) -> SignalArray:
        offsets = np.frombuffer(self._registers, np.int8)[Register.OFSX : Register.OFSZ + 1]
        return np.asarray(super()._offset_g() + offsets * (OFFSET_LSB / LSB_PER_G))

    def _store(self, counts: CountArray) -> None:
        mode = self._mode()
        room = 1 if mode == FifoMode.BYPASS else _HELD_AT_MOST
        # FIFO mode stops collecting when it is full; the others keep the newest.
        wanted = counts[: room - len(self._held)] if mode == FifoMode.FIFO else counts[-room:]
        raw = wanted.astype("<i2").tobytes()
        self._held.extend(
            raw[start : start + BYTES_PER_SAMPLE] for start in range(0, len(raw), BYTES_PER_SAMPLE)
        )
        surplus = max(len(self._held) - room, 0)
        for _ in range(surplus):
            self._held.popleft()
        dropped = surplus + len(counts) - len(wanted)
        self._samples_dropped += dropped
        filled = len(self._held) >= FIFO_DEPTH if mode != FifoMode.BYPASS else dropped > 0
        self._overrun = self._overrun or filled
