"""``judder alerts`` and ``judder acknowledge``: what happened, and who has seen it."""

from __future__ import annotations

import getpass
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import config_option, json_option

if TYPE_CHECKING:
    from agent.judging.alert import AlertEvent
    from agent.storage.alerts import AlertRecord

_UTC = "%Y-%m-%d %H:%M:%SZ"


@click.command()
@config_option
@click.option("--active", is_flag=True, help="Only those that have not cleared.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="So many, the newest; what is active is always told.",
)
@json_option
def alerts(config_path: Path, active: bool, limit: int, as_json: bool) -> None:
    """List the alerts on this gateway: what is active, then what has cleared, each newest first.

    Works without the daemon, too. Newest is what was written last, whatever the clock said.
    """
    from agent.config.file import load_config
    from agent.storage.alerts import AlertStore
    from agent.waveforms.listing import waveforms_by_alert

    config = load_config(config_path)
    with AlertStore.read_only(config.database) as store:
        records = store.alerts(active_only=active, limit=limit)
    waveforms = waveforms_by_alert(config.waveforms, [record.alert_id for record in records])
    if as_json:
        click.echo(json.dumps([_as_json(record, waveforms[record.alert_id]) for record in records], indent=1))
    elif not records:
        click.echo("no alerts")
    for record in () if as_json else records:
        click.echo("\n".join(_lines(record, waveforms[record.alert_id])))


@click.command()
@click.argument("alert_id")
@click.option("--by", default=None, help="Who saw it; your user name if not given.")
@config_option
def acknowledge(alert_id: str, by: str | None, config_path: Path) -> None:
    """Note that somebody has seen the alert ALERT_ID (the beginning of its id will do)."""
    from agent.config.file import load_config
    from agent.control.socket import request

    socket = load_config(config_path).control_socket
    answer: Any = request(socket, "acknowledge", alert_id=alert_id, by=by or getpass.getuser())
    click.echo(f"acknowledged {answer['alert_id']}")


def _lines(record: AlertRecord, waveforms: Sequence[Path]) -> list[str]:
    return [*_title(record), *_seen(record.last_event), *(f"  waveform: {path}" for path in waveforms)]


def _title(record: AlertRecord) -> list[str]:
    until = f"cleared {record.cleared_at:{_UTC}}" if record.cleared_at else "ACTIVE"
    seen = f", seen by {record.acknowledged_by}" if record.acknowledged_by else ""
    simulated = "  SIMULATED" if record.last_event.simulated else ""
    return [
        f"{record.raised_at:{_UTC}}  {str(record.level).upper():<7}  {record.sensor}  "
        f"{until}{seen}{simulated}",
        f"  {record.alert_id}  {_cause(record)}{_delivery(record)}",
    ]


def _delivery(record: AlertRecord) -> str:
    """Return how far it got; nothing is said of one that was never to be sent."""
    if record.delivered:
        return ", delivered"
    return ", not delivered yet" if record.waiting else ""


def _seen(event: AlertEvent) -> list[str]:
    """Return what the detector saw at the last event, or what is wrong with the sensor."""
    if event.reason:
        return [f"  {event.reason}"]
    lines = []
    if event.contributions:
        places = ", ".join(f"{c.where} {c.share:.0%}" for c in event.contributions[:3])
        lines.append(f"  most abnormal: {places}")
    axes = "; ".join(
        f"{s.axis} {s.rms_g:.3f} g rms, {s.peak_g:.3f} g peak, crest {s.crest_factor:.1f}, "
        f"kurtosis {s.kurtosis:.1f}"
        for s in event.statistics
    )
    return [*lines, f"  {axes}"] if axes else lines


def _cause(record: AlertRecord) -> str:
    event = record.last_event
    if event.reason:
        return "the SENSOR, not the machine"
    persistence = f", by persistence over {event.windows} windows" if event.rule == "persistence" else ""
    score = f"score {record.score:.2f} (threshold {event.threshold:.2f})"
    return f"{score}, {event.part} of {event.model}{persistence}"


def _as_json(record: AlertRecord, waveforms: Sequence[Path]) -> dict[str, Any]:
    from agent.judging.alert import event_to_json
    from agent.utc import format_utc

    def utc(name: str) -> str | None:
        at = getattr(record, name)
        return at and format_utc(at)

    times = {name: utc(name) for name in ("raised_at", "escalated_at", "cleared_at", "acknowledged_at")}
    return {
        "alert_id": record.alert_id,
        "sensor": record.sensor,
        "level": str(record.level),
        "active": record.active,
        "score": record.score,
        **times,
        "acknowledged_by": record.acknowledged_by,
        "sent_at": utc("sent_at"),
        "delivered_at": utc("delivered_at"),
        "delivered": record.delivered,
        "waiting": record.waiting,
        "waveforms": [str(path) for path in waveforms],
        "last_event": event_to_json(record.last_event),
    }
