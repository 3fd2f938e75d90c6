"""Faults of the instrument by a seeded plan: what goes wrong on the wire, in the chip, and in its mounting.

A plan goes around any bus (``FaultyBus``) and around what a simulated chip feels (``signals.faulty``). What
judder does about each fault stands in ``docs/faults.md``.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

import numpy as np

from firmware_bridge.axes import AXES
from firmware_bridge.bus.causes import CAUSES
from firmware_bridge.bus.fault_plan import Fault, FaultKind, FaultPlan
from firmware_bridge.bus.protocol import I2CBus
from firmware_bridge.clock import NS_PER_S, Clock
from firmware_bridge.errors import BusError

ADAPTER_TIMEOUT_S = 1.0
"""How long a Linux adapter waits for a line that is held low (``i2c_adapter.timeout``: HZ, one second)."""
STRANGER = 0x5A
"""What every register of a swapped chip reads: no identity that judder knows."""


_ERRNO = {
    FaultKind.NAK: errno.EREMOTEIO,
    FaultKind.ARBITRATION: errno.EAGAIN,
    FaultKind.TIMEOUT: errno.ETIMEDOUT,
    FaultKind.STUCK_SDA: errno.EBUSY,
    FaultKind.BROWN_OUT: errno.ENXIO,
    FaultKind.UNPLUGGED: errno.ENXIO,
}
_WAITS = {FaultKind.TIMEOUT, FaultKind.STUCK_SDA}
# The chip comes back as after power-on.
_RESETS = {FaultKind.BROWN_OUT, FaultKind.UNPLUGGED, FaultKind.SWAPPED}
BUS_FAULTS = frozenset({*_ERRNO, FaultKind.BIT_FLIPS, FaultKind.SWAPPED})
"""Faults that ``FaultyBus`` makes; the others are in what the chip feels."""


def drawn_plan(seed: int, duration_s: float, count: int) -> FaultPlan:
    """Draw faults of all kinds, spread evenly over a duration, none longer than half of its turn.

    Args:
        seed: Another seed, another plan.
        duration_s: All are over by then, in seconds.
        count: How many.
    """
    random = np.random.default_rng(seed)
    kinds = list(FaultKind)
    turn_s = duration_s / count
    faults = (
        Fault(
            kind=kinds[int(random.integers(len(kinds)))],
            at_s=(turn + 0.5 * float(random.random())) * turn_s,
            duration_s=0.5 * float(random.random()) * turn_s,
            share=1.0 - 0.9 * float(random.random()),
            axis=AXES[int(random.integers(3))],
        )
        for turn in range(count)
    )
    return FaultPlan(tuple(faults), seed)


class FaultyBus:
    """A bus (``I2CBus``) whose transfers suffer the plan's faults; without one they pass untouched.

    Not simulated: which of several chips on the bus is hit (all are), and half-written registers.
    """

    def __init__(
        self,
        bus: I2CBus,
        plan: FaultPlan,
        clock: Clock,
        power_cycle: Callable[[], None] = lambda: None,
    ) -> None:
        """Wrap a bus; the plan begins now.

        Args:
            bus: What is wrapped.
            plan: What goes wrong; faults that are not the bus's are ignored.
            clock: When.
            power_cycle: Takes the supply from the chips and gives it back.
        """
        self._bus = bus
        self._clock = clock
        self._power_cycle = power_cycle
        self._random = np.random.default_rng(plan.seed)
        self._begin_ns = clock.monotonic_ns()
        self._faults = tuple(fault for fault in plan.plan if fault.kind in BUS_FAULTS)
        self._resets_s = sorted(fault.end_s for fault in self._faults if fault.kind in _RESETS)

    @property
    def name(self) -> str:
        """The wrapped bus's name."""
        return self._bus.name

    @property
    def simulated(self) -> bool:
        """True if no hardware is behind it."""
        return self._bus.simulated

    def read(self, address: int, register: int, length: int) -> bytes:
        """Read ``length`` bytes, starting at ``register``.

        Raises:
            BusError: If the plan says so, or the transfer fails.
        """
        kinds = self._suffer(address, register)
        if FaultKind.SWAPPED in kinds:
            return bytes([STRANGER]) * length
        data = self._bus.read(address, register, length)
        return self._flipped(data) if FaultKind.BIT_FLIPS in kinds else data

    def read_burst(self, address: int, register: int, length: int, count: int) -> bytes:
        """Do the same read ``count`` times; a fault can tear the burst.

        Raises:
            BusError: If the plan says so, or a transfer fails.
        """
        self._reset_chips()
        if not self._lasting():
            return self._bus.read_burst(address, register, length, count)
        return b"".join(self.read(address, register, length) for _ in range(count))

    def write(self, address: int, register: int, data: bytes) -> None:
        """Write ``data``, starting at ``register``.

        Raises:
            BusError: If the plan says so, or the transfer fails.
        """
        if FaultKind.SWAPPED not in self._suffer(address, register):
            self._bus.write(address, register, data)

    def close(self) -> None:
        """Let go of the wrapped bus; may be called twice."""
        self._bus.close()

    def _suffer(self, address: int, register: int) -> set[FaultKind]:
        """Return the faults that this transfer has, or fail as they make it fail."""
        self._reset_chips()
        kinds = {fault.kind for fault in self._lasting() if self._hits(fault)}
        for kind in sorted(kinds & _ERRNO.keys()):
            if kind in _WAITS:
                self._clock.wait(ADAPTER_TIMEOUT_S)
            code = _ERRNO[kind]
            raise BusError(CAUSES[code], bus=self.name, address=address, register=register, code=code)
        return kinds

    def _reset_chips(self) -> None:
        now_s = self._now_s()
        while self._resets_s and self._resets_s[0] <= now_s:
            self._resets_s.pop(0)
            self._power_cycle()

    def _lasting(self) -> list[Fault]:
        now_s = self._now_s()
        return [fault for fault in self._faults if fault.lasts_at(now_s)]

    def _hits(self, fault: Fault) -> bool:
        return fault.share == 1.0 or float(self._random.random()) < fault.share

    def _flipped(self, data: bytes) -> bytes:
        flipped = bytearray(data)
        bit = int(self._random.integers(8 * len(data)))
        flipped[bit // 8] ^= 1 << bit % 8
        return bytes(flipped)

    def _now_s(self) -> float:
        return (self._clock.monotonic_ns() - self._begin_ns) / NS_PER_S
