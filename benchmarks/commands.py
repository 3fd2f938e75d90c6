"""What a command costs before it does anything: CPU of the technician's commands beside their floor."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from agent.storage.alerts import AlertStore

RUNS = 9
FLOOR = "import click"
"""Python and the library that reads the command line."""
LIBRARY = "import numpy"
"""What no command needs that asks the daemon or reads the store."""
COMMAND = "from agent.cli.main import main; main()"
CONFIG = """
gateway = {{ site = "plant", name = "gateway" }}
state_dir = "{folder}"
runtime_dir = "{folder}"
[sensors.press]
bus = "sim:bench"
rate_hz = 800
bundle = "press-1.judder"
signal = {{ kind = "silence" }}
"""


def cpu_s(program: str, *arguments: str) -> float:
    """Return the CPU time of a Python program as a process of its own, the least of several runs."""
    times = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def main() -> None:
    """Print the CPU of commands in milliseconds, and as multiples of Python with click."""
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "judder.toml"
        config.write_text(CONFIG.format(folder=name), encoding="utf-8")
        AlertStore(Path(name) / "judder.db").close()
        commands = {
            "judder status --help": ("status", "--help"),
            "judder status, no daemon": ("status", "--config", str(config)),
            "judder alerts, none": ("alerts", "--config", str(config)),
        }
        floor = cpu_s(FLOOR)
        print("CPU of a command, and as a multiple of Python with click")
        print(f"  {'Python with click':<28} {1000 * floor:6.0f} ms")
        print(f"  {'Python with numpy':<28} {1000 * cpu_s(LIBRARY):6.0f} ms")
        for label, arguments in commands.items():
            cost = cpu_s(COMMAND, *arguments)
            print(f"  {label:<28} {1000 * cost:6.0f} ms {cost / floor:6.2f}")


if __name__ == "__main__":
    main()
