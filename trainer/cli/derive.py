"""``judder-train threshold`` and ``calibrate``: a new version of a bundle without training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trainer.cli.data_options import (
    DataChoice,
    ManyFiles,
    bundle_argument,
    columns_option,
    data_files,
    data_options,
    judged,
    opened,
    warn_of_learnt,
)
from trainer.cli.options import (
    json_option,
    name_option,
    out_option,
    rate_option,
    sign_option,
    target_of,
    version_option,
)
from trainer.cli.progress import progress_bar
from trainer.errors import MethodError

if TYPE_CHECKING:
    from agent.inference.bundle import Bundle
    from agent.inference.detector import Detector
    from trainer.bundles.derived import DerivedReport
    from trainer.bundles.signing import Signer
    from trainer.bundles.writing import Target
    from trainer.calibration.tuning import LineMethod

_METHODS = "sigma:K, percentile:P, rate:P, fbeta:B or pot:COUNT/month (or hour, day, week, year, window)"


def _line_method(ctx: click.Context, param: click.Parameter, value: str | None) -> LineMethod | None:
    from trainer.calibration.tuning import parse_line_method

    try:
        return None if value is None else parse_line_method(value)
    except MethodError as error:
        raise click.BadParameter(str(error), ctx, param) from error


@click.command(cls=ManyFiles)
@bundle_argument
@click.option("--method", callback=_line_method, metavar="METHOD", help=f"Of the warning line: {_METHODS}.")
@click.option("--alarm", callback=_line_method, metavar="METHOD", help="Of the alarm line, likewise.")
@data_options
@out_option
@name_option
@version_option
@sign_option
@json_option
def threshold(
    bundle: Path,
    method: LineMethod | None,
    alarm: LineMethod | None,
    chosen: DataChoice,
    out: Path,
    name: str | None,
    version: str | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Write BUNDLE with other lines.

    sigma, percentile and pot look at normal windows, fbeta at normal and anomalous ones, rate needs no data.
    Rows of --data that nothing is said about are normal. A line that is not named stays.
    """
    from trainer.bundles.derived import move_lines
    from trainer.recordings.labels import Label
    from trainer.settings import Method

    methods = {level: given for level, given in (("warning", method), ("alarm", alarm)) if given}
    if not methods:
        raise click.UsageError("which line? give --method, --alarm or both")
    needy = [
        str(given) for given in methods.values() if not (isinstance(given, Method) and given.kind == "rate")
    ]
    if needy and not chosen:
        raise click.UsageError(f"'{needy[0]}' needs recordings: give --data, --normal or --anomalous")
    detector, source, target, signer = _prepared(bundle, out, name, version, key_file)
    loaded = chosen.load(source.manifest.axes, Label.NORMAL)
    warn_of_learnt(loaded, source.manifest)
    scored = judged(detector, loaded) if loaded else []
    _echo_report(move_lines(source, scored, methods, target, signer), as_json)


@click.command(cls=ManyFiles)
@bundle_argument
@data_files
@columns_option
@rate_option
@out_option
@name_option
@version_option
@sign_option
@json_option
def calibrate(
    bundle: Path,
    data: tuple[Path, ...],
    columns: tuple[str, ...],
    rate_hz: float | None,
    out: Path,
    name: str | None,
    version: str | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Write BUNDLE with what is healthy learnt from other recordings; the network and the lines stay.

    For a new mounting of the sensor: two minutes of the healthy machine in its normal variety.
    """
    from trainer.bundles.derived import recalibrate
    from trainer.recordings.labels import Label

    if not data:
        raise click.UsageError("no recordings of the healthy machine: give --data")
    _, source, target, signer = _prepared(bundle, out, name, version, key_file)
    chosen = DataChoice(
        data=data, normal=(), anomalous=(), labels=None, assumptions=(), columns=columns, rate_hz=rate_hz
    )
    sources = [labelled.source for labelled in chosen.load(source.manifest.axes, Label.NORMAL)]
    with progress_bar() as on_progress:
        report = recalibrate(source, sources, target, signer, on_progress)
    _echo_report(report, as_json)


def _prepared(
    bundle: Path, out: Path, name: str | None, version: str | None, key_file: Path | None
) -> tuple[Detector, Bundle, Target, Signer | None]:
    """Find out what can go wrong before anything is computed."""
    from trainer.bundles.signing import load_key
    from trainer.bundles.writing import check_writable

    detector, source = opened(bundle)
    target = target_of(out, name, version)
    if f"{target.name}-{target.version}" == source.manifest.title:
        raise click.UsageError(f"{source.manifest.title} is there already; call the new one otherwise")
    check_writable(target.path)
    return detector, source, target, load_key(key_file) if key_file else None


def _echo_report(report: DerivedReport, as_json: bool) -> None:
    if as_json:
        click.echo(_json(report))
    else:
        click.echo("\n".join(f"{topic:<12}{text}" for topic, text in _lines(report)))


def _json(report: DerivedReport) -> str:
    from agent.decode import encode

    manifest = report.manifest
    document = {
        "bundle": str(report.target.path),
        "bytes": report.size_bytes,
        "signed_by": report.signed_by,
        "derived_from": report.source,
        "name": manifest.name,
        "version": manifest.version,
        "thresholds": encode(manifest.thresholds),
        "false_alarms": encode(report.false_alarms),
    }
    return json.dumps(document, indent=1, ensure_ascii=False)


def _lines(report: DerivedReport) -> Iterator[tuple[str, str]]:
    thresholds = report.manifest.thresholds
    yield "model", f"{report.manifest.title}, derived from {report.source}"
    for level, line in (("warning", thresholds.warning), ("alarm", thresholds.alarm)):
        yield level, f"score {line.score:.2f} ({line.method})"
    for counted in report.false_alarms:
        yield (
            "out of fold",
            f"{counted.alarms} of {counted.windows} windows at {counted.level} or above; 95 % upper limit of "
            f"the rate {counted.upper_limit:.2g} ({counted.independent} independent windows)",
        )
    signed = f"signed by {report.signed_by}" if report.signed_by else "not signed"
    yield "bundle", f"{report.target.path}, {report.size_bytes / 1000:.1f} kB, {signed}"
