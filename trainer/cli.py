"""``judder-train``: the data engineer's commands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from click.core import ParameterSource

from agent.errors import AgentError
from firmware_bridge.errors import BridgeError
from trainer.cli_data import data as data_group
from trainer.cli_derive import calibrate, threshold
from trainer.cli_evaluate import evaluate
from trainer.cli_import import import_command
from trainer.cli_report import report as report_command
from trainer.errors import MethodError, TrainerError
from trainer.models import ARCHITECTURES, NetworkSettings
from trainer.network_options import NETWORK_OPTIONS, NetworkChoices, network_options
from trainer.options import (
    json_option,
    name_option,
    out_option,
    rate_option,
    read_columns,
    sign_option,
    target_of,
    version_option,
)
from trainer.quantization import QUANTIZATIONS, Quantization
from trainer.scaling import FeatureKind
from trainer.settings import RECIPE, FitSettings, Metric, default_features
from trainer.thresholds import Method, parse_method
from trainer.training import EpochCallback, Loss, TrainingSettings

if TYPE_CHECKING:
    from trainer.fit import FitReport

_FIXED = (
    *("features", "bands", "metric", "epochs", "batch_size", "learning_rate", "loss"),
    *NETWORK_OPTIONS,
)
"""Options of ``fit`` that the recipe chooses itself."""


class Commands(click.Group):
    """A group that tells our errors in one line each and exits with 1; click exits with 2 on wrong usage."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run the command; see ``click.Group.invoke``."""
        try:
            return super().invoke(ctx)
        except (TrainerError, AgentError, BridgeError) as error:
            raise click.ClickException(str(error)) from error


def _method(ctx: click.Context, param: click.Parameter, value: str) -> Method:
    try:
        return parse_method(value)
    except MethodError as error:
        raise click.BadParameter(str(error), ctx, param) from error


seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Same seed, same bundle."
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="judder", prog_name="judder-train")
def main() -> None:
    """Train models that know how a healthy machine shakes."""


main.add_command(evaluate)
main.add_command(threshold)
main.add_command(calibrate)
main.add_command(import_command)
main.add_command(report_command)
main.add_command(data_group)


@main.command()
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
@click.option("--hop", type=click.IntRange(1, 65536), help="Samples between windows.  [default: window / 4]")
@click.option(
    "--features",
    type=click.Choice(get_args(FeatureKind)),
    help="The window over its RMS or mapped to 0..1, the log spectrum or its amplitude.  "
    "[default: raw; spectrum for spectral]",
)
@click.option("--bands", type=click.IntRange(2, 32769), help="Bands of a spectrum.  [default: every bin]")
@click.option(
    "--arch",
    type=click.Choice([RECIPE, *ARCHITECTURES]),
    help="Architecture, or the recipe, which chooses for itself.  [default: recipe; dense if an option is "
    "given that the recipe fixes]",
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
    "--metric",
    type=click.Choice(get_args(Metric)),
    default=FitSettings.metric,
    show_default=True,
    help="Mean squared or mean absolute error of a reconstruction.",
)
@click.option(
    "--threshold",
    callback=_method,
    metavar="METHOD",
    default="rate:0.005",
    show_default=True,
    help="Line of the warning level: sigma:K, percentile:P or rate:P (P healthy windows per window).",
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
@seed_option
@name_option
@version_option
@sign_option
@json_option
# Long because click hands over one argument an option; the work is in ``trainer.fit`` and ``recipe``.
@click.pass_context
def fit(
    ctx: click.Context,
    data: tuple[Path, ...],
    out: Path,
    columns: tuple[str, ...],
    rate_hz: float | None,
    window: int | None,
    hop: int | None,
    features: FeatureKind | None,
    bands: int | None,
    arch: str | None,
    choices: NetworkChoices,
    quantize: Quantization,
    metric: Metric,
    threshold: Method,
    alarm: Method,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    loss: Loss,
    seed: int,
    name: str | None,
    version: str | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Learn from DATA, recordings of a healthy machine, and write a bundle.

    Recordings are CSV, NPZ, WAV, MAT, Parquet or UFF58.
    """
    from trainer.datasets import load_source
    from trainer.fit import fit as fit_bundle
    from trainer.models.patches import REPORTS
    from trainer.recipe import fit_recipe
    from trainer.signing import load_key

    arch = _architecture(ctx, arch)
    network = NetworkSettings(RECIPE) if arch == RECIPE else choices.settings(arch)
    training = TrainingSettings(epochs, TrainingSettings.patience, batch_size, learning_rate, seed, loss)
    features = features or default_features(arch)
    settings = FitSettings(
        window,
        hop,
        features,
        metric,
        quantize,
        threshold,
        alarm,
        network,
        training,
        bands=bands,
        may_leave_quantization=ctx.get_parameter_source("quantize") is ParameterSource.DEFAULT,
    )
    target = target_of(out, name, version)
    signer = load_key(key_file) if key_file else None
    sources = [load_source(path, columns or None, rate_hz) for path in data]
    fitted = fit_recipe if arch == RECIPE else fit_bundle
    with _progress(REPORTS if arch == RECIPE else epochs) as on_epoch:
        report = fitted(sources, settings, target, signer, on_epoch)
    _tell(report, as_json)


def _architecture(ctx: click.Context, arch: str | None) -> str:
    """Return the architecture: as asked for, else the recipe, unless an option that it fixes was given."""
    given = [name for name in _FIXED if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT]
    if arch == RECIPE and given:
        options = ", ".join("--" + name.replace("_", "-") for name in given)
        raise click.UsageError(f"the recipe fixes {options}; leave it out, or choose an --arch")
    return arch or (NetworkSettings.architecture if given else RECIPE)


@main.command("demo-model")
@out_option
@json_option
def demo_model(out: Path, as_json: bool) -> None:
    """Rebuild the model of `judder demo` from its simulated machine."""
    from trainer.demo import SETTINGS, build_demo

    with _progress(SETTINGS.training.epochs) as on_epoch:
        report = build_demo(target_of(out, None, None), on_epoch)
    _tell(report, as_json)


@main.command()
@click.argument("key_file", type=click.Path(path_type=Path, dir_okay=False))
def keygen(key_file: Path) -> None:
    """Make a key pair: the private key goes to KEY_FILE, the public key is printed."""
    from trainer.signing import make_key

    click.echo(make_key(key_file).public_key)
    click.echo(f"Gateways that list it under trusted_keys take bundles signed with {key_file}.", err=True)


@contextmanager
def _progress(epochs: int) -> Iterator[EpochCallback]:
    if not sys.stderr.isatty():
        yield lambda loss: None
        return
    with click.progressbar(length=epochs, label="training", file=sys.stderr) as bar:

        def advance(loss: float) -> None:
            bar.label = f"training, validation loss {loss:.4g}"
            bar.update(1)

        yield advance


def _tell(report: FitReport, as_json: bool) -> None:
    from trainer.summary import summary, summary_json

    click.echo(summary_json(report) if as_json else summary(report))
