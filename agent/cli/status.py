"""``judder status``: what the daemon is doing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from agent.cli.options import config_option, json_option


@click.command()
@config_option
@json_option
def status(config_path: Path, as_json: bool) -> None:
    """Tell what the running daemon sees: sensors, scores, alerts, uplink."""
    from agent.config import load_config
    from agent.control import request

    answer: Any = request(load_config(config_path).control_socket, "status")
    click.echo(json.dumps(answer, indent=1) if as_json else "\n".join(_told(answer)))


def _told(answer: dict[str, Any]) -> list[str]:
    title = f"judder {answer['version']}  {answer['site']}/{answer['gateway']}  since {answer['started_at']}"
    lines = [title]
    for sensor in answer["sensors"]:
        lines += _sensor_told(sensor)
    outbox, uplink = answer["outbox"], answer["uplink"]
    if uplink is None:
        return [*lines, "uplink    none: alerts stay on this gateway"]
    state = "connected" if uplink["connected"] else f"not connected: {uplink['last_error']}"
    lines.append(f"uplink    {uplink['broker']} {state}, {uplink['published']} messages delivered")
    lines.append(f"outbox    {outbox['messages']} waiting, {outbox['dropped']} dropped")
    return lines


def _sensor_told(sensor: dict[str, Any]) -> list[str]:
    marks = "  SIMULATED" if sensor["simulated"] else ""
    score = "no window yet" if sensor["score"] is None else f"score {sensor['score']:.2f}"
    alert = f"  alert {sensor['alert_id']}" if sensor["alert_id"] else ""
    lines = [
        f"sensor    {sensor['sensor']}: {sensor['level'].upper()}, {score}{alert}{marks}",
        f"          {sensor['chip'] or 'not opened yet'} on {sensor['bus'] or '-'}, {sensor['state']}, "
        f"{sensor['rate_hz']:.1f} Hz, {sensor['samples']} samples, {sensor['samples_lost']} lost",
        f"          {sensor['windows_scored']} windows scored by {sensor['model']}, not scored: "
        f"{sensor['windows_skipped_gap']} for gaps, {sensor['windows_skipped_late']} late, "
        f"{sensor['windows_bad']} bad",
    ]
    return [*lines, f"          {sensor['error']}"] if sensor["error"] else lines
