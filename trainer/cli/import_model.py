"""``judder-train import``: a bundle from a network made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from trainer.cli.options import (
    json_option,
    name_option,
    out_option,
    rate_option,
    read_columns,
    sign_option,
    target_of,
    version_option,
)
from trainer.settings import FitSettings, Metric

if TYPE_CHECKING:
    from trainer.bundles.importing import Scale

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("import")
@click.argument("model", type=_FILE)
@click.option("--data", multiple=True, required=True, type=_FILE, help="Recording of the healthy machine.")
@out_option
@click.option("--columns", multiple=True, callback=read_columns, help="Channels, in the network's order.")
@rate_option
@click.option("--hop", type=click.IntRange(1, 65536), help="Samples between windows.  [default: window / 4]")
@click.option(
    "--scale",
    type=click.Choice(["none", "rms", "minmax"]),
    default="none",
    show_default=True,
    help="How the network's inputs, their mean removed, were scaled in its training.",
)
@click.option("--metric", type=click.Choice(get_args(Metric)), default=FitSettings.metric, show_default=True)
@name_option
@version_option
@sign_option
@json_option
def import_command(
    model: Path,
    data: tuple[Path, ...],
    out: Path,
    columns: tuple[str, ...],
    rate_hz: float | None,
    hop: int | None,
    scale: Scale,
    metric: Metric,
    name: str | None,
    version: str | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Check MODEL, a TFLite autoencoder, calibrate it on healthy recordings and write a bundle."""
    from trainer.bundles.importing import import_model
    from trainer.bundles.signing import load_key
    from trainer.bundles.summary import summary, summary_json
    from trainer.recordings.datasets import load_source

    sources = [load_source(path, columns or None, rate_hz) for path in data]
    settings = FitSettings(hop=hop, metric=metric, kind="vibration")
    signer = load_key(key_file) if key_file else None
    report = import_model(model.read_bytes(), sources, scale, settings, target_of(out, name, version), signer)
    click.echo(summary_json(report) if as_json else summary(report))
