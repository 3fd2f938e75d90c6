"""``judder capture``: keep what a sensor feels around now."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import click

from agent.cli.options import config_option


@click.command()
@click.argument("sensor")
@click.option("--by", default=None, help="Who wants it; your user name if not given.")
@config_option
def capture(sensor: str, by: str | None, config_path: Path) -> None:
    """Have the running daemon write the waveform of SENSOR around now, as it does at an alert."""
    from agent.config.file import load_config
    from agent.control.socket import request

    config = load_config(config_path)
    answer: Any = request(config.control_socket, "capture", sensor=sensor, by=by or getpass.getuser())
    click.echo(f"{config.state_dir / 'evidence' / answer['file']}")
