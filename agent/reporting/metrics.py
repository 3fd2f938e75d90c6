"""What the daemon counts and measures, as Prometheus reads it (text format 0.0.4)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from agent.judging.alert import AlertEvent
from agent.reporting.status import version
from agent.station import Station
from agent.storage.alerts import AlertStore
from agent.uplink.connection import UplinkStatus
from agent.uplink.figures import OUTBOX, STORE, UPLINK, Part

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
    samples: list[Sample]


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
        braced = f"{{{labels}}}" if labels else ""
        lines.append(f"{metric.name}{sample.suffix}{braced} {float(sample.value)!r}")
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
        alerts: Counts the alerts that it raised.
        started: UTC time when the daemon began.
        now: UTC time.

    Raises:
        StoreError: If the store cannot be read.
    """
    yield Metric("judder_build_info", "gauge", "Version of judder.", [Sample(1, {"version": version()})])
    yield from _process(started)
    yield from _exposed((part, {"sensor": station.name}) for station in stations for part in station.parts())
    yield _regimes(stations)
    scores = [sample for station in stations for sample in _summary(station)]
    yield Metric("judder_score", "summary", "Score in standard deviations; quantiles of the newest.", scores)
    yield Metric("judder_alert_events_total", "counter", "Alert events told.", alerts.samples())
    totals = store.outbox.totals()
    yield from _exposed(((OUTBOX, total), {"kind": str(kind)}) for kind, total in totals.items())
    age = store.outbox.oldest_age(now)
    age_s = age.total_seconds() if age is not None else 0.0
    yield Metric("judder_outbox_oldest_age_seconds", "gauge", "Age of the oldest.", [Sample(age_s)])
    yield from _exposed([((STORE, store), {})])
    if uplink is not None:
        yield from _exposed([((UPLINK, uplink), {})])
        latency = [Sample(uplink.puback_s, suffix="_sum"), Sample(uplink.published, suffix="_count")]
        yield Metric("judder_puback_seconds", "summary", "From handing over to the broker's PUBACK.", latency)


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


def _exposed(parts: Iterable[tuple[Part, Mapping[str, str]]]) -> Iterable[Metric]:
    """Return those figures of parts that Prometheus has; each part comes with its labels."""
    metrics: dict[str, Metric] = {}
    for (figures, part), labels in parts:
        for exposed, value in ((figure.metric, figure.of(part)) for figure in figures if figure.metric):
            number = exposed.number(value)
            if number is not None:
                name = f"judder_{exposed.name}"
                kind = "counter" if name.endswith("_total") else "gauge"
                metric = metrics.setdefault(name, Metric(name, kind, exposed.help, []))
                metric.samples.append(Sample(number, {**labels, **exposed.labels}))
    return metrics.values()


def _regimes(stations: Sequence[Station]) -> Metric:
    samples = [
        Sample(regime == station.monitor.status().regime, {"sensor": station.name, "regime": regime})
        for station in stations
        if station.regimes
        for regime in station.regimes.regimes
    ]
    return Metric("judder_regime", "gauge", "1 for the regime whose model judges.", samples)


def _summary(station: Station) -> Iterator[Sample]:
    sample, labels = station.monitor.scores(), {"sensor": station.name}
    ordered = sorted(sample.newest)
    for quantile in QUANTILES if ordered else ():
        at = min(int(quantile * len(ordered)), len(ordered) - 1)
        yield Sample(ordered[at], {**labels, "quantile": f"{quantile:g}"})
    yield Sample(sample.total, labels, "_sum")
    yield Sample(sample.count, labels, "_count")
