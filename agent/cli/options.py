"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/judder/judder.toml"),
    show_default=True,
    envvar="JUDDER_CONFIG",
    show_envvar=True,
    help="Configuration file.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
