"""``judder``: the root of the commands, and how errors reach a person."""

from __future__ import annotations

from typing import Any

import click

from agent.cli.alerts import acknowledge, alerts
from agent.cli.capture import capture
from agent.cli.config import config
from agent.cli.demo import demo
from agent.cli.model import model
from agent.cli.record import record
from agent.cli.regime import regime
from agent.cli.replay import replay
from agent.cli.run import run
from agent.cli.sensor import sensor
from agent.cli.service import service
from agent.cli.status import status
from agent.cli.threshold import threshold
from agent.errors import AgentError
from firmware_bridge.errors import BridgeError


class Commands(click.Group):
    """A group that tells our errors in one line each and exits with 1; click exits with 2 on wrong usage."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run the command; see ``click.Group.invoke``."""
        try:
            return super().invoke(ctx)
        except (AgentError, BridgeError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="judder", prog_name="judder")
def main() -> None:
    """Find machines that are about to fail by the way they shake."""


for command in (
    run,
    status,
    alerts,
    acknowledge,
    record,
    replay,
    model,
    sensor,
    config,
    service,
    threshold,
    regime,
    capture,
    demo,
):
    main.add_command(command)
