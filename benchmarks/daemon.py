"""What the running daemon costs: import time, resident memory, CPU share, and how soon a window is scored."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.control import request
from agent.errors import ControlError

DEMO = Path(__file__).parents[1] / "agent" / "demo"
SETTLE_S = 6.0


@dataclass(frozen=True)
class DaemonCost:
    """Figures of one run."""

    import_s: float
    """Import of everything the daemon needs, in a fresh process."""
    resident_mb: float
    cpu_share: float
    """Of one core, while it samples and scores one sensor."""
    delay_s: float
    """From a window's last sample to its score, median of the run; see ``agent.monitor``."""
    stop_s: float
    """From SIGTERM to the end of the process."""


def measure() -> DaemonCost:
    """Run the demo's sensor, healthy, without a broker to deliver to."""
    with tempfile.TemporaryDirectory() as folder:
        config = _configuration(Path(folder))
        process = subprocess.Popen(
            [sys.executable, "-m", "agent.cli", "run", "--config", str(config)], stderr=subprocess.DEVNULL
        )
        try:
            socket = Path(folder) / "control.sock"
            _status(socket)
            time.sleep(SETTLE_S)
            cpu_begin, wall_begin = _cpu_s(process.pid), time.monotonic()
            time.sleep(SETTLE_S)
            share = (_cpu_s(process.pid) - cpu_begin) / (time.monotonic() - wall_begin)
            resident = _resident_mb(process.pid)
            delay_s = _status(socket)["sensors"][0]["delay_s"]
            begin = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(10)
            return DaemonCost(_import_s(), resident, share, delay_s, time.monotonic() - begin)
        finally:
            process.kill()
            process.wait()


def _configuration(folder: Path) -> Path:
    """Return the demo's configuration without its fault, without telemetry's noise and without an uplink."""
    text = (DEMO / "demo.toml").read_text(encoding="utf-8").replace("fault_at_s = 8.0", "fault_at_s = 1e9")
    shutil.copy(DEMO / "demo-1.judder", folder)
    path = folder / "judder.toml"
    path.write_text(text + '\n[uplink]\nhost = "127.0.0.1"\nport = 9\n', encoding="utf-8")
    return path


def _status(socket: Path) -> dict[str, Any]:
    """Return the daemon's status once it has scored a window."""
    deadline = time.monotonic() + 30
    while True:
        try:
            answer: Any = request(socket, "status")
            if answer["sensors"][0]["windows_scored"]:
                return dict(answer)
        except ControlError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _import_s() -> float:
    probe = (
        "import time; t = time.perf_counter(); import agent.daemon, agent.mqtt, agent.inference.model as m; "
        "m._runtime(); print(time.perf_counter() - t)"
    )
    runs = [subprocess.check_output([sys.executable, "-c", probe], text=True) for _ in range(3)]
    return min(float(run) for run in runs)


def main() -> None:
    """Print the cost of the daemon."""
    cost = measure()
    print("daemon, one simulated ADXL345 at 800 Hz (the simulation's own cost included), broker away")
    print(f"  import time                            {cost.import_s:8.2f} s")
    print(f"  resident memory                        {cost.resident_mb:8.1f} MB   (aim <= 64)")
    print(f"  CPU                                    {100 * cost.cpu_share:8.1f} % of one core")
    print(f"  last sample of a window to its score   {1000 * cost.delay_s:8.1f} ms   (aim <= 500)")
    print(f"  SIGTERM to end                         {cost.stop_s:8.2f} s    (aim < 2)")


if __name__ == "__main__":
    main()
