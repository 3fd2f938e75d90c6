"""``judder``: the root of the commands, and how errors reach a person."""

from __future__ import annotations

import importlib
import logging
from typing import Any

import click

from agent.errors import AgentError, refusal_of_the_system
from firmware_bridge.errors import BridgeError

logger = logging.getLogger(__name__)

COMMANDS = {
    "run": "run",
    "status": "status",
    "alerts": "alerts",
    "acknowledge": "alerts",
    "record": "record",
    "replay": "replay",
    "model": "model",
    "sensor": "sensor",
    "config": "config",
    "service": "service",
    "threshold": "threshold",
    "regime": "regime",
    "capture": "capture",
    "demo": "demo",
}
"""Each command and its module in this folder, which is imported only when the command is asked for."""


class Commands(click.Group):
    """A group that tells our errors in one line each and exits with 1; click exits with 2 on wrong usage."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"agent.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run the command; see ``click.Group.invoke``."""
        try:
            return super().invoke(ctx)
        except (AgentError, BridgeError) as error:
            raise click.ClickException(str(error)) from error
        except (OSError, ValueError) as error:
            refusal = refusal_of_the_system(error)
            if refusal is None:
                raise
            logger.debug("refused by the system", exc_info=error)
            raise click.ClickException(refusal) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="judder", prog_name="judder")
def main() -> None:
    """Find machines that are about to fail by the way they shake."""
