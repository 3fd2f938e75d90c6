"""The sampler thread of one bus: whichever of its sensors must be drained next, is."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event, Thread

from agent.sensing.sampler import Sampler
from agent.system.real_time import go_real_time
from agent.system.watchdog import Watchdog
from firmware_bridge.clock import NS_PER_S, Clock

LONGEST_WAIT_S = 1.0
"""The thread wakes up at least this often, to check in with the watchdog: waiting is progress, too."""
CHECK_IN_LIMIT_S = 10.0
"""The thread is stuck if it does not check in for longer (a transfer that never returns)."""


class BusSampler:
    """Serves the sensors of one bus by their deadlines, earliest loss first.

    A thread that is awake also drains the sensors that would be due soon: those of one rate fall into step,
    and four sensors cost hardly more wake-ups than one.
    """

    def __init__(self, bus: str, samplers: Sequence[Sampler], clock: Clock, watchdog: Watchdog) -> None:
        """Prepare; nothing is opened before ``start``.

        Args:
            bus: Name of the bus, for the thread's.
            samplers: Its sensors, at least one.
            clock: For waiting.
            watchdog: Told of every turn of the loop.
        """
        self.samplers = tuple(samplers)
        self._clock = clock
        self._watchdog = watchdog
        self.woken_ns = 0
        """When the thread last began to serve sensors."""
        self._stop = Event()
        self._thread = Thread(target=self._run, name=f"sampler-{bus}", daemon=True)

    @property
    def name(self) -> str:
        """Name of the thread."""
        return self._thread.name

    def start(self) -> None:
        """Start the thread."""
        self._watchdog.register(self.name, CHECK_IN_LIMIT_S)
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Ask the thread to end; return True if it did within ``timeout_s`` seconds."""
        self._stop.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def turn(self) -> None:
        """Wait for the earliest deadline, a second at most, and serve all sensors that are due."""
        wait_s = (min(sampler.due_ns for sampler in self.samplers) - self._clock.monotonic_ns()) / NS_PER_S
        if wait_s > 0:
            self._clock.wait(min(wait_s, LONGEST_WAIT_S), self._stop)
        if wait_s <= LONGEST_WAIT_S and not self._stop.is_set():
            self.woken_ns = self._clock.monotonic_ns()
            due = [sampler for sampler in self.samplers if sampler.early_ns <= self.woken_ns]
            for sampler in sorted(due, key=lambda sampler: sampler.overflow_ns):
                sampler.turn()
                self._watchdog.check_in(self.name)
        self._watchdog.check_in(self.name)

    def _run(self) -> None:
        go_real_time()
        try:
            while not self._stop.is_set():
                self.turn()
        finally:
            for sampler in self.samplers:
                sampler.close()
