"""``judder sensor scan``: which accelerometers are there, on one bus or on all of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import json_option
from agent.cli.sensor_options import (
    SensorOptions,
    chosen_sensor,
    described_sensor,
    i2c_bus,
    sensor_options,
)

if TYPE_CHECKING:
    from agent.config.sensor import Sensor
    from firmware_bridge.chip.identity import Answer

_HELD = 'is read by a driver of the kernel: bus = "iio:NAME" (ls /sys/bus/iio/devices), or unload it'

# Looked at where there is no bus at all: opening it says what to do.
_USUAL_BUS = "/dev/i2c-1"


@click.command()
@sensor_options
@json_option
def scan(options: SensorOptions, as_json: bool) -> None:
    """Tell which accelerometers are on a bus, by their identity registers; writes nothing.

    Without --bus and --sensor all I2C buses of this machine are looked at, and the simulated ones of the
    configuration.
    """
    many = options.bus is None and options.sensor is None
    answers, problems = _all_scanned(_places(options), many)
    if as_json:
        click.echo(json.dumps([_as_json(bus, answer) for bus, answer in answers]))
    else:
        _print(answers, many)
    for problem in problems:
        click.echo(problem, err=True)
    if not any(answer.chip for _, answer in answers):
        where = "" if many else f"{options.bus or options.sensor}: "
        raise click.ClickException(where + _nothing(answers, problems))


def _all_scanned(places: list[Sensor], many: bool) -> tuple[list[tuple[str, Answer]], list[str]]:
    """Return who answers on which bus, and, of many buses, why some cannot be looked at."""
    from firmware_bridge.errors import BusError

    answers: list[tuple[str, Answer]] = []
    problems: list[str] = []
    for place in places:
        try:
            answers += _scanned(place)
        except BusError as error:
            if not many:
                raise
            problems.append(str(error))
    return answers, problems


def _print(answers: list[tuple[str, Answer]], many: bool) -> None:
    for bus, answer in answers:
        click.echo(f"{f'{bus}  ' if many else ''}0x{answer.address:02x}  {_line(answer)}")


def _places(options: SensorOptions) -> list[Sensor]:
    """Return the buses to look at, each as a sensor that stands for it, whichever chip is there."""
    from agent.config.file import load_config
    from agent.config.sensor import IIO, SIMULATED
    from firmware_bridge.bus.protocol import bus_names
    from firmware_bridge.chips import CHIPS

    any_chip = replace(options, chip=next(iter(CHIPS)))
    if options.bus is not None and options.chip is None and not options.bus.startswith((SIMULATED, IIO)):
        return [described_sensor(any_chip, options.bus)]
    given = (options.bus, options.sensor, options.chip, options.address, options.rate, options.range)
    if any(value is not None for value in (*given, options.signal)):
        return [chosen_sensor(options)]
    places = [described_sensor(any_chip, bus) for bus in bus_names()]
    if not _is_default_and_absent(options.config_path):
        places += [s for s in load_config(options.config_path).sensors.values() if s.simulated]
    return places or [described_sensor(any_chip, _USUAL_BUS)]


def _is_default_and_absent(path: Path) -> bool:
    from agent.config.file import DEFAULT_PATH

    return path == DEFAULT_PATH and not path.exists()


def _scanned(place: Sensor) -> list[tuple[str, Answer]]:
    from firmware_bridge.chip.identity import scan as scan_bus
    from firmware_bridge.chips import CHIPS

    with i2c_bus(place) as bus:
        return [(bus.name, answer) for answer in scan_bus(bus, CHIPS.values())]


def _line(answer: Answer) -> str:
    from firmware_bridge.chip.identity import description
    from firmware_bridge.chips import CHIPS

    if answer.held:
        return _HELD
    if answer.chip is None:
        return description(answer)
    alike = CHIPS[answer.chip].alike
    return f"{answer.chip}  (so answers {', '.join(alike)}, too)" if alike else answer.chip


def _nothing(answers: list[tuple[str, Answer]], problems: list[str]) -> str:
    """Return why no accelerometer was found; the wiring is to blame only where nobody answers."""
    if answers:
        return "nothing that judder has a driver for; what answers is told above"
    if problems:
        return "no accelerometer found; see above what could not be looked at"
    return "no accelerometer found; check wiring, address jumper and power"


def _as_json(bus: str, answer: Answer) -> dict[str, Any]:
    from firmware_bridge.chips import CHIPS

    return {
        "bus": bus,
        "address": answer.address,
        "chip": answer.chip,
        "held": answer.held,
        "identity": {register.name: value for register, value in answer.identity.items()},
        "relative": answer.relative,
        "alike": list(CHIPS[answer.chip].alike) if answer.chip else [],
    }
