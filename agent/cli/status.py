"""``judder status``: what the daemon is doing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from agent.cli.options import config_option, json_option
from agent.utc import parse_utc

EX_NOT_WATCHED = 3
"""Exit code of ``judder status`` while a machine is not watched."""


@click.command()
@config_option
@json_option
@click.option("--prometheus", is_flag=True, help="Print the metrics in Prometheus's text format.")
def status(config_path: Path, as_json: bool, prometheus: bool) -> None:
    """Tell what the running daemon sees: sensors, scores, alerts, store, uplink.

    The exit code is 3 while a sensor delivers nothing, so that its machine is not watched.
    """
    from agent.config.file import load_config
    from agent.control.socket import request

    socket = load_config(config_path).control_socket
    if prometheus:
        click.echo(request(socket, "metrics"), nl=False)
        return
    answer: Any = request(socket, "status")
    click.echo(json.dumps(answer, indent=1) if as_json else "\n".join(_lines(answer)))
    # A daemon of an older judder, not restarted yet, does not tell.
    if any(sensor.get("unwatched_since") for sensor in answer["sensors"]):
        sys.exit(EX_NOT_WATCHED)


def _lines(answer: dict[str, Any]) -> list[str]:
    title = f"judder {answer['version']}  {answer['site']}/{answer['gateway']}  since {answer['started_at']}"
    lines = [title]
    for sensor in answer["sensors"]:
        lines += _sensor_lines(sensor)
    lines += _store_lines(answer["store"])
    lines += _uplink_lines(answer["uplink"], answer["outbox"])
    return lines


def _sensor_lines(sensor: dict[str, Any]) -> Iterator[str]:
    marks = "  SIMULATED" if sensor["simulated"] else ""
    yield f"{_not_watched(sensor) if sensor.get('unwatched_since') else _judged(sensor)}{marks}"
    warm = "" if sensor["temperature_c"] is None else f", {sensor['temperature_c']:.1f} °C"
    yield (
        f"          {sensor['chip'] or 'not opened yet'} on {sensor['bus'] or '-'}, {sensor['state']}, "
        f"{sensor['rate_hz']:.1f} Hz, {sensor['samples']} samples, {sensor['samples_lost']} lost{warm}"
    )
    yield (
        f"          {sensor['windows_scored']} windows scored by {sensor['model']}, not scored: "
        f"{sensor['windows_skipped_gap']} for gaps, {sensor['windows_skipped_late']} late, "
        f"{sensor['windows_bad']} bad"
    )
    if sensor["regimes"]:
        yield (
            f"          regime {sensor['regime'] or 'none'} of {', '.join(sensor['regimes'])}; not scored: "
            f"{sensor['windows_outside']} outside all, or in a transition"
        )
    lines = sensor["thresholds"]
    yield (
        f"          warning {lines['warning']['score']:.2f} ({lines['warning']['method']}), "
        f"alarm {lines['alarm']['score']:.2f} ({lines['alarm']['method']})"
    )
    if sensor["alerts_in_memory"]:
        yield f"          {sensor['alerts_in_memory']} alerts in memory that the disk does not take"
    if sensor["error"]:
        yield f"          {sensor['error']}"


def _not_watched(sensor: dict[str, Any]) -> str:
    """Return the line of a sensor that delivers nothing; what was known of its machine is out of date."""
    own = f"  sensor alert {sensor['sensor_alert_id']}" if sensor.get("sensor_alert_id") else ""
    machine = f"  alert {sensor['alert_id']} still open" if sensor["alert_id"] else ""
    since = f"{parse_utc(sensor['unwatched_since']):%Y-%m-%d %H:%M:%SZ}"
    return f"NOT WATCHED since {since}  {sensor['sensor']}{own}{machine}"


def _judged(sensor: dict[str, Any]) -> str:
    score = "no window yet" if sensor["score"] is None else f"score {sensor['score']:.2f}"
    if sensor["evidence"] is not None:
        score += f", evidence over windows {sensor['evidence']:.0%} of a warning"
    alert = f"  alert {sensor['alert_id']}" if sensor["alert_id"] else ""
    own = f"  sensor alert {sensor['sensor_alert_id']}" if sensor.get("sensor_alert_id") else ""
    return f"sensor    {sensor['sensor']}: {sensor['level'].upper()}, {score}{alert}{own}"


def _store_lines(store: dict[str, Any]) -> Iterator[str]:
    if store["error"]:
        yield f"store     CANNOT BE WRITTEN: {store['error']}"
    if store["quarantined"]:
        yield f"store     a damaged one was set aside: {store['quarantined']}"


def _uplink_lines(uplink: dict[str, Any] | None, outbox: dict[str, Any]) -> Iterator[str]:
    if uplink is None:
        yield "uplink    none: alerts stay on this gateway"
        return
    state = "connected" if uplink["connected"] else f"not connected: {uplink['last_error']}"
    yield f"uplink    {uplink['broker']} {state}, {uplink['published']} messages delivered"
    aside = f", {outbox['set_aside']} refused by the broker and set aside" if outbox["set_aside"] else ""
    yield f"outbox    {outbox['messages']} waiting{aside}, {outbox['dropped']} dropped"
