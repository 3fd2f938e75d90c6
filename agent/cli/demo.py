"""``judder demo``: the whole gateway on a simulated machine that gets a bearing fault."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from threading import Event, Timer
from typing import TYPE_CHECKING, Any

import click

from agent.cli.local_broker import HOST, LocalBroker, local_broker
from agent.cli.run import start_logging, stop_event

if TYPE_CHECKING:
    from agent.judging.alert import AlertEvent

SETTLE_S = 2.0
"""How long the demo goes on after the alarm, so that it is delivered and seen."""


@click.command()
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    help="Give up if there is no alarm until then.",
)
@click.option("--forever", is_flag=True, help="Go on after the alarm, until Ctrl-C.")
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where configuration and alerts are kept; a new temporary folder if not given.",
)
def demo(seconds: float, forever: bool, state_dir: Path | None) -> None:
    """Watch a simulated machine: healthy at first, then a bearing fault, then an alarm."""
    from agent import daemon
    from agent.config.file import load_config

    start_logging(logging.INFO)
    folder = state_dir or Path(tempfile.mkdtemp(prefix="judder-demo-"))
    stop, alarmed = stop_event(), Event()
    with local_broker() as broker:
        config_path = _prepare(folder, broker)
        click.echo(f"Uplink: {broker.description}.")
        click.echo("The machine is healthy for 8 s; then its bearing fails. SIMULATED sensor, real driver.")

        def listen(event: AlertEvent) -> None:
            click.echo(f"ALERT {event.level} {event.change}: sensor {event.sensor}, score {event.score:.1f}")
            if str(event.level) == "alarm" and not forever:
                alarmed.set()
                _after(SETTLE_S, stop)

        if not forever:
            _after(seconds, stop)
        with _subscribed(broker):
            daemon.run(load_config(config_path), stop, listener=listen)
    if not forever and not alarmed.is_set():
        raise click.ClickException(f"no alarm within {seconds:g} s")
    click.echo(f"Look at the alerts again: judder alerts --config {config_path}")


def _prepare(folder: Path, broker: LocalBroker) -> Path:
    """Write the demo's configuration and bundle into the folder; return the configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    source = resources.files("agent") / "demo"
    text = (source / "demo.toml").read_text(encoding="utf-8")
    config_path = folder / "judder.toml"
    config_path.write_text(f'{text}\n[uplink]\nhost = "{HOST}"\nport = {broker.port}\n', encoding="utf-8")
    with resources.as_file(source / "demo-1.judder") as bundle:
        shutil.copyfile(bundle, folder / "demo-1.judder")
    return config_path


def _after(delay_s: float, stop: Event) -> None:
    timer = Timer(delay_s, stop.set)
    timer.daemon = True
    timer.start()


@contextmanager
def _subscribed(broker: LocalBroker) -> Iterator[None]:
    """Tell what an MQTT client that subscribes to the gateway's alerts receives."""
    if not broker.answers:
        yield
        return
    from paho.mqtt.client import Client, MQTTMessage
    from paho.mqtt.enums import CallbackAPIVersion

    def on_connect(client: Client, *_: Any) -> None:  # noqa: ANN401 - paho's own signature
        client.subscribe("judder/v1/demo/+/+/alert", qos=1)

    def on_message(client: Client, data: object, message: MQTTMessage) -> None:
        alert = json.loads(message.payload)
        click.echo(f"MQTT client received {message.topic}: {alert['level']} {alert['change']}")

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_connect, client.on_message = on_connect, on_message
    client.connect(HOST, broker.port)
    client.loop_start()
    try:
        yield
    finally:
        client.disconnect()
        client.loop_stop()
