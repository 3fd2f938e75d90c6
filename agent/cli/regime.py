"""``judder regime``: how the machine runs now, for a sensor with a model for each regime."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import click

from agent.cli.options import config_option


@click.command()
@click.argument("sensor")
@click.argument("name", required=False)
@click.option("--none", "unknown", is_flag=True, help="In no regime that has a model: nothing is scored.")
@click.option("--by", default=None, help="Who says so; your user name if not given.")
@config_option
def regime(sensor: str, name: str | None, unknown: bool, by: str | None, config_path: Path) -> None:
    """Say that the machine of SENSOR runs in regime NAME now; it holds until something else is said."""
    from agent.config.file import load_config
    from agent.control.socket import request

    if (name is None) != unknown:
        raise click.UsageError("give the NAME of a regime, or --none")
    socket = load_config(config_path).control_socket
    answer: Any = request(socket, "regime", sensor=sensor, regime=name, by=by or getpass.getuser())
    click.echo(f"{answer['sensor']}: {answer['regime'] or 'in no regime; nothing is scored'}")
