"""``judder model``: what is in a bundle, and whether this machine computes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.options import json_option

if TYPE_CHECKING:
    from agent.inference.bundle import Bundle


@click.group()
def model() -> None:
    """Look at model bundles."""


@model.command()
@click.argument("bundle", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def show(bundle: Path, as_json: bool) -> None:
    """Verify BUNDLE, try it on its golden windows, and tell what it is."""
    from agent.decode import encode
    from agent.inference.detector import check_golden, open_detector

    detector, opened = open_detector(bundle)
    if as_json:
        click.echo(json.dumps(encode(opened.manifest), indent=1, ensure_ascii=False))
        return
    click.echo("\n".join(_described(opened)))
    deviation = check_golden(detector, opened)
    click.echo(
        f"golden      {len(opened.golden.scores)} windows scored on this machine, largest deviation "
        f"{deviation:.3f} (tolerance {opened.manifest.golden_tolerance:g})"
    )


def _described(bundle: Bundle) -> list[str]:
    from agent.inference.scoring import rate_from_score

    manifest = bundle.manifest
    rate = f"{manifest.rate_hz:g} Hz" if manifest.rate_hz else "sample rate not stated"
    lines = [
        f"{manifest.title}  {bundle.path}",
        f"input       {', '.join(manifest.axes)} in {manifest.unit}, {rate}",
        f"window      {manifest.window.length} samples, hop {manifest.window.hop}",
    ]
    for part in manifest.parts:
        detail = f"{len(part.tails)} columns"
        if part.kind == "reconstruction":
            size = len(bundle.models[part.model])
            kind = f"{part.architecture} on {part.features.kind}, {part.quantization}"
            detail = f"{kind}, {size} bytes, {part.metric}"
        lines.append(f"part        {part.name} (weight {part.weight:.2g}): {detail}")
    for name, threshold in (("warning", manifest.thresholds.warning), ("alarm", manifest.thresholds.alarm)):
        lines.append(
            f"{name:<11} score {threshold.score:.2f} by {threshold.method}: "
            f"1 in {1 / rate_from_score(threshold.score):,.0f} healthy windows"
        )
    lines.append(f"signature   {'by ' + bundle.signed_by if bundle.signed_by else 'none'}")
    lines.append(f"runtime     oldest tried: {manifest.runtime}")
    return lines
