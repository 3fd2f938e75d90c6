"""What the running daemon costs: import, memory, CPU, latency, stop, each further sensor, and replay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent.control import request
from agent.errors import ControlError
from agent.inference.bundle import read_bundle
from agent.inference.detector import judge_recording, open_detector
from benchmarks.window_path import BUNDLE
from benchmarks.window_path import measure as measure_window

DEMO = BUNDLE.parent
SETTLE_S = 6.0
FAST_RATE_HZ = 3333.0
REPLAY_RATE_HZ = 3200.0
REPLAY_S = 600.0


@dataclass(frozen=True)
class DaemonCost:
    """Figures of one run."""

    resident_mb: float
    cpu_share: float
    """Of one core, while it samples and scores; the simulated chips' own cost included."""
    first_score_s: float
    """From the start of the process to the first score; a window's own length is in it."""
    delay_s: float
    """From a window's last sample to its score, the worst of the sensors; see ``agent.monitor``."""
    stop_s: float
    """From SIGTERM to the end of the process."""


def measure(sensors: int) -> DaemonCost:
    """Run so many of the demo's sensors, healthy, each on a bus of its own, without a broker."""
    with tempfile.TemporaryDirectory() as folder, _running(Path(folder), sensors) as process:
        socket = Path(folder) / "control.sock"
        begin = time.monotonic()
        _status(socket)
        first_score_s = time.monotonic() - begin
        time.sleep(SETTLE_S)
        cpu_begin, wall_begin = _cpu_s(process.pid), time.monotonic()
        time.sleep(SETTLE_S)
        share = (_cpu_s(process.pid) - cpu_begin) / (time.monotonic() - wall_begin)
        resident = _resident_mb(process.pid)
        delay_s = max(sensor["delay_s"] for sensor in _status(socket)["sensors"])
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        return DaemonCost(resident, share, first_score_s, delay_s, time.monotonic() - begin)


@contextmanager
def _running(folder: Path, sensors: int) -> Iterator[subprocess.Popen[bytes]]:
    config = folder / "judder.toml"
    config.write_text(_configuration(sensors), encoding="utf-8")
    command = [sys.executable, "-m", "agent.cli", "run", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def _configuration(sensors: int) -> str:
    """Return the demo's configuration, without its fault, with so many sensors."""
    text = (DEMO / "demo.toml").read_text(encoding="utf-8").replace("fault_at_s = 8.0", "fault_at_s = 1e9")
    text = text.replace("demo-1.judder", str(BUNDLE))
    begin, end = text.index("[sensors.demo]"), text.index("[telemetry]")
    copies = [
        text[begin:end].replace("sensors.demo", f"sensors.demo-{n}").replace("sim:demo", f"sim:{n}")
        for n in range(sensors)
    ]
    return text[:begin] + "".join(copies) + text[end:] + '\n[uplink]\nhost = "127.0.0.1"\nport = 9\n'


def _status(socket: Path) -> dict[str, Any]:
    """Return the daemon's status once all sensors have scored a window."""
    deadline = time.monotonic() + 30
    while True:
        try:
            answer: Any = request(socket, "status")
            if all(sensor["windows_scored"] for sensor in answer["sensors"]):
                return dict(answer)
        except ControlError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.01)


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


def replay_speed() -> float:
    """Return how many times faster than real time a recording of 3.2 kHz is judged, from memory."""
    detector, bundle = open_detector(BUNDLE)
    golden = bundle.golden.windows[0]
    samples = np.tile(golden, (int(REPLAY_S * REPLAY_RATE_HZ) // len(golden), 1))
    begin = time.perf_counter()
    judge_recording(detector, samples, [(0, len(samples))])
    return len(samples) / REPLAY_RATE_HZ / (time.perf_counter() - begin)


def main() -> None:
    """Print the cost of the daemon."""
    one, four = measure(1), measure(4)
    hop = read_bundle(BUNDLE).manifest.window.hop
    detecting = measure_window().path_us * 1e-6 * FAST_RATE_HZ / hop
    each_mb, each_cpu = (four.resident_mb - one.resident_mb) / 3, (four.cpu_share - one.cpu_share) / 3
    print("daemon, simulated ADXL345 at 800 Hz (the simulation's own cost included), broker away")
    print(f"  import time                            {_import_s():8.2f} s")
    print(f"  start to the first score               {one.first_score_s:8.2f} s")
    print(f"  last sample of a window to its score   {1000 * one.delay_s:8.1f} ms   (aim <= 500)")
    print(f"  SIGTERM to end                         {one.stop_s:8.2f} s    (aim < 1)")
    print("                                          1 sensor  4 sensors   each further one")
    print(
        f"  resident memory                        {one.resident_mb:8.1f} {four.resident_mb:10.1f} "
        f"{each_mb:+12.2f} MB   (aim <= 64 for one)"
    )
    print(
        f"  CPU of one core                        {100 * one.cpu_share:8.1f} {100 * four.cpu_share:10.1f} "
        f"{100 * each_cpu:+12.2f} %"
    )
    print(
        f"  detector alone at {FAST_RATE_HZ:g} Hz              {100 * detecting:8.1f} % of a core (aim <= 3)"
    )
    speed = replay_speed()
    print(f"  replay of a recording at {REPLAY_RATE_HZ:g} Hz       {speed:8.0f} x real time (aim >= 2000)")


if __name__ == "__main__":
    main()
