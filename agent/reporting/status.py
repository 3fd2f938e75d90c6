"""What the daemon tells of itself on its control socket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from importlib import metadata
from typing import Any

from agent.config.names import GatewayName
from agent.station import Station
from agent.storage.alerts import AlertStore
from agent.storage.outbox import Total
from agent.uplink.connection import UplinkStatus
from agent.utc import format_utc


def version() -> str:
    """Return the version of judder that runs."""
    return metadata.version("judder")


def gateway_status(
    gateway: GatewayName,
    stations: Sequence[Station],
    store: AlertStore,
    uplink: UplinkStatus | None,
    *,
    started: datetime,
    now: datetime,
) -> dict[str, Any]:
    """Return the state of the daemon as JSON types.

    Args:
        gateway: Its name.
        stations: Its sensors.
        store: Its alerts and outbox.
        uplink: How the connection stands; None without an uplink.
        started: UTC time when the daemon began.
        now: UTC time.
    """
    age = store.outbox.oldest_age(now)
    totals = store.outbox.totals()
    return {
        "version": version(),
        "site": gateway.site,
        "gateway": gateway.name,
        "started_at": format_utc(started),
        "simulated": any(station.simulated for station in stations),
        "sensors": [_sensor(station) for station in stations],
        "uplink": uplink and _uplink(uplink),
        "store": {
            "error": store.error,
            "quarantined": store.quarantined and str(store.quarantined),
            "alerts_active": store.active_alerts(),
        },
        "outbox": {
            "messages": sum(total.waiting for total in totals.values()),
            "set_aside": sum(total.aside for total in totals.values()),
            "oldest_age_s": age.total_seconds() if age is not None else None,
            "dropped": sum(total.dropped for total in totals.values()),
            "kinds": {str(kind): _total(total) for kind, total in totals.items()},
        },
    }


def _sensor(station: Station) -> dict[str, Any]:
    sampler, monitor = station.sampler.status(), station.monitor.status()
    info = sampler.info
    return {
        "sensor": station.name,
        "simulated": station.simulated,
        "model": station.model,
        "state": str(sampler.state),
        "error": sampler.error,
        "chip": info and info.chip,
        "bus": info and info.bus,
        "address": info and info.address,
        "rate_hz": sampler.rate_hz,
        "samples": sampler.samples,
        "samples_lost": sampler.samples_lost,
        "retried": sampler.retried,
        "reopened": sampler.reopened,
        "temperature_c": sampler.temperature_c,
        "thresholds": {level: asdict(getattr(monitor.thresholds, level)) for level in ("warning", "alarm")},
        "level": str(monitor.level),
        "alert_id": monitor.alert_id,
        "sensor_alert_id": monitor.sensor_alert_id,
        "score": monitor.score,
        "evidence": monitor.evidence,
        "scored_at": monitor.scored_at and format_utc(monitor.scored_at),
        "delay_s": monitor.delay_s,
        "windows_scored": monitor.windows_scored,
        "windows_skipped_gap": monitor.windows_skipped_gap,
        "windows_skipped_late": monitor.windows_skipped_late,
        "windows_bad": monitor.windows_bad,
        "windows_outside": monitor.windows_outside,
        "regime": monitor.regime,
        "regimes": station.regimes and list(station.regimes.regimes),
        "alerts_in_memory": monitor.waiting,
    }


def _total(total: Total) -> dict[str, Any]:
    return {
        name: format_utc(value) if isinstance(value, datetime) else value
        for name, value in asdict(total).items()
    }


def _uplink(status: UplinkStatus) -> dict[str, Any]:
    return {
        "connected": status.connected,
        "broker": status.broker,
        "since": format_utc(status.since),
        "last_error": status.last_error,
        "published": status.published,
        "refused": status.refused,
        "unsettled": status.unsettled,
        "puback_s": status.puback_s / status.published if status.published else None,
        "reconnects": status.reconnects,
    }
