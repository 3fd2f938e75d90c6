"""The twin of an ADXL355: its registers and its FIFO, sampling as time passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from firmware_bridge.adxl355.registers import (
    BYTES_PER_ENTRY,
    DEVID_AD_VALUE,
    DEVID_MST_VALUE,
    FIFO_DEPTH,
    G_PER_LSB,
    N_SHADOW_REGISTERS,
    PARTID_VALUE,
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
from firmware_bridge.arrays import CountArray, SignalArray
from firmware_bridge.chip.simulated_chip import ByteFifo, SimulatedAccelerometer, to_counts

_AXES = 3
_ENTRIES = FIFO_DEPTH * _AXES
_RATES_HZ = {code: rate_hz for rate_hz, code in RATES_HZ.items()}
_RANGES_G = {code: range_g for range_g, code in RANGES_G.items()}
_DATA = range(Register.XDATA3, Register.ZDATA1 + 1)
_TRIMMING = b"\x1a\x2b\x3c\x4d\x5e"
_NOTHING = bytes([0, 0, Marker.EMPTY])
_OFFSET_STEP_BITS = 4


class SimulatedADXL355(SimulatedAccelerometer):
    """A chip (``SimulatedChip``) that feels a signal.

    Simulated: every register with its reset value, the reset, standby, the FIFO with its markers and its
    overrun, the read of many entries at one register, all ranges and rates with their scales, the offset
    registers, the self-test, and the thermometer.

    Not simulated: the filters (what is above a quarter of the rate folds or passes), synchronization,
    activity, interrupt pins, and noise.
    """

    SIZE = SHADOW_REGISTERS + N_SHADOW_REGISTERS
    # "Register Map"; the shadow registers hold each chip's own trimming.
    RESET_VALUES: ClassVar[Mapping[int, int]] = {
        Register.DEVID_AD: DEVID_AD_VALUE,
        Register.DEVID_MST: DEVID_MST_VALUE,
        Register.PARTID: PARTID_VALUE,
        Register.REVID: 0x01,
        Register.ACT_COUNT: 0x01,
        Register.FIFO_SAMPLES: 0x60,
        Register.RANGE: 0x81,
        Register.POWER_CTL: 0x01,
        **dict(enumerate(_TRIMMING, SHADOW_REGISTERS)),
    }
    WRITABLE = frozenset(range(Register.OFFSET_X_H, Register.RESET + 1))
    SELF_TEST_SHIFT_G = (0.3, 0.3, 1.5)

    def read(self, register: int, length: int) -> bytes:
        """Return ``length`` bytes from ``register`` on; all of them out of the FIFO at FIFO_DATA."""
        if register != Register.FIFO_DATA:
            data = super().read(register, length)
            if register <= Register.STATUS < register + length:
                self._overrun = False
            return data
        self._sample()
        # An entry leaves the FIFO as a whole, even if not all of it is read.
        wanted = -(-length // BYTES_PER_ENTRY)
        taken = self._fifo.take(wanted * BYTES_PER_ENTRY)
        return (taken + _NOTHING * wanted)[:length]

    def _clear_fifo(self) -> None:
        self._fifo = ByteFifo(_ENTRIES, BYTES_PER_ENTRY)
        self._overrun = False

    def _written(self, register: int, before: int, value: int) -> None:
        if register == Register.RESET:
            self._registers[register] = 0
            if value == RESET_CODE:
                self.power_cycle()
        elif register == Register.POWER_CTL and before & ~value & PowerCtl.STANDBY:
            self._restart(0.0)

    def _rate_hz(self) -> float:
        if self._registers[Register.POWER_CTL] & PowerCtl.STANDBY:
            return 0.0
        return _RATES_HZ.get(self._registers[Register.FILTER] & 0x0F, 0.0)

    def _g_per_lsb(self) -> float:
        return G_PER_LSB[_RANGES_G[self._registers[Register.RANGE] & Range.RANGE]]

    def _pushed(self) -> bool:
        both = SelfTest.ST1 | SelfTest.ST2
        return self._registers[Register.SELF_TEST] & both == both

    def _offset_g(self) -> SignalArray:
        steps = np.frombuffer(self._registers, ">i2", _AXES, Register.OFFSET_X_H)
        trimmed_g = steps * (self._g_per_lsb() * (1 << _OFFSET_STEP_BITS))
        return np.asarray(super()._offset_g() + trimmed_g)

    def _counts(self, felt_g: SignalArray) -> CountArray:
        return to_counts(felt_g, self._g_per_lsb(), 20)

    def _store(self, counts: CountArray) -> None:
        words = (counts << 12).astype(">i4")
        entries = words.view(np.uint8).reshape(len(counts), _AXES, 4)[:, :, :BYTES_PER_ENTRY].copy()
        self._registers[_DATA.start : _DATA.stop] = entries[-1].tobytes()
        entries[:, 0, -1] |= Marker.X_AXIS
        dropped = self._fifo.append(entries.tobytes())
        self._overrun = self._overrun or dropped > 0
        self._samples_dropped += -(-dropped // (_AXES * BYTES_PER_ENTRY))

    def _refresh(self) -> None:
        status = Status(0)
        if self._overrun:
            status |= Status.FIFO_OVR
        if len(self._fifo) >= self._registers[Register.FIFO_SAMPLES]:
            status |= Status.FIFO_FULL
        if len(self._fifo):
            status |= Status.DATA_RDY
        self._registers[Register.STATUS] = status
        self._registers[Register.FIFO_ENTRIES] = len(self._fifo)
        counts = round(TEMPERATURE_AT_25_C + (self._temperature_c - 25.0) * TEMPERATURE_LSB_PER_C)
        self._registers[Register.TEMP2 : Register.TEMP1 + 1] = counts.to_bytes(2, "big")
