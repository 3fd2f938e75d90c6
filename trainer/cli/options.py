"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from agent.inference.manifest import Name

if TYPE_CHECKING:
    from trainer.bundles.writing import Target

_SUFFIX = ".judder"
_VERSIONED = re.compile(r"(.+)-(v?\d[A-Za-z0-9._]*)")
_NAME = get_args(Name)[1]


def read_out(ctx: click.Context, param: click.Parameter, value: Path) -> Path:
    """Return the path of a bundle to write."""
    if value.suffix != _SUFFIX:
        raise click.BadParameter(f"'{value}': a bundle's name ends in {_SUFFIX}", ctx, param)
    return value


def read_name(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Return a name as bundles have it."""
    if value is not None and not re.fullmatch(_NAME.expression, value):
        raise click.BadParameter(f"'{value}': expected {_NAME.expected}", ctx, param)
    return value


def read_columns(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> tuple[str, ...]:
    """Return the names of channels, comma separated or repeated."""
    return tuple(name.strip() for text in value for name in text.split(",") if name.strip())


out_option = click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    callback=read_out,
    help=f"Bundle to write, NAME-VERSION{_SUFFIX}.",
)
name_option = click.option("--name", callback=read_name, help="Name of the model.  [default: from --out]")
version_option = click.option(
    "--version", callback=read_name, help="Version of the model.  [default: from --out, else 1]"
)
rate_option = click.option(
    "--rate",
    "rate_hz",
    type=click.FloatRange(min=0, min_open=True),
    help="Sample rate in Hz, if the file does not say.",
)
sign_option = click.option(
    "--sign",
    "key_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Sign with this private key (see keygen).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def target_of(out: Path, name: str | None, version: str | None) -> Target:
    """Return what the bundle is called: as stated, else as its file is."""
    from trainer.bundles.writing import Target

    parts = _VERSIONED.fullmatch(out.stem)
    named, numbered = parts.groups() if parts else (out.stem, "1")
    if name is None and not re.fullmatch(_NAME.expression, named):
        raise click.UsageError(
            f"'{named}' cannot be a model's name ({_NAME.expected}); state one with --name"
        )
    return Target(out, name or named, version or numbered)
