"""Which faults of the instrument come when; what each one is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from firmware_bridge.axes import Axis
from firmware_bridge.errors import SignalError


class FaultKind(StrEnum):
    """What can go wrong with the instrument."""

    NAK = "nak"
    """Transfers are not acknowledged: a loose contact."""
    ARBITRATION = "arbitration"
    """Another master wins the bus."""
    TIMEOUT = "timeout"
    """A chip stretches the clock until the adapter gives up."""
    STUCK_SDA = "stuck_sda"
    """A chip holds the data line low: nobody on the bus can be reached."""
    BIT_FLIPS = "bit_flips"
    """One bit of what is read is wrong: I2C has no checksum."""
    BROWN_OUT = "brown_out"
    """The supply dips: no answer while it lasts, then every register at its reset value."""
    UNPLUGGED = "unplugged"
    """The cable is pulled, and put back; it carries the supply, too."""
    SWAPPED = "swapped"
    """Another chip answers at the address, until the right one is put back."""
    FROZEN_AXIS = "frozen_axis"
    """An axis gives one code."""
    SATURATED_AXIS = "saturated_axis"
    """An axis is at full scale."""
    LOOSE = "loose"
    """The sensor is loose: it hangs askew, and rattles."""


@dataclass(frozen=True)
class Fault:
    """One fault, from its beginning to its end."""

    kind: FaultKind
    at_s: float
    """When it begins, in seconds since the simulation began."""
    duration_s: float = 1.0
    """How long it lasts."""
    share: float = 1.0
    """Part of the transfers that are hit meanwhile, of those faults that hit transfers."""
    axis: Axis = "x"
    """Which axis is frozen or saturated."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.at_s) and self.at_s >= 0 and self.duration_s >= 0):
            raise SignalError(
                f"fault '{self.kind}': at_s = {self.at_s!r} and duration_s = {self.duration_s!r} must be "
                "0 or above"
            )
        if not 0 < self.share <= 1:
            raise SignalError(f"fault '{self.kind}': share = {self.share!r} must be above 0, and at most 1")

    @property
    def end_s(self) -> float:
        """When it is over, in seconds since the simulation began."""
        return self.at_s + self.duration_s

    def lasts_at(self, now_s: float) -> bool:
        """Tell whether it goes on at a time, in seconds since the simulation began."""
        return self.at_s <= now_s < self.end_s


@dataclass(frozen=True)
class FaultPlan:
    """Which faults come when; what is random about them follows from the seed."""

    plan: tuple[Fault, ...] = field(default=())
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise SignalError(f"seed = {self.seed!r} must be 0 or above")
