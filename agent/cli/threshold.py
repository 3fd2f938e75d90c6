"""``judder threshold``: other lines than the bundle's, for one sensor."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import click

from agent.cli.options import config_option


@click.command()
@click.argument("sensor")
@click.option("--warning", type=float, help="Score from which a window counts for a warning.")
@click.option("--alarm", type=float, help="Score from which it counts for an alarm.")
@click.option("--reset", is_flag=True, help="Go back to those of the bundle.")
@click.option("--by", default=None, help="Who wants it; your user name if not given.")
@config_option
def threshold(
    sensor: str,
    warning: float | None,
    alarm: float | None,
    reset: bool,
    by: str | None,
    config_path: Path,
) -> None:
    """Set the thresholds of SENSOR in the running daemon; they stay until they are reset."""
    from agent.config.file import load_config
    from agent.control.socket import request

    lines = {"warning": warning, "alarm": alarm}
    given = [line for line in lines.values() if line is not None]
    if len(given) != (0 if reset else 2):
        raise click.UsageError("give both --warning and --alarm, or --reset")
    arguments: dict[str, Any] = {} if reset else {**lines, "by": by or getpass.getuser()}
    socket = load_config(config_path).control_socket
    answer: Any = request(socket, "threshold", sensor=sensor, **arguments)
    shown = f"warning {answer['warning']:.2f}, alarm {answer['alarm']:.2f} ({answer['method']})"
    click.echo(f"{answer['sensor']}: {shown}")
