"""What is told of the daemon's parts, one row a figure.

``judder status`` shows every figure; the health message and Sparkplug carry those with a wire type,
Prometheus those with a metric. A figure is the attribute of that name of its part, where it is described,
unless ``read`` says otherwise; the unit is in its name. What is no plain number of a part (the summaries of
scores and of PUBACKs, the regimes) is in ``reporting.metrics``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from agent.utc import format_utc


@dataclass(frozen=True)
class Exposed:
    """A figure as Prometheus has it."""

    name: str
    """Without ``judder_``; that of a counter, and no other, ends in ``_total``."""
    help: str
    number: Callable[[Any], float | None] = lambda value: value
    """Makes the number of the figure; None: there is none now."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Which of several figures with this name it is."""


@dataclass(frozen=True)
class Figure:
    """One figure."""

    name: str
    """Its key in ``judder status``."""
    metric: Exposed | None = None
    _: KW_ONLY
    wire: type | None = None
    """Its type in the health message and in Sparkplug; None: it is in neither."""
    wire_name: str = ""
    """Its name there, if another."""
    read: Callable[[Any], Any] | None = None
    """Takes it from its part; None: it is the attribute."""

    def of(self, part: object) -> Any:  # noqa: ANN401 - whatever the part has
        """Return the figure of a part."""
        return self.read(part) if self.read else getattr(part, self.name)


Part = tuple[Sequence[Figure], object]
"""A part of the daemon, behind the figures that are told of it."""


def _windows(result: str) -> Exposed:
    return Exposed("windows_total", "Windows by what became of them.", labels={"result": result})


STATION = (
    Figure("sensor", read=lambda station: station.name),
    Figure("simulated", wire=bool),
    Figure("model"),
    Figure("regimes", read=lambda station: station.regimes and list(station.regimes.regimes)),
)
SAMPLER = (
    Figure(
        "state",
        Exposed("sensor_up", "1 while the sensor delivers samples.", lambda state: state == "sampling"),
        wire=str,
        wire_name="sensor_state",
    ),
    Figure("error"),
    Figure("chip", read=lambda sampler: sampler.info and sampler.info.chip),
    Figure("bus", read=lambda sampler: sampler.info and sampler.info.bus),
    Figure("address", read=lambda sampler: sampler.info and sampler.info.address),
    Figure("rate_hz", Exposed("sample_rate_hertz", "Estimated output data rate."), wire=float),
    Figure("samples", Exposed("samples_total", "Samples read."), wire=int),
    Figure(
        "samples_lost",
        Exposed("samples_lost_total", "Samples lost in FIFO overruns and bus faults."),
        wire=int,
    ),
    Figure("retried"),
    Figure("reopened", Exposed("sensor_reopened_total", "Failures after which it was reopened.")),
    Figure("temperature_c", Exposed("sensor_temperature_celsius", "Temperature of the chip."), wire=float),
)
MONITOR = (
    Figure("thresholds", read=lambda monitor: asdict(monitor.thresholds)),
    Figure(
        "level",
        Exposed("alarm_level", "0 normal, 1 warning, 2 alarm; absent while the machine is not watched."),
        read=lambda monitor: monitor.level if monitor.unwatched_since is None else None,
    ),
    Figure("unwatched_since"),
    Figure("alert_id"),
    Figure("sensor_alert_id"),
    Figure("score"),
    Figure(
        "evidence", Exposed("evidence_ratio", "Evidence over windows, as a part of what raises a warning.")
    ),
    Figure("scored_at"),
    Figure("delay_s", Exposed("score_delay_seconds", "From a window's last sample to its score.")),
    Figure("windows_scored", _windows("scored"), wire=int),
    Figure("windows_skipped_gap", _windows("gap"), wire=int),
    Figure("windows_skipped_late", _windows("late"), wire=int),
    Figure("windows_bad", _windows("bad"), wire=int),
    Figure("windows_outside", _windows("outside"), wire=int),
    Figure("regime", wire=str),
    Figure(
        "alerts_in_memory",
        Exposed("alerts_in_memory", "Alerts that the disk does not take."),
        read=lambda monitor: monitor.waiting,
    ),
)
ON_WIRE = {
    figure.wire_name or figure.name: figure for figure in (*STATION, *SAMPLER, *MONITOR) if figure.wire
}
"""The figures of the health message, by their names there."""

STORE = (
    Figure(
        "error", Exposed("store_writable", "0 while the disk takes no changes.", lambda error: error is None)
    ),
    Figure("quarantined", read=lambda store: store.quarantined and str(store.quarantined)),
    Figure(
        "alerts_active",
        Exposed("alerts_active", "Alerts not cleared."),
        read=lambda store: store.active_alerts(),
    ),
)
OUTBOX = (
    Figure("waiting", Exposed("outbox_messages", "Messages that wait.")),
    Figure("waiting_bytes", Exposed("outbox_bytes", "Size of their payloads.")),
    Figure("aside", Exposed("outbox_set_aside", "Of those, refused by the broker and set aside.")),
    Figure("created", Exposed("outbox_created_total", "Messages ever put in.")),
    Figure("sent", Exposed("outbox_sent_total", "Messages handed to the broker, with repetitions.")),
    Figure("confirmed", Exposed("outbox_confirmed_total", "Messages that the broker confirmed.")),
    Figure("dropped", Exposed("outbox_dropped_total", "Telemetry dropped from a full outbox, or refused.")),
    Figure("created_at"),
    Figure("sent_at"),
    Figure("confirmed_at"),
    Figure("dropped_at"),
)
UPLINK = (
    Figure("connected", Exposed("uplink_connected", "1 while connected.")),
    Figure("broker"),
    Figure("since"),
    Figure("last_error"),
    Figure("published"),
    Figure("refused", Exposed("uplink_refusals_total", "Messages that the broker refused.")),
    Figure("unsettled"),
    Figure("puback_s", read=lambda uplink: uplink.puback_s / uplink.published if uplink.published else None),
    Figure("reconnects", Exposed("uplink_reconnects_total", "Connections made after the first.")),
)


def as_json(*parts: Part) -> dict[str, Any]:
    """Return the figures of parts as JSON types, by name."""
    return {figure.name: _plain(figure.of(part)) for figures, part in parts for figure in figures}


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever the part has
    if isinstance(value, datetime):
        return format_utc(value)
    return str(value) if isinstance(value, Enum) else value
