"""``judder-train evaluate``: what a bundle finds in labelled recordings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from trainer.cli.data_options import (
    DataChoice,
    ManyFiles,
    bundle_argument,
    data_options,
    judged,
    opened,
    warn_of_learnt,
)
from trainer.cli.options import json_option

if TYPE_CHECKING:
    from pathlib import Path

_RULE = re.compile(r"([1-9]\d{0,2})/([1-9]\d{0,2})")


def _hours(ctx: click.Context, param: click.Parameter, value: float) -> float:
    if 0.0 < value < 1.0:
        raise click.BadParameter(f"'{value:g}': give 1 h or more, or 0 to turn persistence off", ctx, param)
    return value


def _rule(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, int]:
    fitting = _RULE.fullmatch(value)
    if fitting is None or int(fitting[1]) > int(fitting[2]):
        raise click.BadParameter(f"'{value}': write K/N with K not above N, such as 2/3", ctx, param)
    return int(fitting[1]), int(fitting[2])


beta_option = click.option(
    "--beta",
    type=click.FloatRange(min=0, min_open=True, max=100),
    default=1.0,
    show_default=True,
    help="Of F-beta: recall weighs this many times as much as precision.",
)
rule_option = click.option(
    "--rule",
    callback=_rule,
    metavar="K/N",
    default="2/3",
    show_default=True,
    help="Windows that raise an alert, as on the gateway.",
)
persistence_option = click.option(
    "--persistence-hours",
    type=click.FloatRange(min=0, max=1e6),
    callback=_hours,
    default=720.0,
    show_default=True,
    help="Mean time between false warnings by evidence over windows, as on the gateway; 0 turns it off.",
)


@click.command(cls=ManyFiles)
@bundle_argument
@data_options
@beta_option
@rule_option
@persistence_option
@json_option
def evaluate(
    bundle: Path,
    chosen: DataChoice,
    beta: float,
    rule: tuple[int, int],
    persistence_hours: float,
    as_json: bool,
) -> None:
    """Compare the verdicts of BUNDLE with what is known about recordings.

    A window is anomalous if half of its rows or more are, normal if all of them are, and left out otherwise.
    """
    from agent.config.alarm import AlarmPolicy
    from trainer.evaluation.metrics import evaluate as evaluate_scores
    from trainer.evaluation.text import evaluation_json, evaluation_table
    from trainer.recordings.labels import Label

    if not chosen:
        raise click.UsageError("no recordings: give --data, --normal or --anomalous")
    if chosen.data and not chosen.labelled:
        raise click.UsageError("--data needs --labels or --assume; healthy files can go under --normal")
    detector, opened_bundle = opened(bundle)
    loaded = chosen.load(opened_bundle.manifest.axes, Label.IGNORE)
    warn_of_learnt(loaded, opened_bundle.manifest)
    scored = judged(detector, loaded)
    policy = AlarmPolicy(*rule, persistence_hours=persistence_hours)
    evaluation = evaluate_scores(opened_bundle.manifest, scored, beta, policy)
    click.echo(evaluation_json(evaluation) if as_json else evaluation_table(evaluation))
