"""``judder-train report``: what a bundle makes of recordings, as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from trainer.cli.data_options import DataChoice, ManyFiles, bundle_argument, data_options, judged, opened
from trainer.cli.evaluate import beta_option, persistence_option, rule_option


@click.command(cls=ManyFiles)
@bundle_argument
@data_options
@beta_option
@rule_option
@persistence_option
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="HTML file to write; it needs no network.",
)
def report(
    bundle: Path,
    chosen: DataChoice,
    beta: float,
    rule: tuple[int, int],
    persistence_hours: float,
    out: Path,
) -> None:
    """Draw what BUNDLE makes of recordings, and whether it can be trusted; labels tell more.

    One HTML file: findings, score over time, figures, curves, signal and spectrum, learning curve,
    reconstructions, latent space, quantization.
    """
    from agent.config.alarm import AlarmPolicy
    from trainer.evaluation.metrics import evaluate
    from trainer.evaluation.scored import labelled_scores
    from trainer.recordings.labels import Label
    from trainer.report.page import build_report, write_report

    if not chosen:
        raise click.UsageError("no recordings: give --data, --normal or --anomalous")
    detector, source = opened(bundle)
    scored = judged(detector, chosen.load(source.manifest.axes, Label.IGNORE))
    known = len(labelled_scores(scored)[0]) > 0
    policy = AlarmPolicy(*rule, persistence_hours=persistence_hours)
    evaluation = evaluate(source.manifest, scored, beta, policy) if known else None
    write_report(out, build_report(source, scored, evaluation, policy))
    click.echo(f"{out}, {out.stat().st_size / 1000:.0f} kB")
