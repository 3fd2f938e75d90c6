"""What the daemon counts and measures, as Prometheus reads it (text format 0.0.4)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from agent.judging.alert import AlertEvent
from agent.judging.monitor import ScoreSample
from agent.reporting.status import version
from agent.sensing.sampler import SensorState
from agent.station import Station
from agent.storage.alerts import AlertStore
from agent.storage.outbox import Total
from agent.uplink.connection import UplinkStatus

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
QUANTILES = (0.5, 0.9, 0.99)


@dataclass(frozen=True)
class Sample:
    """One value."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""
    """After the metric's name: ``_sum`` and ``_count`` of a summary."""


@dataclass(frozen=True)
class Metric:
    """One metric with all its values."""

    name: str
    kind: str
    """``counter``, ``gauge`` or ``summary``."""
    told: str
    samples: Sequence[Sample]


class AlertCounter:
    """Counts the alert events since the daemon started. For several threads; reading needs no lock."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def count(self, event: AlertEvent) -> None:
        """Count an event."""
        self._counts[event.sensor, str(event.subject), str(event.change)] += 1

    def samples(self) -> list[Sample]:
        """Return the counts."""
        names = ("sensor", "subject", "change")
        return [
            Sample(number, dict(zip(names, key, strict=True))) for key, number in list(self._counts.items())
        ]


def exposition(metrics: Iterable[Metric]) -> str:
    """Return metrics as text; one without a value is left out."""
    return "".join(_lines(metric) for metric in metrics if metric.samples)


def _lines(metric: Metric) -> str:
    lines = [f"# HELP {metric.name} {metric.told}", f"# TYPE {metric.name} {metric.kind}"]
    for sample in metric.samples:
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
        told = f"{{{labels}}}" if labels else ""
        lines.append(f"{metric.name}{sample.suffix}{told} {float(sample.value)!r}")
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def gateway_metrics(
    stations: Sequence[Station],
    store: AlertStore,
    uplink: UplinkStatus | None,
    alerts: AlertCounter,
    *,
    started: datetime,
    now: datetime,
) -> Iterator[Metric]:
    """Yield all metrics of a daemon.

    Args:
        stations: Its sensors.
        store: Its alerts and outbox.
        uplink: How the connection stands; None without an uplink.
        alerts: What it has told.
        started: UTC time when the daemon began.
        now: UTC time.

    Raises:
        StoreError: If the store cannot be read.
    """
    yield Metric("judder_build_info", "gauge", "Version of judder.", [Sample(1, {"version": version()})])
    yield from _process(started)
    yield from _sampling(stations)
    yield from _judging(stations)
    yield Metric("judder_alert_events_total", "counter", "Alert events told.", alerts.samples())
    yield from _store(store, now)
    if uplink is not None:
        yield from _uplink(uplink)


def _process(started: datetime) -> Iterator[Metric]:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    times = os.times()
    for name, kind, told, value in (
        ("start_time_seconds", "gauge", "Unix time of the start.", started.timestamp()),
        ("resident_memory_bytes", "gauge", "Resident memory.", pages * os.sysconf("SC_PAGE_SIZE")),
        ("cpu_seconds_total", "counter", "CPU time used.", times.user + times.system),
        ("open_fds", "gauge", "Open file descriptors.", len(list(Path("/proc/self/fd").iterdir()))),
    ):
        yield Metric(f"process_{name}", kind, told, [Sample(value)])


def _sampling(stations: Sequence[Station]) -> Iterator[Metric]:
    statuses = {station.name: station.sampler.status() for station in stations}

    def metric(name: str, kind: str, told: str, values: Iterable[float]) -> Metric:
        named = zip(statuses, values, strict=True)
        return Metric(
            f"judder_{name}", kind, told, [Sample(value, {"sensor": sensor}) for sensor, value in named]
        )

    found = statuses.values()
    up = (status.state is SensorState.SAMPLING for status in found)
    yield metric("sensor_up", "gauge", "1 while the sensor delivers samples.", up)
    yield metric("samples_total", "counter", "Samples read.", (status.samples for status in found))
    lost = (status.samples_lost for status in found)
    yield metric("samples_lost_total", "counter", "Samples lost in FIFO overruns and bus faults.", lost)
    reopened = (status.reopened for status in found)
    yield metric("sensor_reopened_total", "counter", "Failures after which it was reopened.", reopened)
    yield metric("sample_rate_hertz", "gauge", "Estimated output data rate.", (s.rate_hz for s in found))
    warm = {name: s.temperature_c for name, s in statuses.items() if s.temperature_c is not None}
    samples = [Sample(degrees, {"sensor": sensor}) for sensor, degrees in warm.items()]
    yield Metric("judder_sensor_temperature_celsius", "gauge", "Temperature of the chip.", samples)


def _judging(stations: Sequence[Station]) -> Iterator[Metric]:
    windows: list[Sample] = []
    levels: list[Sample] = []
    evidence: list[Sample] = []
    delays: list[Sample] = []
    scores: list[Sample] = []
    waiting: list[Sample] = []
    regimes: list[Sample] = []
    for station in stations:
        name = {"sensor": station.name}
        status = station.monitor.status()
        for result, number in (
            ("scored", status.windows_scored),
            ("gap", status.windows_skipped_gap),
            ("late", status.windows_skipped_late),
            ("bad", status.windows_bad),
            ("outside", status.windows_outside),
        ):
            windows.append(Sample(number, name | {"result": result}))
        levels.append(Sample(int(status.level), name))
        waiting.append(Sample(status.waiting, name))
        if status.evidence is not None:
            evidence.append(Sample(status.evidence, name))
        if station.regimes is not None:
            regimes += [
                Sample(regime == status.regime, name | {"regime": regime})
                for regime in station.regimes.regimes
            ]
        if status.delay_s is not None:
            delays.append(Sample(status.delay_s, name))
        scores += _summary(station.monitor.scores(), name)
    yield Metric("judder_windows_total", "counter", "Windows by what became of them.", windows)
    yield Metric("judder_regime", "gauge", "1 for the regime whose model judges.", regimes)
    yield Metric("judder_score", "summary", "Score in standard deviations; quantiles of the newest.", scores)
    told = "Evidence over windows, as a part of what raises a warning."
    yield Metric("judder_evidence_ratio", "gauge", told, evidence)
    yield Metric("judder_alarm_level", "gauge", "0 normal, 1 warning, 2 alarm.", levels)
    yield Metric("judder_score_delay_seconds", "gauge", "From a window's last sample to its score.", delays)
    yield Metric("judder_alerts_in_memory", "gauge", "Alerts that the disk does not take.", waiting)


def _summary(sample: ScoreSample, labels: Mapping[str, str]) -> Iterator[Sample]:
    ordered = sorted(sample.newest)
    for quantile in QUANTILES if ordered else ():
        at = min(int(quantile * len(ordered)), len(ordered) - 1)
        yield Sample(ordered[at], {**labels, "quantile": f"{quantile:g}"})
    yield Sample(sample.total, labels, "_sum")
    yield Sample(sample.count, labels, "_count")


def _store(store: AlertStore, now: datetime) -> Iterator[Metric]:
    totals = store.outbox.totals()

    def metric(name: str, kind: str, told: str, field: str) -> Metric:
        samples = [Sample(_number(total, field), {"kind": str(key)}) for key, total in totals.items()]
        return Metric(f"judder_outbox_{name}", kind, told, samples)

    yield metric("messages", "gauge", "Messages that wait.", "waiting")
    yield metric("bytes", "gauge", "Size of their payloads.", "waiting_bytes")
    yield metric("set_aside", "gauge", "Of those, refused by the broker and set aside.", "aside")
    yield metric("created_total", "counter", "Messages ever put in.", "created")
    yield metric("sent_total", "counter", "Messages handed to the broker, with repetitions.", "sent")
    yield metric("confirmed_total", "counter", "Messages that the broker confirmed.", "confirmed")
    yield metric("dropped_total", "counter", "Telemetry dropped from a full outbox, or refused.", "dropped")
    age = store.outbox.oldest_age(now)
    age_s = age.total_seconds() if age is not None else 0.0
    yield Metric("judder_outbox_oldest_age_seconds", "gauge", "Age of the oldest.", [Sample(age_s)])
    yield Metric("judder_alerts_active", "gauge", "Alerts not cleared.", [Sample(store.active_alerts())])
    writable = [Sample(store.error is None)]
    yield Metric("judder_store_writable", "gauge", "0 while the disk takes no changes.", writable)


def _number(total: Total, name: str) -> int:
    number = getattr(total, name)
    assert isinstance(number, int)
    return number


def _uplink(status: UplinkStatus) -> Iterator[Metric]:
    yield Metric("judder_uplink_connected", "gauge", "1 while connected.", [Sample(status.connected)])
    told = "Connections made after the first."
    yield Metric("judder_uplink_reconnects_total", "counter", told, [Sample(status.reconnects)])
    told = "Messages that the broker refused."
    yield Metric("judder_uplink_refusals_total", "counter", told, [Sample(status.refused)])
    latency = [Sample(status.puback_s, suffix="_sum"), Sample(status.published, suffix="_count")]
    yield Metric("judder_puback_seconds", "summary", "From handing over to the broker's PUBACK.", latency)
