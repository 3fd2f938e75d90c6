"""What the daemon tells of itself on its control socket."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib import metadata
from typing import Any

from agent.config.names import GatewayName
from agent.station import Station
from agent.storage.alerts import AlertStore
from agent.uplink.connection import UplinkStatus
from agent.uplink.figures import OUTBOX, STORE, UPLINK, as_json
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
        "sensors": [station.status() for station in stations],
        "uplink": uplink and as_json((UPLINK, uplink)),
        "store": as_json((STORE, store)),
        "outbox": {
            "messages": sum(total.waiting for total in totals.values()),
            "set_aside": sum(total.aside for total in totals.values()),
            "oldest_age_s": age.total_seconds() if age is not None else None,
            "dropped": sum(total.dropped for total in totals.values()),
            "kinds": {str(kind): as_json((OUTBOX, total)) for kind, total in totals.items()},
        },
    }
