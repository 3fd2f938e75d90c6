"""``judder-train``: the data engineer's commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.errors import AgentError, refusal_of_the_system
from firmware_bridge.errors import BridgeError
from trainer.cli.benchmark import benchmark
from trainer.cli.data import data as data_group
from trainer.cli.derive import calibrate, threshold
from trainer.cli.evaluate import evaluate
from trainer.cli.fit import echo_report, fit
from trainer.cli.import_model import import_command
from trainer.cli.options import json_option, out_option, target_of
from trainer.cli.progress import progress_bar
from trainer.cli.report import report as report_command
from trainer.cli.sweep import sweep
from trainer.errors import TrainerError


class Commands(click.Group):
    """A group that prints our errors in one line each and exits with 1; click exits with 2 on wrong usage."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run the command; see ``click.Group.invoke``."""
        try:
            return super().invoke(ctx)
        except (TrainerError, AgentError, BridgeError) as error:
            raise click.ClickException(str(error)) from error
        except (OSError, ValueError) as error:
            refusal = refusal_of_the_system(error)
            if refusal is None:
                raise
            raise click.ClickException(refusal) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="judder", prog_name="judder-train")
def main() -> None:
    """Train models that know how a healthy machine shakes."""


main.add_command(fit)
main.add_command(benchmark)
main.add_command(sweep)
main.add_command(evaluate)
main.add_command(threshold)
main.add_command(calibrate)
main.add_command(import_command)
main.add_command(report_command)
main.add_command(data_group)


@main.command("demo-model")
@out_option
@json_option
def demo_model(out: Path, as_json: bool) -> None:
    """Rebuild the model of `judder demo` from its simulated machine."""
    from trainer.demo import build_demo

    with progress_bar() as on_progress:
        report = build_demo(target_of(out, None, None), on_progress)
    echo_report(report, as_json)


@main.command()
@click.argument("key_file", type=click.Path(path_type=Path, dir_okay=False))
def keygen(key_file: Path) -> None:
    """Make a key pair: the private key goes to KEY_FILE, the public key is printed."""
    from trainer.bundles.signing import make_key

    click.echo(make_key(key_file).public_key)
    click.echo(f"Gateways that list it under trusted_keys take bundles signed with {key_file}.", err=True)
