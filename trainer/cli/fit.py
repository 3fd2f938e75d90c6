"""``judder-train fit``: from recordings of a healthy machine to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import click
from click.core import ParameterSource

from agent.inference.columns import BandScale
from trainer.cli.network_options import NetworkChoices, network_options
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
from trainer.cli.progress import progress_bar
from trainer.errors import MethodError
from trainer.networks.models import ARCHITECTURES, default_features
from trainer.settings import (
    FOLDS,
    KINDS,
    PART_NAMES,
    PATCHES,
    PROCESS_BELOW_HZ,
    QUANTIZATIONS,
    USUAL_BANDS,
    FeatureKind,
    FitSettings,
    Kind,
    Loss,
    Method,
    Metric,
    PartName,
    Quantization,
    TrainingSettings,
    parse_method,
)

if TYPE_CHECKING:
    from trainer.bundles.making import FitReport

_FIXED = ("features", "bands", "metric", "eps", "epochs", "batch_size", "learning_rate", "loss")
"""Options that some architectures do not leave to choice."""


def _method(ctx: click.Context, param: click.Parameter, value: str) -> Method:
    try:
        return parse_method(value)
    except MethodError as error:
        raise click.BadParameter(str(error), ctx, param) from error


def _parts(ctx: click.Context, param: click.Parameter, value: str) -> tuple[PartName, ...]:
    names = tuple(name.strip() for name in value.split(","))
    if "network" not in names or not set(names) <= set(PART_NAMES):
        raise click.BadParameter(
            f"'{value}': of {', '.join(PART_NAMES)}, network among them, comma separated", ctx, param
        )
    return tuple(name for name in PART_NAMES if name in names)


seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Same seed, same bundle."
)


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@out_option
@click.option(
    "--columns",
    multiple=True,
    callback=read_columns,
    help="Channels to take, comma separated or repeated.  [default: all]",
)
@rate_option
@click.option(
    "--window",
    type=click.IntRange(4, 65536),
    help="Samples per window.  [default: 0.64 s as a power of two, 32 to 512]",
)
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="What was recorded; process values, such as flow or temperature, need no network.  "
    f"[default: process below {PROCESS_BELOW_HZ:g} Hz, if no --arch is given]",
)
@click.option(
    "--hop",
    type=click.IntRange(1, 65536),
    help="Samples between windows.  [default: 0.04 s, but window / 16 to window / 4]",
)
@click.option(
    "--padding",
    type=click.Choice(["none", "zeros"]),
    default="none",
    show_default=True,
    help="With zeros the first windows of a recording, and after a gap, begin before it.",
)
@click.option(
    "--features",
    type=click.Choice(get_args(FeatureKind)),
    help="The window over its RMS or mapped to 0..1, the log spectrum or its amplitude.  "
    "[default: raw; spectrum for spectral]",
)
@click.option("--bands", type=click.IntRange(2, 32769), help="Bands of a spectrum.  [default: every bin]")
@click.option(
    "--arch",
    type=click.Choice([*ARCHITECTURES]),
    default=PATCHES,
    show_default=True,
    help="Architecture of the network.",
)
@network_options
@click.option(
    "--quantize",
    type=click.Choice(QUANTIZATIONS),
    default=FitSettings.quantization,
    show_default=True,
    help="Numbers that the network computes with.",
)
@click.option(
    "--compare-modes/--no-compare-modes",
    default=True,
    show_default=True,
    help="Tell what the other quantizations would be like.",
)
@click.option(
    "--metric",
    type=click.Choice(get_args(Metric)),
    default=FitSettings.metric,
    show_default=True,
    help="Mean absolute or squared error of a reconstruction, or the Mahalanobis distance of its absolute "
    "errors per time step or band (row) or per axis.",
)
@click.option(
    "--eps",
    type=click.FloatRange(0.0, 1.0),
    default=FitSettings.eps,
    show_default=True,
    help="Added to the errors' variances before a Mahalanobis distance is made of them, as a share.",
)
@click.option(
    "--threshold",
    callback=_method,
    metavar="METHOD",
    default="rate:0.005",
    show_default=True,
    help="Line of the warning level: sigma:K, error-sigma:K (of the network's errors), percentile:P or "
    "rate:P (P healthy windows per window).",
)
@click.option(
    "--alarm",
    callback=_method,
    metavar="METHOD",
    default="rate:0.001",
    show_default=True,
    help="Line of the alarm level, likewise; never below the warning line.",
)
@click.option("--epochs", type=click.IntRange(min=1), default=TrainingSettings.epochs, show_default=True)
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=TrainingSettings.batch_size, show_default=True
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(min=0, min_open=True),
    default=TrainingSettings.learning_rate,
    show_default=True,
)
@click.option(
    "--loss",
    type=click.Choice(get_args(Loss)),
    default=TrainingSettings.loss,
    show_default=True,
    help="Error that training makes small.",
)
@click.option(
    "--parts",
    callback=_parts,
    default=",".join(PART_NAMES),
    show_default=True,
    help="What judges a window.",
)
@click.option(
    "--auto/--no-auto",
    default=True,
    show_default=True,
    help="Let virtual defects in healthy windows choose how the spectrum is watched, where it is not said.",
)
@click.option(
    "--spectrum-scale",
    type=click.Choice(get_args(BandScale)),
    help="Of the amplitudes that the spectrum's part watches.  [default: chosen; linear with --no-auto]",
)
@click.option(
    "--spectrum-bands",
    type=click.IntRange(2, 4096),
    help="Bands that it watches.  [default: chosen; 32 with --no-auto]",
)
@click.option(
    "--folds",
    type=click.IntRange(3, 20),
    default=FOLDS,
    show_default=True,
    help="Blocks of each recording; a network is trained without each.",
)
@seed_option
@name_option
@version_option
@sign_option
@click.option(
    "--export-dir",
    type=click.Path(path_type=Path),
    help="Folder for the network by itself, as Keras and float32 TFLite files; of a vae also encoder and "
    "decoder.",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Go on with what an interrupted fit has kept; all other arguments must be as they were.",
)
@json_option
# Long because click hands over one argument an option; the work is in ``trainer.fit``.
@click.pass_context
def fit(
    ctx: click.Context,
    data: tuple[Path, ...],
    out: Path,
    columns: tuple[str, ...],
    rate_hz: float | None,
    window: int | None,
    kind: Kind | None,
    hop: int | None,
    padding: Literal["none", "zeros"],
    features: FeatureKind | None,
    bands: int | None,
    arch: str,
    choices: NetworkChoices,
    quantize: Quantization,
    compare_modes: bool,
    metric: Metric,
    eps: float,
    threshold: Method,
    alarm: Method,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    loss: Loss,
    parts: tuple[PartName, ...],
    auto: bool,
    spectrum_scale: BandScale | None,
    spectrum_bands: int | None,
    folds: int,
    seed: int,
    name: str | None,
    version: str | None,
    key_file: Path | None,
    export_dir: Path | None,
    resume: Path | None,
    as_json: bool,
) -> None:
    """Learn from DATA, recordings of a healthy machine, and write a bundle.

    Recordings are CSV, NPZ, WAV, MAT, Parquet or UFF58.
    """
    from trainer.bundles.signing import load_key
    from trainer.fit import fit as fit_bundle
    from trainer.networks.checkpoint import CHECKPOINT_SUFFIX, Checkpoint, identify
    from trainer.recordings.datasets import load_source

    kind = _checked_kind(ctx, kind)
    _check_choices(ctx, arch)
    settings = FitSettings(
        window_length=window,
        hop=hop,
        features=features or default_features(arch),
        metric=metric,
        quantization=quantize,
        warning=threshold,
        alarm=alarm,
        network=choices.settings(arch),
        training=TrainingSettings(epochs, TrainingSettings.patience, batch_size, learning_rate, seed, loss),
        bands=bands,
        padding=padding,
        compare_modes=compare_modes,
        spectrum_scale=spectrum_scale or (None if auto else "linear"),
        spectrum_bands=spectrum_bands or (None if auto else USUAL_BANDS),
        eps=eps,
        kind=kind,
        parts=parts,
        folds=folds,
        may_leave_quantization=ctx.get_parameter_source("quantize") is ParameterSource.DEFAULT,
    )
    target = target_of(out, name, version)
    signer = load_key(key_file) if key_file else None
    sources = [load_source(path, columns or None, rate_hz) for path in data]
    kept = resume or out.with_suffix(CHECKPOINT_SUFFIX)
    identity = identify(settings, [source.sha256 for source in sources])
    with progress_bar() as on_progress, Checkpoint(kept, identity, resume is not None) as checkpoint:
        report = fit_bundle(
            sources, settings, target, signer, on_progress, checkpoint=checkpoint, export_to=export_dir
        )
    echo_report(report, as_json)


def echo_report(report: FitReport, as_json: bool) -> None:
    """Print the report on a fit, as text or as JSON."""
    from trainer.bundles.summary import summary, summary_json

    click.echo(summary_json(report) if as_json else summary(report))


def _checked_kind(ctx: click.Context, kind: Kind | None) -> Kind | None:
    given = ctx.get_parameter_source("arch") is not ParameterSource.DEFAULT
    if given and kind == "process":
        raise click.UsageError("process values need no network; leave out --arch, or --kind process")
    return "vibration" if given else kind


def _check_choices(ctx: click.Context, arch: str) -> None:
    given = [name for name in _FIXED if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT]
    if ARCHITECTURES[arch].fixed and given:
        options = ", ".join("--" + name.replace("_", "-") for name in given)
        raise click.UsageError(f"{arch} fixes {options}; leave it out, or choose another --arch")
