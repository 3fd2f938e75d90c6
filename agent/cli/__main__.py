"""``python -m agent.cli``, for where the console script is not on the path."""

from agent.cli.main import main

main(prog_name="judder")
