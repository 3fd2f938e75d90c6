"""``judder config``: look at a configuration before a daemon does."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def config() -> None:
    """Check configuration files."""


@config.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def check(file: Path) -> None:
    """Tell every problem in FILE, and whether its sensors and bundles fit; no bus is opened."""
    from agent import daemon
    from agent.config import load_config

    loaded = load_config(file)
    daemon.check(loaded)
    sensors = ", ".join(f"{name} ({sensor.chip} on {sensor.bus})" for name, sensor in loaded.sensors.items())
    click.echo(f"{file}: good. Sensors: {sensors}.")
