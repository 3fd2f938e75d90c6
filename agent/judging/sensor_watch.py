"""Tells a sensor that cannot be trusted from a machine that shakes, and makes an alert of its own of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.judging.alert import Change
from agent.judging.sample_check import PositionCheck, SampleCheck
from agent.sensing.sampler import SamplerStatus, SensorState, place_of
from firmware_bridge.clock import NS_PER_S, Clock

PERSISTENT = 3
"""Windows in a row that must show a problem before it is told; a failed sensor is told at once."""
CLEAR_S = 5.0
"""How long a sensor must have been sound before its alert is cleared."""


@dataclass(frozen=True)
class SensorChange:
    """A sensor alert was raised or cleared."""

    change: Change
    reason: str
    """What was wrong when it was raised, with the next step."""


class SensorWatch:
    """Watches one sensor by its sampler's status and by its samples. For one thread."""

    def __init__(
        self,
        axes: Sequence[str],
        range_g: float,
        clock: Clock,
        status: Callable[[], SamplerStatus],
        *,
        reason: str | None = None,
    ) -> None:
        """Begin to watch.

        Args:
            axes: Names of a window's axes, in order.
            range_g: Full scale of the sensor, in g.
            clock: For how long a sensor has been sound.
            status: Asks the sampler.
            reason: Why the sensor's alert was raised that was open when the daemon stopped.
        """
        self._samples = SampleCheck(axes, range_g)
        self._position = PositionCheck()
        self._clock = clock
        self._status = status
        self._reason = reason
        self._failures = 0
        self._in_a_row = 0
        self._finding: str | None = None
        self._seen_sound = False
        self._unusable = 0
        self._unusable_since_ns = 0
        self._trouble_ns = clock.monotonic_ns()

    def admits(self, window: npt.NDArray[np.float32]) -> bool:
        """Look at a window, shape (length, n_axes); return False if it must not be scored."""
        unusable = self._samples.problem(window)
        finding = unusable or self._position.problem(window)
        self._in_a_row = self._in_a_row + 1 if finding else 0
        self._finding = finding
        if unusable and not self._unusable:
            self._unusable_since_ns = self._clock.monotonic_ns()
        self._unusable = self._unusable + 1 if unusable else 0
        self._seen_sound = self._seen_sound or finding is None
        return unusable is None

    def blind_since_ns(self) -> int | None:
        """Return the CLOCK_MONOTONIC time since when there is nothing to judge: no samples, or none of use.

        None while the machine is watched. May be called from any thread.
        """
        silent_since_ns = self._status().silent_since_ns
        if silent_since_ns is not None:
            return silent_since_ns
        return self._unusable_since_ns if self._unusable >= PERSISTENT else None

    def poll(self) -> SensorChange | None:
        """Return what changed since the last call, if anything; call it at least every few seconds."""
        now_ns = self._clock.monotonic_ns()
        status = self._status()
        trouble = self._trouble(status)
        if trouble is not None:
            self._trouble_ns = now_ns
            self._seen_sound = False
            if self._reason is None:
                self._reason = trouble
                return SensorChange(Change.RAISED, trouble)
        elif self._reason is not None and self._is_sound(status, now_ns):
            reason, self._reason = self._reason, None
            return SensorChange(Change.CLEARED, reason)
        return None

    def _trouble(self, status: SamplerStatus) -> str | None:
        failed_anew = status.reopened > self._failures
        self._failures = status.reopened
        if failed_anew or status.state is SensorState.FAILED:
            return status.error or status.last_error
        if self._in_a_row >= PERSISTENT:
            return f"{place_of(status.info)}: {self._finding}" if status.info else self._finding
        return None

    def _is_sound(self, status: SamplerStatus, now_ns: int) -> bool:
        quiet = now_ns - self._trouble_ns >= CLEAR_S * NS_PER_S
        return quiet and self._seen_sound and not self._in_a_row and status.state is SensorState.SAMPLING
