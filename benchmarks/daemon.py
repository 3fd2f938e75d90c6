"""What the running daemon costs: import, memory, CPU, latency, stop, and each further sensor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent.control.socket import request
from agent.errors import ControlError
from agent.inference.bundle import MANIFEST, read_bundle
from agent.inference.manifest import manifest_bytes
from agent.inference.window import WindowSpec
from benchmarks.window_path import BUNDLE
from trainer.recordings.datasets import default_hop

DEMO = BUNDLE.parent
SETTLE_S = 6.0
MEASURE_S = 10.0


@dataclass(frozen=True)
class Sensor:
    """A kind of sensor."""

    chip: str
    rate_hz: float


SLOW = Sensor("adxl345", 800.0)
FAST = Sensor("lsm6dso", 3333.0)


@dataclass(frozen=True, kw_only=True)
class DaemonCost:
    """Figures of one run."""

    resident_mb: float
    cpu_share: float
    """Of one core, while it samples and scores; without the simulated chips."""
    simulation_share: float
    """What the simulated chips take."""
    first_score_s: float
    """From the start of the process to the first score; a window's own length is in it."""
    first_delay_s: float
    """From the first window's last sample to its score; see ``agent.judging.monitor``."""
    delay_s: float
    """The same of a later window, the worst of the sensors."""
    stop_s: float
    """From SIGTERM to the end of the process."""


def measure(sensors: int, kind: Sensor) -> DaemonCost:
    """Run so many sensors on the demo's machine, healthy, each on a bus of its own, without a broker."""
    with tempfile.TemporaryDirectory() as folder, _running(Path(folder), sensors, kind) as process:
        socket = Path(folder) / "control.sock"
        begin = time.monotonic()
        first = _status(socket)
        first_score_s = time.monotonic() - begin
        time.sleep(SETTLE_S)
        before, wall_begin = _cpu_s(process), time.monotonic()
        time.sleep(MEASURE_S)
        after, wall_s = _cpu_s(process), time.monotonic() - wall_begin
        resident = _resident_mb(process.pid)
        last = _status(socket)
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        simulation = (after.simulation_s - before.simulation_s) / wall_s
        return DaemonCost(
            resident_mb=resident,
            cpu_share=(after.process_s - before.process_s) / wall_s - simulation,
            simulation_share=simulation,
            first_score_s=first_score_s,
            first_delay_s=_worst_delay_s(first),
            delay_s=_worst_delay_s(last),
            stop_s=time.monotonic() - begin,
        )


@contextmanager
def _running(folder: Path, sensors: int, kind: Sensor) -> Iterator[subprocess.Popen[str]]:
    config = folder / "judder.toml"
    _bundle_at(folder / "bench-1.judder", kind.rate_hz)
    config.write_text(_configuration(sensors, kind), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.measured_daemon", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _bundle_at(path: Path, rate_hz: float) -> None:
    """Write the demo's bundle as if it had been trained at another rate: the cost is the same."""
    manifest = read_bundle(BUNDLE).manifest
    length = manifest.window.length
    manifest = replace(manifest, rate_hz=rate_hz, window=WindowSpec(length, default_hop(length, rate_hz)))
    with zipfile.ZipFile(BUNDLE) as source, zipfile.ZipFile(path, "w") as target:
        target.writestr(MANIFEST, manifest_bytes(manifest))
        for name in source.namelist():
            if name in manifest.members:
                target.writestr(name, source.read(name))


def _configuration(sensors: int, kind: Sensor) -> str:
    """Return the demo's configuration, without its fault, with so many sensors."""
    text = (DEMO / "demo.toml").read_text(encoding="utf-8")
    for old, new in (
        ("fault_at_s = 8.0", "fault_at_s = 1e9"),
        ("demo-1.judder", "bench-1.judder"),
        ('"adxl345"', f'"{kind.chip}"'),
        ("rate_hz = 800", f"rate_hz = {kind.rate_hz}"),
    ):
        assert old in text
        text = text.replace(old, new)
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


@dataclass(frozen=True)
class _Cpu:
    """CPU time so far."""

    process_s: float
    simulation_s: float


def _cpu_s(process: subprocess.Popen[str]) -> _Cpu:
    assert process.stdout is not None
    process.send_signal(signal.SIGUSR1)
    simulation_s = float(process.stdout.readline())
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return _Cpu((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), simulation_s)


def _worst_delay_s(status: dict[str, Any]) -> float:
    return float(max(sensor["delay_s"] for sensor in status["sensors"]))


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _import_s() -> float:
    probe = (
        "import time; t = time.perf_counter(); import agent.daemon, agent.uplink.mqtt; "
        "import agent.inference.model as m; "
        "m._runtime(); print(time.perf_counter() - t)"
    )
    runs = [subprocess.check_output([sys.executable, "-c", probe], text=True) for _ in range(3)]
    return min(float(run) for run in runs)


def _print_cost(kind: Sensor) -> None:
    one, four = measure(1, kind), measure(4, kind)
    print(f"daemon, {kind.chip} at {kind.rate_hz:g} Hz, one bus a sensor, broker away")
    print(f"  start to the first score               {one.first_score_s:8.2f} s")
    print(f"  last sample of the first window to its score {1000 * one.first_delay_s:6.1f} ms (aim <= 500)")
    print(f"  last sample of a window to its score   {1000 * one.delay_s:8.1f} ms")
    print(f"  SIGTERM to end                         {one.stop_s:8.2f} s    (aim < 1)")
    print("                                          1 sensor  4 sensors   each further one")
    for name, unit, aim, factor, field in (
        ("resident memory", "MB", "(aim <= 64 for one)", 1, "resident_mb"),
        ("CPU of one core, without simulated chips", "%", "(aim <= 3 for one)", 100, "cpu_share"),
        ("CPU of the simulated chips", "%", "", 100, "simulation_share"),
    ):
        first, all_four = factor * getattr(one, field), factor * getattr(four, field)
        each = (all_four - first) / 3
        print(f"  {name:<40} {first:6.1f} {all_four:10.1f} {each:+12.2f} {unit:<2}  {aim}".rstrip())


def main() -> None:
    """Print the cost of the daemon."""
    for kind in (SLOW, FAST):
        _print_cost(kind)
    print(f"  import time                            {_import_s():8.2f} s")


if __name__ == "__main__":
    main()
