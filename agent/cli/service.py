"""``judder service``: run the daemon at every boot, by systemd."""

from __future__ import annotations

import os
from pathlib import Path

import click

root_option = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("/"),
    show_default=True,
    help="Root of an image that is being built; nothing is started then.",
)


@click.group()
def service() -> None:
    """Make the daemon a service of systemd."""


@service.command()
@root_option
@click.option(
    "--real-time",
    is_flag=True,
    help="Let the threads that read the sensors go before all others; for fast chips on a busy gateway.",
)
def install(root: Path, real_time: bool) -> None:
    """Write unit, user, folders, device rule and an example configuration, and enable the service."""
    from agent.system.service import Service, prepare, run

    if root == Path("/"):
        _need_root()
    written = Service(root).install(real_time)
    for path in written:
        click.echo(f"wrote {path}")
    config = root / "etc/judder/judder.toml"
    if root == Path("/"):
        prepare()
        run(("systemctl", "enable", "judder.service"))
    if config in written:
        click.echo(f"Now describe your sensors in {config}, then: judder config check {config}")
    click.echo("Start it with: systemctl start judder")


@service.command()
@root_option
def remove(root: Path) -> None:
    """Stop the service and remove its files; configuration, alerts and models stay."""
    from agent.system.service import Service, run

    if root == Path("/"):
        _need_root()
        run(("systemctl", "disable", "--now", "judder.service"))
    for path in Service(root).remove():
        click.echo(f"removed {path}")
    if root == Path("/"):
        run(("systemctl", "daemon-reload"))


@service.command()
@root_option
def status(root: Path) -> None:
    """Tell whether the service is installed, up to date, enabled and active."""
    from agent.system.service import Service

    found = Service(root).status()
    for path in found.missing:
        click.echo(f"missing   {path}")
    for path in found.changed:
        click.echo(f"differs   {path} (from that of this judder; 'judder service install' replaces it)")
    click.echo(f"enabled   {found.enabled}")
    click.echo(f"active    {found.active}")
    if found.missing:
        raise click.ClickException("not installed; run 'judder service install'")


def _need_root() -> None:
    if os.geteuid() != 0:
        raise click.ClickException("only root may do that; use sudo")
