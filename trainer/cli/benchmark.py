"""``judder-train benchmark``: what is found on public recordings of real machines."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from trainer.cli.options import json_option
from trainer.cli.progress import progress_bar
from trainer.networks.models import ARCHITECTURES
from trainer.settings import PATCHES, FitSettings, TrainingSettings

MACHINES = ("robot", "fan", "lorenz", "lorenz-24s", "cwru", "cwru-50mg", "cwru-unit")
ROWS = ("robot-rows", "valve-rows")
"""As in ``trainer.benchmark.recordings``, which loads SciPy."""


@click.command()
@click.option(
    "--data",
    "folder",
    required=True,
    envvar="JUDDER_DATA",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of the recordings; JUDDER_DATA if not given.",
)
@click.option(
    "--arch",
    "architectures",
    multiple=True,
    type=click.Choice([*ARCHITECTURES, "all"]),
    default=(PATCHES,),
    show_default=True,
    help="Architecture, repeatable.",
)
@click.option(
    "--machine",
    "machines",
    multiple=True,
    type=click.Choice([*MACHINES, *ROWS]),
    help="Set of recordings, repeatable; rows are counted one by one, by the default alone.  [default: all]",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=TrainingSettings.epochs,
    show_default=True,
    help="Of all architectures but the default one.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@json_option
def benchmark(
    folder: Path,
    architectures: tuple[str, ...],
    machines: tuple[str, ...],
    epochs: int,
    seed: int,
    as_json: bool,
) -> None:
    """Learn from healthy recordings of real machines, and tell what is found in their defective ones.

    One configuration for all machines. Beside each architecture, with all its parts and quantized as it
    ships, stand simple detectors on the same windows; all lines come from healthy windows only.
    """
    from trainer.benchmark import table
    from trainer.benchmark.recordings import load_machine
    from trainer.benchmark.run import run

    chosen = tuple(ARCHITECTURES) if "all" in architectures else architectures
    settings = FitSettings(training=TrainingSettings(epochs=epochs, seed=seed), may_leave_quantization=True)
    formatted = table.row_json if as_json else table.row
    for name in machines or (*MACHINES, *ROWS):
        if name in ROWS:
            _echo_rows(name, folder, seed, as_json)
            continue
        machine = load_machine(name, folder, seed)
        if not as_json:
            click.echo(table.head(machine.name))
        with progress_bar() as on_progress:
            run(machine, chosen, settings, on_progress, lambda figures: click.echo(formatted(figures)))


def _echo_rows(name: str, folder: Path, seed: int, as_json: bool) -> None:
    from trainer.benchmark import events, rows

    settings = FitSettings(training=TrainingSettings(seed=seed), may_leave_quantization=True)
    with progress_bar() as on_progress:
        if name == "robot-rows":
            counted, alerts = rows.robot_arm(folder, settings, on_progress)
        else:
            counted, alerts = rows.valves(folder, settings, on_progress), []
    if as_json:
        click.echo("\n".join(json.dumps(one) for one in [*map(asdict, counted), *map(asdict, alerts)]))
    else:
        texts = (rows.row_lines(counted), events.event_lines(alerts))
        click.echo("\n".join(text for text in texts if text))
