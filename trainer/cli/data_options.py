"""Options with which a command is given recordings, and what is known about them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trainer.cli.options import rate_option, read_columns
from trainer.errors import MethodError

if TYPE_CHECKING:
    from agent.inference.bundle import Bundle
    from agent.inference.detector import Detector
    from agent.inference.manifest import Manifest
    from trainer.evaluation.scored import ScoredRecording
    from trainer.recordings.labels import Assumption, Label, LabelledSource

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_MANY = ("--data", "--normal", "--anomalous")

bundle_argument = click.argument("bundle", type=_FILE)
data_files = click.option(
    "--data", multiple=True, type=_FILE, help="Recordings (CSV, NPZ, WAV, MAT, Parquet or UFF58)."
)
columns_option = click.option(
    "--columns",
    multiple=True,
    callback=read_columns,
    help="Channels to take, in the model's order.  [default: those of the model's names]",
)


class ManyFiles(click.Command):
    """A command whose file options take all names up to the next option: ``--data *.csv``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option before each of its names; see ``click.Command.parse_args``."""
        spread: list[str] = []
        option: str | None = None
        for argument in args:
            if argument.startswith("-") or option is None:
                option = None
                spread.append(argument)
            else:
                spread += [argument] if spread[-1] == option else [option, argument]
            if argument in _MANY:
                option = argument
        return super().parse_args(ctx, spread)


@dataclass(frozen=True, kw_only=True)
class DataChoice:
    """Recordings as they were asked for."""

    data: tuple[Path, ...]
    normal: tuple[Path, ...]
    anomalous: tuple[Path, ...]
    labels: Path | None
    assumptions: tuple[Assumption, ...]
    columns: tuple[str, ...]
    rate_hz: float | None

    @property
    def labelled(self) -> bool:
        """True if something is known about the rows of ``data``."""
        return self.labels is not None or bool(self.assumptions)

    def __bool__(self) -> bool:
        """Return whether any recording was given."""
        return bool(self.data or self.normal or self.anomalous)

    def load(self, axes: Sequence[str], unlabelled: Label) -> list[LabelledSource]:
        """Read the recordings and their labels.

        Args:
            axes: Of the bundle; the channels of these names are taken unless others were asked for.
            unlabelled: What ``data`` is if nothing is known about it.

        Raises:
            UsageError: If the number of columns is not that of the axes.
            DataError: If the labels do not fit the recordings.
            RecordingError: If a file cannot be read.
        """
        from trainer.recordings.datasets import load_source
        from trainer.recordings.labels import Label, label_sources, load_labels, whole

        columns = self.columns or tuple(axes)
        if len(columns) != len(axes):
            raise click.UsageError(f"--columns names {len(columns)} channels, the model takes {len(axes)}")
        data, normal, anomalous = (
            [load_source(path, columns, self.rate_hz) for path in paths]
            for paths in (self.data, self.normal, self.anomalous)
        )
        base = unlabelled
        if self.labelled:
            base = Label.IGNORE if self.assumptions else Label.NORMAL
        labels = load_labels(self.labels) if self.labels else {}
        return [
            *label_sources(data, labels, self.assumptions, base),
            *(whole(source, Label.NORMAL) for source in normal),
            *(whole(source, Label.ANOMALY) for source in anomalous),
        ]


def data_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options; it gets a ``DataChoice`` as its argument ``chosen``."""

    @functools.wraps(command)
    def wrapped(**options: Any) -> None:  # noqa: ANN401 - click's options have many types
        names = ("data", "normal", "anomalous", "labels", "assumptions", "columns", "rate_hz")
        chosen = DataChoice(**{name: options.pop(name) for name in names})
        if (chosen.labels or chosen.assumptions) and not chosen.data:
            raise click.UsageError("--labels and --assume are about --data, which is not given")
        command(chosen=chosen, **options)

    options = [
        data_files,
        click.option("--normal", multiple=True, type=_FILE, help="Recordings that are healthy throughout."),
        click.option(
            "--anomalous", multiple=True, type=_FILE, help="Recordings that are anomalous throughout."
        ),
        click.option(
            "--labels",
            type=_FILE,
            help="CSV of file, first_row, last_row (or first_s, last_s), label (anomaly, normal, ignore) "
            "about --data; rows without a label are normal.",
        ),
        click.option(
            "--assume",
            "assumptions",
            multiple=True,
            callback=_assumptions,
            metavar="LABEL:first|last:TIME",
            help="Known of each file of --data, such as normal:first:1h or anomaly:last:10min; rows without "
            "a label are then left out.",
        ),
        columns_option,
        rate_option,
    ]
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped


def opened(path: Path) -> tuple[Detector, Bundle]:
    """Open a bundle as a gateway does, without the runtime's chatter.

    Raises:
        BundleError: See ``agent.inference.detector.open_detector``.
    """
    from agent.inference.detector import open_detector
    from trainer.system.quiet import diverted_output

    with diverted_output():
        return open_detector(path)


def judged(detector: Detector, labelled: Sequence[LabelledSource]) -> list[ScoredRecording]:
    """Judge recordings; on a terminal with a bar that shows how far it is.

    Raises:
        DataError: See ``trainer.evaluation.scored.score``.
    """
    from trainer.evaluation.scored import score, window_count

    if not sys.stderr.isatty():
        return score(detector, labelled)
    total = window_count(labelled, detector.manifest.window)
    with click.progressbar(length=total, label="judging", file=sys.stderr) as bar:
        return score(detector, labelled, bar.update)


def warn_of_learnt(labelled: Sequence[LabelledSource], manifest: Manifest) -> None:
    """Say on stderr which recordings the network has learnt from."""
    from trainer.evaluation.scored import learnt_from

    if known := learnt_from([one.source for one in labelled], manifest):
        click.echo(f"Note: the network has learnt from {', '.join(known)}; scores are lower there.", err=True)


def _assumptions(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> tuple[Assumption, ...]:
    from trainer.recordings.labels import parse_assumption

    try:
        return tuple(parse_assumption(text) for text in value)
    except MethodError as error:
        raise click.BadParameter(str(error), ctx, param) from error
