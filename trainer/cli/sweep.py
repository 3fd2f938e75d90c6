"""``judder-train sweep``: the search for good layers and training settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from trainer.cli.data_options import DataChoice, ManyFiles, data_options
from trainer.cli.options import json_option
from trainer.cli.progress import progress_bar
from trainer.networks.models import default_features
from trainer.settings import FeatureKind, FitSettings, Loss, TrainingSettings
from trainer.sweep.space import Space, default_space, default_text, load_space, searchable

if TYPE_CHECKING:
    import optuna

    from trainer.sweep.trials import Job

_OBJECTIVES = ("loss", "roc-auc", "pr-auc")
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


def _print_space(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(default_text(value), nl=False)
        ctx.exit()


@click.command(cls=ManyFiles)
@click.argument("healthy", nargs=-1, required=True, metavar="HEALTHY...", type=_FILE)
@click.option(
    "--study",
    "storage",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File that the trials are kept in; the same command goes on with it.",
)
@click.option(
    "--arch", type=click.Choice(searchable()), default="dense", show_default=True, help="Architecture."
)
@click.option("--space", "space_file", type=_FILE, help="TOML of what is tried.  [default: by architecture]")
@click.option(
    "--print-space",
    type=click.Choice(searchable()),
    is_eager=True,
    expose_value=False,
    callback=_print_space,
    help="Print the default space of an architecture as TOML, and do nothing else.",
)
@click.option("--trials", type=click.IntRange(1, 100_000), default=50, show_default=True, help="In all.")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="At the same time.")
@click.option(
    "--objective",
    type=click.Choice(_OBJECTIVES),
    help="Error of reconstruction on held-out windows, or how well it tells labelled ones apart.  "
    "[default: loss; roc-auc with labelled recordings]",
)
@click.option(
    "--window",
    type=click.IntRange(4, 65536),
    help="Samples per window.  [default: 0.64 s as a power of two, 32 to 512]",
)
@click.option("--hop", type=click.IntRange(1, 65536), help="Samples between windows.  [default: window / 4]")
@click.option("--features", type=click.Choice(get_args(FeatureKind)), help="See fit.")
@click.option("--bands", type=click.IntRange(2, 32769), help="Bands of a spectrum.  [default: every bin]")
@click.option("--metric", type=click.Choice(("mae", "mse")), default=FitSettings.metric, show_default=True)
@click.option("--epochs", type=click.IntRange(min=1), default=TrainingSettings.epochs, show_default=True)
@click.option("--loss", type=click.Choice(get_args(Loss)), default=TrainingSettings.loss, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**16), default=0, show_default=True)
@data_options
@json_option
# Long because click hands over one argument an option; the work is in ``trainer.sweep``.
def sweep(
    healthy: tuple[Path, ...],
    storage: Path,
    arch: str,
    space_file: Path | None,
    trials: int,
    jobs: int,
    objective: str | None,
    window: int | None,
    hop: int | None,
    features: FeatureKind | None,
    bands: int | None,
    metric: Loss,
    epochs: int,
    loss: Loss,
    seed: int,
    chosen: DataChoice,
    as_json: bool,
) -> None:
    """Search layers and training settings for recordings of a HEALTHY machine.

    With labelled recordings (--normal, --anomalous, or --data with --labels) a trial is judged by how well
    the reconstruction's error tells them apart. Nothing is written but the file of the trials.
    """
    from trainer.networks.models import ARCHITECTURES
    from trainer.settings import NetworkSettings

    if objective not in (None, "loss") and not chosen:
        raise click.UsageError(f"--objective {objective} needs labelled recordings: --normal and --anomalous")
    space = load_space(space_file, arch) if space_file else default_space(arch)
    settings = FitSettings(
        window_length=window,
        hop=hop,
        features=features or default_features(arch),
        metric=metric,
        quantization="float32",
        network=NetworkSettings(arch, (1,) * len(ARCHITECTURES[arch].units)),
        training=TrainingSettings(epochs=epochs, seed=seed, loss=loss),
        bands=bands,
    )
    job, study = _opened(healthy, storage, settings, space, objective, chosen)
    _search(job, study, storage, trials, jobs)
    _echo_outcome(job, study, _given(healthy, settings, chosen), as_json)


def _opened(
    healthy: tuple[Path, ...],
    storage: Path,
    settings: FitSettings,
    space: Space,
    objective: str | None,
    chosen: DataChoice,
) -> tuple[Job, optuna.Study]:
    """Return what each trial needs, and the search in ``storage``, new or to be gone on with."""
    from trainer.networks.checkpoint import identify
    from trainer.recordings.datasets import load_source
    from trainer.recordings.labels import Label
    from trainer.sweep.trials import Objective, open_study, prepare

    sources = [load_source(path, chosen.columns or None, chosen.rate_hz) for path in healthy]
    labelled = chosen.load(sources[0].recording.columns, Label.IGNORE) if chosen else []
    judged: Objective = objective or ("roc-auc" if labelled else "loss")  # type: ignore[assignment]
    job = prepare(sources, labelled, settings, space, judged)
    hashes = [source.sha256 for source in (*sources, *(one.source for one in labelled))]
    return job, open_study(storage, {**identify(settings, hashes), "space": repr(space)}, judged)


def _search(job: Job, study: optuna.Study, storage: Path, trials: int, jobs: int) -> None:
    """Run the trials behind a bar.

    Raises:
        SearchError: If none came to an end.
    """
    from trainer.errors import SearchError
    from trainer.sweep import search, text

    with progress_bar() as on_progress:
        search.search(
            job,
            study,
            storage,
            trials=trials,
            jobs=jobs,
            seed=job.training.seed,
            on_trial=lambda done: on_progress(f"trial {done} of {trials}", min(done / trials, 1.0)),
        )
    if not text.best_trials(study, job.objective):
        reasons = ", ".join(f"{count} x {reason}" for reason, count in text.reasons(study).items())
        raise SearchError(f"none of {trials} trials came to an end ({reasons}); try another --space")


def _echo_outcome(job: Job, study: optuna.Study, given: list[str], as_json: bool) -> None:
    """Print the best trials, and the command that makes a bundle of the very best."""
    from trainer.sweep import text

    command = text.fit_command(job.space, text.best_trials(study, job.objective)[0], given)
    if as_json:
        click.echo(text.as_json(study, job.objective, command))
    else:
        table = text.table(study, job.objective, job.space)
        click.echo(f"{table}\n\nthe best again, as a bundle:\n{command}")


def _given(healthy: tuple[Path, ...], settings: FitSettings, chosen: DataChoice) -> list[str]:
    """Return the recordings and options of ``fit`` that were the same for all trials."""
    training, default = settings.training, TrainingSettings()
    options: dict[str, object] = {
        "columns": ",".join(chosen.columns) or None,
        "rate": chosen.rate_hz,
        "window": settings.window_length,
        "hop": settings.hop,
        "features": settings.features,
        "bands": settings.bands,
        "metric": settings.metric,
        "epochs": training.epochs,
        "loss": training.loss if training.loss != default.loss else None,
        "seed": training.seed or None,
    }
    given = [f"--{name}={value}" for name, value in options.items() if value is not None]
    return [*map(str, healthy), *given]
