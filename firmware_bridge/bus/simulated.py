"""The twin of a real I2C bus: register-level chips by address, and faults on demand."""

from __future__ import annotations

import errno
import os
from typing import Protocol

from firmware_bridge.clock import Clock
from firmware_bridge.errors import BusError

# Start, repeated start, stop (UM10204, I2C specification, 3.1.10).
_CONDITION_BITS = 3
# Eight bits and the acknowledge.
_BITS_PER_BYTE = 9


class SimulatedChip(Protocol):
    """A chip as its bus sees it: a register pointer, and bytes from there on."""

    def read(self, register: int, length: int) -> bytes:
        """Return ``length`` bytes from ``register`` on, with all that reading does in the chip."""
        ...

    def write(self, register: int, data: bytes) -> None:
        """Take the bytes of ``data`` into the registers from ``register`` on."""
        ...

    def power_cycle(self) -> None:
        """Lose the supply and get it back: every register at its reset value."""
        ...


class SimulatedBus:
    """A bus (``I2CBus``) without hardware. Where no chip is attached nobody answers (ENXIO), as on the wire.

    Not simulated: clock stretching, arbitration, bit errors (a transfer works or fails as a whole), the
    limits of an adapter, and the time of a transfer unless asked for.
    """

    simulated = True

    def __init__(
        self, name: str, clock: Clock, *, bit_rate_hz: float = 400_000.0, charge_time: bool = False
    ) -> None:
        """Make an empty bus.

        Args:
            name: The bus as configured, such as ``sim:bench``.
            clock: Where the time of transfers is spent.
            bit_rate_hz: Clock of the wire in Hz.
            charge_time: Wait as long as each transfer takes on the wire. For simulated clocks.
        """
        self.name = name
        self._clock = clock
        self._bit_rate_hz = bit_rate_hz
        self._charge_time = charge_time
        self._chips: dict[int, SimulatedChip] = {}
        self._passing = 0
        self._failures = 0
        self._failure_code = errno.EIO
        self._plugged = True
        self._open = True

    def attach(self, address: int, chip: SimulatedChip) -> None:
        """Put a chip on the bus.

        Raises:
            BusError: If the address is taken.
        """
        if address in self._chips:
            raise BusError("another chip has this address", bus=self.name, address=address)
        self._chips[address] = chip

    def detach(self, address: int) -> None:
        """Take a chip off the bus."""
        del self._chips[address]

    def fail_next(self, count: int, code: int = errno.EIO, *, after: int = 0) -> None:
        """Let ``after`` transfers pass, then ``count`` fail with an errno before they reach a chip."""
        self._passing = after
        self._failures = count
        self._failure_code = code

    def unplug(self) -> None:
        """Pull the cable: no address answers, the chips keep their power."""
        self._plugged = False

    def plug(self) -> None:
        """Put the cable back."""
        self._plugged = True

    def power_cycle(self) -> None:
        """Take the supply from all chips and give it back."""
        for chip in self._chips.values():
            chip.power_cycle()

    def read(self, address: int, register: int, length: int) -> bytes:
        """Read ``length`` bytes, starting at ``register``.

        Raises:
            BusError: If nobody answers, or a fault was asked for.
        """
        data = self._select(address, register).read(register, length)
        # Address and register, then the address again and the data. A FIFO hands its samples out while they
        # are on the wire: whether it overflows is decided when the transfer begins.
        self._spend(3 + length)
        return data

    def read_burst(self, address: int, register: int, length: int, count: int) -> bytes:
        """Do the same read ``count`` times.

        Raises:
            BusError: If nobody answers, or a fault was asked for.
        """
        return b"".join(self.read(address, register, length) for _ in range(count))

    def write(self, address: int, register: int, data: bytes) -> None:
        """Write the bytes of ``data``, starting at ``register``.

        Raises:
            BusError: If nobody answers, or a fault was asked for.
        """
        chip = self._select(address, register)
        self._spend(2 + len(data))
        chip.write(register, data)

    def close(self) -> None:
        """Let go of the bus; may be called twice."""
        self._open = False

    def _select(self, address: int, register: int) -> SimulatedChip:
        if not self._open:
            raise self._error("the bus is closed; open it again", errno.EBADF, address, register)
        if self._passing > 0:
            self._passing -= 1
        elif self._failures > 0:
            self._failures -= 1
            code = self._failure_code
            raise self._error(f"simulated fault: {os.strerror(code)}", code, address, register)
        chip = self._chips.get(address)
        if chip is None or not self._plugged:
            raise self._error("no answer from this simulated address", errno.ENXIO, address, register)
        return chip

    def _spend(self, n_bytes: int) -> None:
        if self._charge_time:
            self._clock.wait((n_bytes * _BITS_PER_BYTE + _CONDITION_BITS) / self._bit_rate_hz)

    def _error(self, message: str, code: int, address: int, register: int) -> BusError:
        return BusError(message, bus=self.name, address=address, register=register, code=code)
