"""The twin of an ADXL345: its registers and its FIFO, sampling as time passes."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import numpy.typing as npt

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
from firmware_bridge.clock import NS_PER_S, Clock
from firmware_bridge.signals.source import SignalArray, SignalSource, TimeArray, Vector

# Values after power-on ("Register Map"); all others are 0. INT_SOURCE and FIFO_STATUS follow from the FIFO.
_RESET_VALUES = {Register.DEVID: DEVID_VALUE, Register.BW_RATE: 0x0A}
_READ_ONLY = {
    Register.DEVID,
    Register.ACT_TAP_STATUS,
    Register.INT_SOURCE,
    *range(Register.DATAX0, Register.DATAZ1 + 1),
    Register.FIFO_STATUS,
}
_DATA = range(Register.DATAX0, Register.DATAZ1 + 1)
_FASTEST_HZ = 3200.0
# The FIFO and the output filter ("FIFO_STATUS": a maximum of 33 entries available at any given time).
_HELD_AT_MOST = FIFO_DEPTH + 1
# Samples are made in pieces, so that a week without a read needs no week of memory.
_PIECE = 1 << 16
# A sample that is due at this very nanosecond is there.
_ROUNDING = 1e-6


class SimulatedADXL345:
    """A chip (``SimulatedChip``) that feels a signal.

    Simulated: every register with its reset value, the FIFO in bypass, FIFO and stream mode, DATA_READY,
    WATERMARK and OVERRUN, full and 10-bit resolution, clipping, rounding, the offset registers, the
    self-test, the missing last bit at 1600 and 3200 Hz, and the turn-on time.

    Not simulated: the filter before the sampling (what is above half the rate folds), the chip's noise and
    temperature drift, taps, activity and free fall, trigger mode (it acts as stream mode), sleep, low
    power, left-justified data, interrupt pins, and the settling after a change. OVERRUN comes as the data
    sheet words it, "when FIFO is filled": at 32 entries, just before the first sample is lost.
    """

    def __init__(
        self,
        clock: Clock,
        signal: SignalSource,
        *,
        rate_error: float = 0.0,
        self_test_shift_g: Vector = (1.2, -1.2, 1.8),
    ) -> None:
        """Make a chip that has just been powered.

        Args:
            clock: What makes samples appear.
            signal: What the chip feels; time 0 is now.
            rate_error: Part by which this chip samples too fast; real ones are off by a few percent.
            self_test_shift_g: What the self-test adds per axis, typical at 3.3 V.
        """
        self._clock = clock
        self._signal = signal
        self._rate_factor = 1.0 + rate_error
        self._self_test_shift_g = np.array(self_test_shift_g)
        self._power_on_ns = clock.monotonic_ns()
        self._samples_made = 0
        self._samples_dropped = 0
        self.power_cycle()

    @property
    def samples_made(self) -> int:
        """Samples since the chip was made, for tests."""
        return self._samples_made

    @property
    def samples_dropped(self) -> int:
        """Samples that were replaced before anybody read them, for tests."""
        return self._samples_dropped

    def power_cycle(self) -> None:
        """Take the supply away and give it back: all registers at their reset values, the FIFO empty."""
        self._registers = bytearray(Register.FIFO_STATUS + 1)
        for register, value in _RESET_VALUES.items():
            self._registers[register] = value
        self._held: deque[bytes] = deque()
        self._latched = bytes(BYTES_PER_SAMPLE)
        self._overrun = False
        self._begin_ns = 0.0
        self._made_since = 0

    def read(self, register: int, length: int) -> bytes:
        """Return ``length`` bytes from ``register`` on; reading any of the data takes a sample out."""
        self._sample()
        end = register + length
        if register < _DATA.stop and end > _DATA.start:
            self._latch()
        self._refresh()
        return bytes(self._registers[register:end]).ljust(length, b"\0")

    def write(self, register: int, data: bytes) -> None:
        """Take ``data`` into the registers from ``register`` on; read-only and reserved ones stay."""
        self._sample()
        for place, value in enumerate(data, register):
            if Register.THRESH_TAP <= place <= Register.FIFO_STATUS and place not in _READ_ONLY:
                self._write_one(place, value)

    def _write_one(self, register: int, value: int) -> None:
        before = self._registers[register]
        self._registers[register] = value
        if register == Register.FIFO_CTL and self._mode() == FifoMode.BYPASS:
            self._held.clear()
            self._overrun = False
        elif register == Register.POWER_CTL and value & ~before & PowerCtl.MEASURE:
            self._restart(TURN_ON_S)
        elif register == Register.BW_RATE and value != before:
            self._restart(0.0)

    def _restart(self, delay_s: float) -> None:
        """Count samples from now on: the first comes after the delay and one period."""
        self._begin_ns = self._clock.monotonic_ns() + delay_s * NS_PER_S
        self._made_since = 0

    def _mode(self) -> int:
        return self._registers[Register.FIFO_CTL] & FifoCtl.MODE

    def _latch(self) -> None:
        """Move the oldest sample into the data registers; without one, the last stays."""
        if self._held:
            self._latched = self._held.popleft()
        self._overrun = False

    def _refresh(self) -> None:
        """Bring the registers that follow from the FIFO up to date."""
        entries = 0 if self._mode() == FifoMode.BYPASS else min(len(self._held), FIFO_DEPTH)
        source = Interrupt.OVERRUN if self._overrun else Interrupt(0)
        if self._held:
            source |= Interrupt.DATA_READY
        if entries >= self._registers[Register.FIFO_CTL] & FifoCtl.SAMPLES:
            source |= Interrupt.WATERMARK
        self._registers[Register.INT_SOURCE] = source
        self._registers[Register.FIFO_STATUS] = entries
        self._registers[_DATA.start : _DATA.stop] = self._latched

    def _sample(self) -> None:
        """Make all samples that are due by now."""
        if not self._registers[Register.POWER_CTL] & PowerCtl.MEASURE:
            return
        period_ns = NS_PER_S / (self._rate_hz() * self._rate_factor)
        elapsed_ns = self._clock.monotonic_ns() - self._begin_ns
        due = math.floor(elapsed_ns / period_ns + _ROUNDING)
        while self._made_since < due:
            n = min(due - self._made_since, _PIECE)
            numbers = np.arange(self._made_since + 1, self._made_since + n + 1)
            times_s = (self._begin_ns - self._power_on_ns + numbers * period_ns) / NS_PER_S
            self._store(self._counts(times_s))
            self._made_since += n
            self._samples_made += n

    def _rate_hz(self) -> float:
        code = self._registers[Register.BW_RATE] & BwRate.RATE
        return math.ldexp(_FASTEST_HZ, code - Rate.HZ_3200)

    def _counts(self, times_s: TimeArray) -> npt.NDArray[np.int16]:
        """Return what the converter makes of the signal, shape (n, 3)."""
        data_format = self._registers[Register.DATA_FORMAT]
        range_code = data_format & DataFormat.RANGE
        full_resolution = bool(data_format & DataFormat.FULL_RES)
        lsb_per_g = LSB_PER_G if full_resolution else LSB_PER_G >> range_code
        limit = 512 << range_code if full_resolution else 512
        felt_g = self._signal.acceleration_g(times_s) + self._added_g()
        counts: npt.NDArray[np.int16]
        counts = np.clip(np.rint(felt_g * lsb_per_g), -limit, limit - 1).astype(np.int16)
        if self._rate_hz() > 800 and (full_resolution or range_code == 0):
            # "Data Formatting of Upper Data Rates", page 32.
            counts &= ~1
        return counts

    def _added_g(self) -> SignalArray:
        offsets = np.frombuffer(self._registers, np.int8)[Register.OFSX : Register.OFSZ + 1]
        added_g = offsets * (OFFSET_LSB / LSB_PER_G)
        if self._registers[Register.DATA_FORMAT] & DataFormat.SELF_TEST:
            added_g = added_g + self._self_test_shift_g
        return added_g

    def _store(self, counts: npt.NDArray[np.int16]) -> None:
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
