"""The daemon as it is, but on simulated buses that know what their simulation costs.

python -m benchmarks.measured_daemon CONFIG

At SIGUSR1 it prints the CPU seconds that the simulated chips have taken so far.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
from pathlib import Path

from agent import daemon
from agent.cli.run import stop_event
from agent.config.file import load_config
from agent.sensing import opening
from firmware_bridge.bus.simulated import SimulatedBus


class MeasuredBus(SimulatedBus):
    """A simulated bus that adds up the CPU time of all simulated buses."""

    simulation_s = 0.0

    def read(self, address: int, register: int, length: int) -> bytes:
        """Read as a simulated bus does."""
        before = time.thread_time()
        try:
            return super().read(address, register, length)
        finally:
            MeasuredBus.simulation_s += time.thread_time() - before


def main(config: Path) -> None:
    """Run until SIGTERM."""
    logging.basicConfig(level=logging.ERROR)
    opening.SimulatedBus = MeasuredBus  # type: ignore[attr-defined]
    signal.signal(signal.SIGUSR1, lambda *_: print(MeasuredBus.simulation_s, flush=True))
    daemon.run(load_config(config), stop_event())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
