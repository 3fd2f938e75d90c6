"""``judder-train``: the data engineer's commands."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from agent.errors import AgentError
from agent.inference.manifest import Name
from firmware_bridge.errors import BridgeError
from trainer.errors import MethodError, TrainerError
from trainer.models import ACTIVATIONS, ARCHITECTURES, NetworkSettings
from trainer.quantization import QUANTIZATIONS, Quantization
from trainer.scaling import FeatureKind
from trainer.settings import FitSettings, Metric
from trainer.thresholds import Method, parse_method
from trainer.training import EpochCallback, TrainingSettings

if TYPE_CHECKING:
    from trainer.fit import FitReport, Target

_SUFFIX = ".judder"
_VERSIONED = re.compile(r"(.+)-(v?\d[A-Za-z0-9._]*)")
_NAME = get_args(Name)[1]


class Commands(click.Group):
    """A group that tells our errors in one line each and exits with 1; click exits with 2 on wrong usage."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run the command; see ``click.Group.invoke``."""
        try:
            return super().invoke(ctx)
        except (TrainerError, AgentError, BridgeError) as error:
            raise click.ClickException(str(error)) from error


def _out_path(ctx: click.Context, param: click.Parameter, value: Path) -> Path:
    if value.suffix != _SUFFIX:
        raise click.BadParameter(f"'{value}': a bundle's name ends in {_SUFFIX}", ctx, param)
    return value


def _name(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(_NAME.expression, value):
        raise click.BadParameter(f"'{value}': expected {_NAME.expected}", ctx, param)
    return value


def _method(ctx: click.Context, param: click.Parameter, value: str) -> Method:
    try:
        return parse_method(value)
    except MethodError as error:
        raise click.BadParameter(str(error), ctx, param) from error


def _units(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
    sizes = [text.strip() for text in value.split(",")]
    if not all(size.isdecimal() and 0 < int(size) <= 65536 for size in sizes):
        message = f"'{value}': layer sizes are whole numbers above 0, such as 64,16,64"
        raise click.BadParameter(message, ctx, param)
    return tuple(int(size) for size in sizes)


def _columns(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.strip() for text in value for name in text.split(",") if name.strip())


out_option = click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_out_path,
    help=f"Bundle to write, NAME-VERSION{_SUFFIX}.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Same seed, same bundle."
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="judder", prog_name="judder-train")
def main() -> None:
    """Train models that know how a healthy machine shakes."""


@main.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@out_option
@click.option(
    "--columns",
    multiple=True,
    callback=_columns,
    help="Channels to take, comma separated or repeated.  [default: all]",
)
@click.option(
    "--rate",
    "rate_hz",
    type=click.FloatRange(min=0, min_open=True),
    help="Sample rate in Hz, if the file does not say.",
)
@click.option(
    "--window",
    type=click.IntRange(4, 65536),
    help="Samples per window.  [default: 0.64 s as a power of two, 32 to 512]",
)
@click.option("--hop", type=click.IntRange(1, 65536), help="Samples between windows.  [default: window / 4]")
@click.option(
    "--features", type=click.Choice(get_args(FeatureKind)), default=FitSettings.features, show_default=True
)
@click.option(
    "--arch",
    type=click.Choice(list(ARCHITECTURES)),
    default=NetworkSettings.architecture,
    show_default=True,
    help="Architecture of the autoencoder.",
)
@click.option(
    "--units",
    callback=_units,
    metavar="N,N,...",
    default="64,16,64",
    show_default=True,
    help="Sizes of the hidden layers.",
)
@click.option(
    "--activation",
    type=click.Choice(ACTIVATIONS),
    default=NetworkSettings.activation,
    show_default=True,
    help="Of the hidden layers.",
)
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
@seed_option
@click.option("--name", callback=_name, help="Name of the model.  [default: from --out]")
@click.option("--version", callback=_name, help="Version of the model.  [default: from --out, else 1]")
@click.option(
    "--sign",
    "key_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Sign with this private key (see keygen).",
)
@json_option
def fit(
    data: tuple[Path, ...],
    out: Path,
    columns: tuple[str, ...],
    rate_hz: float | None,
    window: int | None,
    hop: int | None,
    features: FeatureKind,
    arch: str,
    units: tuple[int, ...],
    activation: str,
    quantize: Quantization,
    metric: Metric,
    threshold: Method,
    alarm: Method,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    name: str | None,
    version: str | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Learn from DATA, recordings (CSV or NPZ) of a healthy machine, and write a bundle."""
    from trainer.datasets import load_source
    from trainer.fit import fit as fit_bundle
    from trainer.signing import load_key

    network = NetworkSettings(arch, units, activation)
    training = TrainingSettings(epochs, TrainingSettings.patience, batch_size, learning_rate, seed)
    settings = FitSettings(window, hop, features, metric, quantize, threshold, alarm, network, training)
    target = _target(out, name, version)
    signer = load_key(key_file) if key_file else None
    sources = [load_source(path, columns or None, rate_hz) for path in data]
    with _progress(epochs) as on_epoch:
        report = fit_bundle(sources, settings, target, signer, on_epoch)
    _tell(report, as_json)


@main.command("demo-model")
@out_option
@json_option
def demo_model(out: Path, as_json: bool) -> None:
    """Rebuild the model of `judder demo` from its simulated machine."""
    from trainer.demo import SETTINGS, build_demo

    with _progress(SETTINGS.training.epochs) as on_epoch:
        report = build_demo(_target(out, None, None), on_epoch)
    _tell(report, as_json)


@main.command()
@click.argument("key_file", type=click.Path(path_type=Path, dir_okay=False))
def keygen(key_file: Path) -> None:
    """Make a key pair: the private key goes to KEY_FILE, the public key is printed."""
    from trainer.signing import make_key

    click.echo(make_key(key_file).public_key)
    click.echo(f"Gateways that list it under trusted_keys take bundles signed with {key_file}.", err=True)


def _target(out: Path, name: str | None, version: str | None) -> Target:
    """Return what the bundle is called: as stated, else as its file is."""
    from trainer.fit import Target

    parts = _VERSIONED.fullmatch(out.stem)
    named, numbered = parts.groups() if parts else (out.stem, "1")
    if name is None and not re.fullmatch(_NAME.expression, named):
        raise click.UsageError(
            f"'{named}' cannot be a model's name ({_NAME.expected}); state one with --name"
        )
    return Target(out, name or named, version or numbered)


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
