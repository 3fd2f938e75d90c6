"""What grows in a day: memory, file descriptors, threads, the database. Time is simulated.

Windows come from noise in memory, through ring buffer, detector, alarm, store and telemetry; a broker that
confirms everything empties the outbox. Every ten minutes the machine is loud for a while, and an alert is
raised, explained, stored, delivered, cleared and in the end forgotten. Drivers and network take no part.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from agent.config.alarm import AlarmPolicy
from agent.config.names import GatewayName
from agent.config.reporting import TelemetryIntervals
from agent.config.storage import HistoryLimits
from agent.inference.bundle import read_bundle
from agent.inference.detector import Detector
from agent.inference.window import WindowSpec
from agent.judging.alarm import Alarm
from agent.judging.alert import AlertEvent
from agent.judging.monitor import Monitor
from agent.judging.sensor_watch import SensorWatch
from agent.reporting.telemetry import Telemetry
from agent.sensing.ring_buffer import RingBuffer, WindowReader
from agent.sensing.sampler import Sampler, SamplerStatus, SensorState
from agent.station import Station
from agent.storage.alerts import AlertStore
from agent.storage.outbox import Delivery
from agent.system.backoff import Backoff
from agent.system.watchdog import Watchdog
from agent.uplink.messages import alert_message
from benchmarks.window_path import BUNDLE
from firmware_bridge.chip.accelerometer import Accelerometer, SampleBlock
from firmware_bridge.clock import SimulatedClock

HOP = 256
"""A whole window instead of the demo's quarter: a day in a minute."""
HOUR_S = 3600.0
LOUD_EVERY_S = 600.0
LOUD_S = 6.0
GATEWAY = GatewayName("bench", "endurance")


@dataclass(frozen=True)
class Size:
    """How large the process and its database are."""

    resident_mb: float
    file_descriptors: int
    threads: int
    database_kb: float


@dataclass(frozen=True)
class Endurance:
    """A day's figures."""

    hours: float
    windows: int
    alerts: int
    after_an_hour: Size
    at_the_end: Size
    seconds: float


class Bench:
    """One station without a sensor, run by hand.

    Args:
        folder: For the database.
    """

    def __init__(self, folder: Path) -> None:
        bundle = read_bundle(BUNDLE)
        spec = WindowSpec(bundle.manifest.window.length, HOP)
        manifest = replace(bundle.manifest, window=spec)
        self.clock = SimulatedClock()
        self.path = folder / "judder.db"
        self.store = AlertStore(self.path, history=HistoryLimits(cleared_alerts=5))
        self.alerts = 0
        self.ring = RingBuffer(8 * HOP, 3)
        watchdog = Watchdog(lambda state: None, self.clock)
        status = SamplerStatus(state=SensorState.SAMPLING)
        self.monitor = Monitor(
            "press",
            WindowReader(self.ring, spec, (0, 1, 2)),
            Detector(manifest, bundle.models),
            Alarm(manifest, AlarmPolicy()),
            SensorWatch(manifest.axes, 16.0, self.clock, lambda: status),
            clock=self.clock,
            watchdog=watchdog,
            announce=self._announce,
            simulated=True,
        )
        sampler = Sampler("press", _no_sensor, self.ring, self.clock, Backoff("press"))
        station = Station(
            "press", manifest.title, manifest.thresholds, True, sampler, self.ring, self.monitor
        )
        self.telemetry = Telemetry(TelemetryIntervals(), GATEWAY, [station], self.store.outbox, self.clock)
        self.rate_hz = manifest.rate_hz or 800.0
        self._quiet = bundle.golden.windows[0]
        mean = self._quiet.mean(axis=0)
        self._loud = mean + 4 * (self._quiet - mean)

    def turn(self, at_s: float) -> None:
        """Take one hop of samples that ends at a time, and do all that is due."""
        samples = self._loud if at_s % LOUD_EVERY_S < LOUD_S else self._quiet
        self.clock.advance(HOP / self.rate_hz)
        self.ring.append(SampleBlock(samples, self.clock.monotonic_ns(), self.rate_hz, lost=0))
        self.monitor.turn(0.0)
        self.telemetry.poll()
        waiting = tuple(self.store.outbox.next(100))
        if waiting:
            now = self.clock.utc()
            self.store.outbox.settle(Delivery(now, now, confirmed=waiting))

    def size(self) -> Size:
        """Return how large everything is now."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return Size(
            pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
            len(list(Path("/proc/self/fd").iterdir())),
            threading.active_count(),
            sum(file.stat().st_size for file in self.path.parent.iterdir()) / 1e3,
        )

    def _announce(self, event: AlertEvent) -> None:
        self.alerts += 1
        self.store.record(event, alert_message(event, GATEWAY))


def _no_sensor() -> AbstractContextManager[Accelerometer]:
    raise AssertionError("nothing is sampled here")


def measure(hours: float) -> Endurance:
    """Run for so many simulated hours, at least two."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        at_s, after_an_hour = 0.0, None
        while at_s < hours * HOUR_S:
            at_s += HOP / bench.rate_hz
            bench.turn(at_s)
            if after_an_hour is None and at_s >= HOUR_S:
                after_an_hour = bench.size()
        assert after_an_hour is not None
        at_the_end = bench.size()
        windows = bench.monitor.status().windows_scored
        bench.store.close()
    return Endurance(hours, windows, bench.alerts, after_an_hour, at_the_end, time.monotonic() - begin)


def main() -> None:
    """Print what grew."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, default=24.0)
    result = measure(parser.parse_known_args()[0].hours)
    print(
        f"endurance, {result.hours:g} h simulated in {result.seconds:.0f} s: {result.windows} windows, "
        f"{result.alerts} alert events"
    )
    print("                                         after 1 h      at the end   (aim: no growth)")
    before, after = result.after_an_hour, result.at_the_end
    print(f"  resident memory                 {before.resident_mb:15.1f} {after.resident_mb:15.1f} MB")
    print(f"  file descriptors                {before.file_descriptors:15} {after.file_descriptors:15}")
    print(f"  threads                         {before.threads:15} {after.threads:15}")
    print(f"  database                        {before.database_kb:15.0f} {after.database_kb:15.0f} kB")


if __name__ == "__main__":
    main()
