"""Kill, cut, refuse, fill and set the clock, then count: is any alert lost, twice the same, out of order?

python -m benchmarks.torture --cycles 1000
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from benchmarks.torture import gateway
from benchmarks.torture.network import Broker, Proxy, Subscriber

YEAR_S = 365 * 86400.0
SETTLE_S = 300.0
"""At most; only lost alerts are waited for so long."""
DISK_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of it."""

    cycles: int
    faults: dict[str, int]
    seconds: float
    raised: int
    """Alert events that the gateway had stored."""
    received: int
    """Different ones that the subscriber got."""
    lost: int
    repeated_ids: int
    """Ids that the gateway gave twice."""
    out_of_order: int
    """Sensors whose events came in another order than they were raised."""
    duplicates: int
    """Copies that the subscriber got beyond the first."""
    unnoted: int
    """Received, but the gateway was killed before it could note them; at most one a kill."""
    scores: int

    @property
    def passed(self) -> bool:
        """True if the promise was kept."""
        kills = self.faults.get("gateway killed", 0) + self.faults.get("both killed", 0)
        return not (self.lost or self.repeated_ids or self.out_of_order) and self.unnoted <= kills


class Torture:
    """A gateway, a proxy, a broker and a subscriber, and what can go wrong with them.

    Args:
        folder: For everything but the database.
        disk: Where the database lies.
        can_fill: True if the disk is small and nobody else's.
        seed: Of what happens when.
    """

    def __init__(self, folder: Path, disk: Path, *, can_fill: bool, seed: int) -> None:
        self._folder, self._disk = folder, disk
        self._random = random.Random(seed)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["benchmarks.torture.gateway"])
        # Without a lock, which a gateway that is killed at the wrong moment would keep for ever.
        self._offset_s = self._context.Value("d", 0.0, lock=False)
        self._broker = Broker(folder)
        self._broker.start()
        self._proxy = Proxy(self._broker.port)
        self._subscriber = Subscriber(self._broker.port)
        self._subscriber.connect()
        self._settings = gateway.Settings(
            disk / "judder.db", folder / "raised", self._proxy.port, folder / "password"
        )
        self._settings.password_file.write_text("right\n", encoding="ascii")
        self._settings.raised.touch()
        self._gateway = self._start_gateway(raising=True)
        self._faults: dict[str, Callable[[], None]] = {
            "gateway killed": self._kill_gateway,
            "broker killed": self._kill_broker,
            "both killed": self._kill_both,
            "cut towards the broker": lambda: self._cut("up"),
            "cut towards the gateway": lambda: self._cut("down"),
            "credentials refused": self._refuse,
            "clock a year ahead": lambda: self._set_clock(YEAR_S),
            "clock a year behind": lambda: self._set_clock(-YEAR_S),
        }
        if can_fill:
            self._faults["disk full"] = self._fill_disk

    def run(self, cycles: int, limit_s: float) -> Report:
        """Let something go wrong, again and again, then let everything be well and count.

        Args:
            cycles: How often at most.
            limit_s: No further cycle after so long.
        """
        begin = time.monotonic()
        happened: Counter[str] = Counter()
        while sum(happened.values()) < cycles and time.monotonic() - begin < limit_s:
            fault = self._random.choice(list(self._faults))
            self._wait(0.01, 0.06)
            self._faults[fault]()
            happened[fault] += 1
        self._end()
        return self._report(dict(happened), time.monotonic() - begin)

    def close(self) -> None:
        """End everything."""
        self._gateway.kill()
        self._gateway.join()
        self._proxy.close()
        self._broker.kill()
        self._subscriber.close()

    def _start_gateway(self, *, raising: bool) -> BaseProcess:
        process = self._context.Process(
            target=gateway.run, args=(self._settings, self._offset_s, raising), daemon=True
        )
        process.start()
        return process

    def _kill_gateway(self) -> None:
        self._gateway.kill()
        self._gateway.join()
        self._gateway = self._start_gateway(raising=True)
        self._wait(0.02, 0.1)

    def _kill_broker(self) -> None:
        self._proxy.open = False  # nobody may publish before the subscriber listens again
        self._broker.kill()
        self._wait(0.0, 0.05)
        self._broker.start()
        self._subscriber.connect()
        self._proxy.open = True

    def _kill_both(self) -> None:
        self._gateway.kill()
        self._kill_broker()
        self._kill_gateway()

    def _cut(self, way: str) -> None:
        cuts = self._proxy.cuts
        self._proxy.cut_after(way, self._random.randrange(1, 1500 if way == "up" else 12))
        deadline = time.monotonic() + 0.2
        while self._proxy.cuts == cuts and time.monotonic() < deadline:
            time.sleep(0.002)
        if self._proxy.cuts == cuts:
            self._proxy.cut()

    def _refuse(self) -> None:
        self._settings.password_file.write_text("wrong\n", encoding="ascii")
        self._proxy.cut()
        self._wait(0.02, 0.1)
        self._settings.password_file.write_text("right\n", encoding="ascii")

    def _set_clock(self, offset_s: float) -> None:
        self._offset_s.value = offset_s
        self._wait(0.02, 0.08)
        self._offset_s.value = 0.0

    def _fill_disk(self) -> None:
        ballast = self._disk / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        self._wait(0.03, 0.12)
        ballast.unlink()

    def _wait(self, shortest_s: float, longest_s: float) -> None:
        time.sleep(self._random.uniform(shortest_s, longest_s))

    def _end(self) -> None:
        """Raise nothing any more, and wait for what is on its way."""
        self._gateway.kill()
        self._gateway.join()
        self._gateway = self._start_gateway(raising=False)
        raised = {event for event, _ in self._raised()}
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline and not raised <= {event for event, _ in self._subscriber.alerts}:
            time.sleep(0.05)
        time.sleep(0.5)  # copies, and what was not noted

    def _raised(self) -> list[tuple[str, str]]:
        lines = self._settings.raised.read_text(encoding="ascii").splitlines()
        return [(event, sensor) for event, _, sensor in (line.partition(" ") for line in lines)]

    def _report(self, faults: dict[str, int], seconds: float) -> Report:
        raised, received = self._raised(), list(self._subscriber.alerts)
        ids = [event for event, _ in raised]
        first = list(dict.fromkeys(received))
        known = set(ids)
        arrived = {event for event, _ in first}
        disordered = sum(
            [event for event, name in raised if name == sensor and event in arrived]
            != [event for event, name in first if name == sensor and event in known]
            for sensor in gateway.SENSORS
        )
        return Report(
            cycles=sum(faults.values()),
            faults=faults,
            seconds=seconds,
            raised=len(ids),
            received=len(first),
            lost=len(known - arrived),
            repeated_ids=len(ids) - len(known),
            out_of_order=disordered,
            duplicates=len(received) - len(first),
            unnoted=len(arrived - known),
            scores=self._subscriber.scores,
        )


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a small file system on the folder, if we may; yield whether it is there."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    mounted = bool(shutil.which("mount")) and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def torture(cycles: int, limit_s: float, seed: int) -> Report:
    """Run it in a folder of its own, and return what came of it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        disk = folder / "disk"
        disk.mkdir()
        can_fill = stack.enter_context(small_disk(disk))
        running = Torture(folder, disk, can_fill=can_fill, seed=seed)
        stack.callback(running.close)
        return running.run(cycles, limit_s)


def _lines(report: Report) -> Iterator[str]:
    yield f"torture: {report.cycles} cycles in {report.seconds:.0f} s"
    for fault, number in sorted(report.faults.items()):
        yield f"  {fault:<28} {number:8}"
    if "disk full" not in report.faults:
        yield "  disk full: left out, only root may mount a small file system"
    for name in ("raised", "received", "lost", "repeated_ids", "out_of_order", "duplicates", "unnoted"):
        yield f"  alerts {name.replace('_', ' '):<21} {getattr(report, name):8}"
    yield f"  duplicates of all received   {100 * report.duplicates / max(report.received, 1):7.2f} %"
    yield "  the promise was kept" if report.passed else "  THE PROMISE WAS BROKEN"


def main() -> None:
    """Run as the arguments say; exit with 1 if the promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=3600.0, help="no further cycle after so long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    report = torture(arguments.cycles, arguments.seconds, arguments.seed)
    print(json.dumps(asdict(report)) if arguments.json else "\n".join(_lines(report)))
    sys.exit(0 if report.passed else 1)


if __name__ == "__main__":
    main()
