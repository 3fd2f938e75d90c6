"""``judder alerts`` and ``judder acknowledge``: what happened, and who has seen it."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import config_option, json_option

if TYPE_CHECKING:
    from agent.storage.alerts import AlertRecord


@click.command()
@config_option
@click.option("--active", is_flag=True, help="Only those that have not cleared.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Newest so many.")
@json_option
def alerts(config_path: Path, active: bool, limit: int, as_json: bool) -> None:
    """List the alerts on this gateway, newest first; works without the daemon, too."""
    from agent.config.file import load_config
    from agent.storage.alerts import AlertStore

    with AlertStore.read_only(load_config(config_path).database) as store:
        records = store.alerts(active_only=active, limit=limit)
    if as_json:
        click.echo(json.dumps([_as_json(record) for record in records], indent=1))
    elif not records:
        click.echo("no alerts")
    for record in () if as_json else records:
        click.echo("\n".join(_lines(record)))


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


def _lines(record: AlertRecord) -> list[str]:
    event = record.last_event
    until = f"cleared {record.cleared_at:%Y-%m-%d %H:%M:%S}" if record.cleared_at else "ACTIVE"
    seen = f", seen by {record.acknowledged_by}" if record.acknowledged_by else ""
    sent = "delivered" if record.delivered else "not delivered yet"
    simulated = "  SIMULATED" if event.simulated else ""
    lines = [
        f"{record.raised_at:%Y-%m-%d %H:%M:%S}  {str(record.level).upper():<7}  {record.sensor}  "
        f"{until}{seen}{simulated}",
        f"  {record.alert_id}  {_cause(record)}, {sent}",
    ]
    if event.reason:
        return [*lines, f"  {event.reason}"]
    if event.contributions:
        places = ", ".join(f"{c.where} {c.share:.0%}" for c in event.contributions[:3])
        lines.append(f"  most abnormal: {places}")
    axes = "; ".join(
        f"{s.axis} {s.rms_g:.3f} g rms, {s.peak_g:.3f} g peak, crest {s.crest_factor:.1f}, "
        f"kurtosis {s.kurtosis:.1f}"
        for s in event.statistics
    )
    return [*lines, f"  {axes}"]


def _cause(record: AlertRecord) -> str:
    event = record.last_event
    if event.reason:
        return "the SENSOR, not the machine"
    persistence = f", by persistence over {event.windows} windows" if event.rule == "persistence" else ""
    return f"score {record.score:.2f}, {event.part} of {event.model}{persistence}"


def _as_json(record: AlertRecord) -> dict[str, Any]:
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
        "last_event": event_to_json(record.last_event),
    }
