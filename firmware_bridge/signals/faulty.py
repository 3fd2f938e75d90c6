"""What a chip feels, or its converter makes of it, when the instrument itself is at fault."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from firmware_bridge.arrays import SignalArray, TimeArray
from firmware_bridge.axes import AXES
from firmware_bridge.bus.fault_plan import Fault, FaultKind, FaultPlan
from firmware_bridge.signals.impulses import Ringing, Train
from firmware_bridge.signals.source import SignalSource, random_streams

# Beyond every full scale there is.
_RAIL_G = 1000.0
# A loose sensor hangs askew, and its foot hits the housing some ten times a second.
_TILT_G = np.array((0.45, 0.3, -0.35))
_RATTLES_PER_S = 12.0
_RATTLE_G = 4.0
_RATTLE_DIRECTION = np.array((0.5, 0.6, 1.0))
_CONTACT_HZ = 150.0
_CONTACT_DAMPING = 0.1


class _Effect(Protocol):
    def change(self, times_s: TimeArray, samples_g: SignalArray) -> None: ...


class FaultySignal:
    """A signal source with the plan's frozen and saturated axes and its loose mounting; other faults pass by.

    Not simulated: the self-test moves a frozen or saturated axis, too.
    """

    def __init__(self, signal: SignalSource, plan: FaultPlan) -> None:
        """Wrap what the chip would feel without the faults.

        Args:
            signal: Acceleration in g, as it is without them.
            plan: Which faults come when, in seconds since the simulation began.
        """
        self._signal = signal
        randoms = random_streams(plan.seed, len(plan.plan))
        self._effects: list[_Effect] = []
        for fault, random in zip(plan.plan, randoms, strict=True):
            if fault.kind is FaultKind.FROZEN_AXIS:
                self._effects.append(_Frozen(fault))
            elif fault.kind is FaultKind.SATURATED_AXIS:
                self._effects.append(_Saturated(fault))
            elif fault.kind is FaultKind.LOOSE:
                self._effects.append(_Loose(fault, random))

    def acceleration_g(self, times_s: TimeArray) -> SignalArray:
        """Return what the chip feels, in g, shape (n, 3)."""
        samples_g = np.array(self._signal.acceleration_g(times_s))
        for effect in self._effects:
            effect.change(times_s, samples_g)
        return samples_g


def _lasting(fault: Fault, times_s: TimeArray) -> slice:
    first, last = np.searchsorted(times_s, (fault.at_s, fault.end_s))
    return slice(int(first), int(last))


class _Frozen:
    """Holds the first value that it meets, in g."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._axis = AXES.index(fault.axis)
        self._held_g: float | None = None

    def change(self, times_s: TimeArray, samples_g: SignalArray) -> None:
        rows = _lasting(self._fault, times_s)
        if rows.start == rows.stop:
            return
        if self._held_g is None:
            self._held_g = float(samples_g[rows.start, self._axis])
        samples_g[rows, self._axis] = self._held_g


class _Saturated:
    """At the upper end of whatever range the chip has."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._axis = AXES.index(fault.axis)

    def change(self, times_s: TimeArray, samples_g: SignalArray) -> None:
        samples_g[_lasting(self._fault, times_s), self._axis] = _RAIL_G


class _Loose:
    """Tilted, and rattling at random."""

    def __init__(self, fault: Fault, random: np.random.Generator) -> None:
        self._fault = fault
        self._impacts = Train.poisson(_RATTLES_PER_S, fault.at_s, random)
        self._ringing = Ringing(_CONTACT_HZ, _CONTACT_DAMPING)

    def change(self, times_s: TimeArray, samples_g: SignalArray) -> None:
        rows = _lasting(self._fault, times_s)
        if rows.start == rows.stop:
            return
        felt_s = times_s[rows]
        impacts_s = self._impacts.keep(float(felt_s[0]) - self._ringing.duration_s, float(felt_s[-1]))
        rattle_g = self._ringing.after(impacts_s, np.full(len(impacts_s), _RATTLE_G), felt_s)
        samples_g[rows] += _TILT_G + rattle_g[:, np.newaxis] * _RATTLE_DIRECTION
