"""What the twins of all accelerometers share: registers, and samples that appear as time passes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import ClassVar

import numpy as np

from firmware_bridge.arrays import CountArray, SignalArray
from firmware_bridge.clock import NS_PER_S, Clock
from firmware_bridge.signals.source import SignalSource, Vector

# Samples are made in pieces, so that a week without a read needs no week of memory.
_PIECE = 1 << 16
# A sample that is due at this very nanosecond is there.
_ROUNDING = 1e-6


class ByteFifo:
    """A FIFO of entries of some bytes each that keeps the newest."""

    def __init__(self, depth: int, entry_bytes: int) -> None:
        """Make an empty FIFO.

        Args:
            depth: Entries that it holds.
            entry_bytes: Length of each.
        """
        self._entry_bytes = entry_bytes
        self._capacity = depth * entry_bytes
        self._data = bytearray()

    def __len__(self) -> int:
        """Entries that wait; a started one counts."""
        return -(-len(self._data) // self._entry_bytes)

    def append(self, data: bytes) -> int:
        """Add whole entries; return how many of the oldest bytes they pushed out."""
        self._data += data
        surplus = max(len(self._data) - self._capacity, 0)
        del self._data[:surplus]
        return surplus

    def take(self, length: int) -> bytes:
        """Return the oldest bytes and forget them; fewer than ``length`` if there are no more."""
        taken = bytes(self._data[:length])
        del self._data[:length]
        return taken

    def clear(self) -> None:
        """Forget everything."""
        self._data.clear()


class SimulatedAccelerometer(ABC):
    """A chip (``SimulatedChip``) that feels a signal. What a twin does not simulate, it says itself."""

    SIZE: ClassVar[int]
    """One more than the highest register."""
    RESET_VALUES: ClassVar[Mapping[int, int]]
    """Registers that are not 0 after power-on."""
    WRITABLE: ClassVar[Collection[int]]
    """Registers that take what is written."""
    SELF_TEST_SHIFT_G: ClassVar[Vector]
    """What the self-test typically adds per axis."""

    def __init__(
        self,
        clock: Clock,
        signal: SignalSource,
        *,
        rate_error: float = 0.0,
        self_test_shift_g: Vector | None = None,
        temperature_c: float = 25.0,
    ) -> None:
        """Make a chip that has just been powered.

        Args:
            clock: What makes samples appear.
            signal: What the chip feels; time 0 is now.
            rate_error: Part by which this chip samples too fast; real ones are off by a few percent.
            self_test_shift_g: What the self-test adds per axis; None: what is typical.
            temperature_c: What the chip's thermometer feels, if it has one.
        """
        self._clock = clock
        self._signal = signal
        self._rate_factor = 1.0 + rate_error
        self._self_test_shift_g = np.array(self_test_shift_g or self.SELF_TEST_SHIFT_G)
        self._temperature_c = temperature_c
        self._power_on_ns = clock.monotonic_ns()
        self._samples_made = 0
        self._samples_dropped = 0
        self.power_cycle()

    @property
    def samples_made(self) -> int:
        """How many samples there were since the chip was made, for tests."""
        return self._samples_made

    @property
    def samples_dropped(self) -> int:
        """How many samples were replaced before anybody read them, for tests."""
        return self._samples_dropped

    def power_cycle(self) -> None:
        """Take the supply away and give it back: all registers at their reset values, the FIFO empty."""
        self._registers = bytearray(self.SIZE)
        for register, value in self.RESET_VALUES.items():
            self._registers[register] = value
        self._begin_ns = 0.0
        self._made_since = 0
        self._clear_fifo()

    def read(self, register: int, length: int) -> bytes:
        """Return ``length`` bytes from ``register`` on, with all that reading does in the chip."""
        self._sample()
        self._refresh()
        return bytes(self._registers[register : register + length]).ljust(length, b"\0")

    def write(self, register: int, data: bytes) -> None:
        """Take ``data`` into the registers from ``register`` on; read-only and reserved ones stay."""
        self._sample()
        for place, value in enumerate(data, register):
            if place in self.WRITABLE:
                before, self._registers[place] = self._registers[place], value
                self._written(place, before, value)

    @abstractmethod
    def _rate_hz(self) -> float:
        """Return the output data rate as set, 0 if the chip does not sample."""

    @abstractmethod
    def _counts(self, felt_g: SignalArray) -> CountArray:
        """Return what the converter makes of an acceleration, shape (n, 3)."""

    @abstractmethod
    def _store(self, counts: CountArray) -> None:
        """Put new samples where they go, and count in ``_samples_dropped`` those that they replace."""

    @abstractmethod
    def _refresh(self) -> None:
        """Bring the registers that follow from something else up to date."""

    @abstractmethod
    def _clear_fifo(self) -> None:
        """Empty the FIFO."""

    def _written(self, register: int, before: int, value: int) -> None:  # noqa: B027 - for chips that react
        """Do what writing this register does in the chip."""

    def _pushed(self) -> bool:
        """Return whether the self-test's force is on."""
        return False

    def _offset_g(self) -> SignalArray:
        """Return what is added to the felt acceleration per axis, shape (3,)."""
        return self._self_test_shift_g if self._pushed() else np.zeros(3)

    def _restart(self, delay_s: float) -> None:
        """Count samples from now on: the first comes after the delay and one period."""
        self._begin_ns = self._clock.monotonic_ns() + delay_s * NS_PER_S
        self._made_since = 0

    def _sample(self) -> None:
        """Make all samples that are due by now."""
        rate_hz = self._rate_hz()
        if rate_hz <= 0:
            return
        period_ns = NS_PER_S / (rate_hz * self._rate_factor)
        due = math.floor((self._clock.monotonic_ns() - self._begin_ns) / period_ns + _ROUNDING)
        while self._made_since < due:
            n = min(due - self._made_since, _PIECE)
            numbers = np.arange(self._made_since + 1, self._made_since + n + 1)
            times_s = (self._begin_ns - self._power_on_ns + numbers * period_ns) / NS_PER_S
            self._store(self._counts(self._signal.acceleration_g(times_s) + self._offset_g()))
            self._made_since += n
            self._samples_made += n


def to_counts(felt_g: SignalArray, g_per_lsb: float, bits: int) -> CountArray:
    """Return acceleration as a converter's two's complement counts: rounded, and clipped at its ends.

    Args:
        felt_g: Acceleration in g, shape (n, 3).
        g_per_lsb: Acceleration of one least significant bit.
        bits: Width of the converter.
    """
    limit = 1 << (bits - 1)
    counts: CountArray = np.clip(np.rint(felt_g / g_per_lsb), -limit, limit - 1).astype(np.int32)
    return counts
