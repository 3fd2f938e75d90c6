"""``judder config``: look at a configuration before a daemon does, and have it loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import config_option, json_option
from agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = ("password", "secret", "token")
MASK = "********"


@click.group()
def config() -> None:
    """Check, show and reload configuration files."""


@config.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def check(file: Path) -> None:
    """Tell every problem in FILE, and whether it can work here; no bus is opened.

    Looked at are sensors, bundles, folders and the files of the uplink.
    Run it as root or as the daemon's user, who may read what the daemon reads.
    """
    from agent import preflight
    from agent.config.file import load_config

    loaded = load_config(file)
    for note in preflight.absent_buses(loaded):
        click.echo(f"note: {note}", err=True)
    try:
        preflight.check(loaded)
    except ConfigError as error:
        raise error.at(file) from error
    sensors = ", ".join(f"{name} ({sensor.chip} on {sensor.bus})" for name, sensor in loaded.sensors.items())
    click.echo(f"{file}: good. Sensors: {sensors}.")


@config.command()
@config_option
@json_option
def show(config_path: Path, as_json: bool) -> None:
    """Tell the effective values, defaults included; a secret is told as stars."""
    from agent.config.file import load_config
    from agent.decode import encode

    document = _masked(encode(load_config(config_path)))
    click.echo(json.dumps(document, indent=1) if as_json else "\n".join(_lines(document, ())))


@config.command()
@config_option
def reload(config_path: Path) -> None:
    """Have the running daemon load its configuration again, as SIGHUP does.

    What may change: telemetry, uplink, metrics, and the alarm table of each sensor. Anything else is refused,
    and then nothing changes.
    """
    from agent.config.file import load_config
    from agent.control.socket import request

    answer: Any = request(load_config(config_path).control_socket, "reload", timeout_s=30.0)
    click.echo(f"reloaded: {', '.join(answer['changed']) or 'no change'}")


def _masked(value: Any) -> Any:  # noqa: ANN401 - any TOML value
    """Return a document with what may be secret masked; the names of files are none."""
    if isinstance(value, dict):
        return {key: MASK if _is_secret(key, item) else _masked(item) for key, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value


def _is_secret(key: str, value: object) -> bool:
    named = key.endswith(("_file", "_credential"))
    return isinstance(value, str) and not named and any(word in key for word in SECRET)


def _lines(table: dict[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """Yield the document as TOML."""
    if path:
        yield f"[{'.'.join(path)}]"
    for key, value in table.items():
        if not isinstance(value, dict):
            yield f"{key} = {_toml(value)}"
    yield ""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _lines(value, (*path, key))


def _toml(value: Any) -> str:  # noqa: ANN401 - any TOML value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)  # numbers, booleans and texts are written alike
