"""The options by which a command is told which sensor to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import config_option

if TYPE_CHECKING:
    from agent.config.sensor import Sensor
    from firmware_bridge.bus.protocol import I2CBus
    from firmware_bridge.chip.identity import Answer

# Rates that leave the wire and the reader enough room, if nobody asked for another.
_EASY_RATE_HZ = 1000.0
_USUAL_RANGE_G = 16.0


@dataclass(frozen=True)
class SensorOptions:
    """What was asked for: a sensor of the configuration, or one described by options."""

    config_path: Path
    sensor: str | None
    bus: str | None
    chip: str | None
    address: int | None
    rate: float | None
    range: float | None
    signal: str | None


def sensor_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options; it gets a ``SensorOptions`` as its first argument."""

    @wraps(command)
    def with_options(**arguments: Any) -> None:  # noqa: ANN401 - click's own signature
        chosen = {name: arguments.pop(name) for name in SensorOptions.__dataclass_fields__}
        command(SensorOptions(**chosen), **arguments)

    for option in _OPTIONS:
        with_options = option(with_options)
    return with_options


def chosen_sensor(options: SensorOptions) -> Sensor:
    """Return the sensor that was asked for; a chip that was not named is looked for on its bus.

    Raises:
        click.UsageError: If the options contradict each other, or leave open which sensor is meant.
        ConfigError: If the configuration cannot be used.
        BusError: If the bus cannot be read.
        SensorError: If no known chip is where it was asked for.
    """
    if options.bus is None:
        return _configured_sensor(options)
    if options.sensor is not None:
        raise click.UsageError("--sensor names one of the configuration; it does not go with --bus")
    return described_sensor(options, options.bus)


def described_sensor(options: SensorOptions, bus: str) -> Sensor:
    """Return a sensor as the options describe it, with defaults that suit the chip.

    Raises:
        click.UsageError: If an option does not fit the bus, or the chip is left open.
        BusError: If the chip was not named, and the bus cannot be read.
        SensorError: If the chip is not known.
    """
    from agent.config.sensor import IIO, SIMULATED

    simulated = bus.startswith(SIMULATED)
    if options.signal is not None and not simulated:
        raise click.UsageError(f"--signal is for simulated buses (sim:NAME); {bus} is a real one")
    if bus.startswith(IIO):
        return _kernel_sensor(options, bus)
    if options.chip is not None:
        return _sensor(options, bus, options.chip, options.address)
    if simulated:
        raise click.UsageError("--chip is needed: a simulated bus has no chip of its own")
    found = _found_on(bus, options.address)
    return _sensor(options, bus, found.chip or "", found.address)


@contextmanager
def i2c_bus(chosen: Sensor) -> Iterator[I2CBus]:
    """Give a sensor's I2C bus; closed at the end.

    Raises:
        click.UsageError: If the kernel's driver has the sensor, so that nobody else can ask it.
        BusError: If the bus cannot be opened.
    """
    from agent.config.sensor import IIO
    from agent.sensing.opening import sensor_bus
    from firmware_bridge.clock import SystemClock

    if chosen.bus.startswith(IIO):
        raise click.UsageError(f"{chosen.bus} belongs to the kernel's driver; try: judder sensor read")
    with sensor_bus(chosen, SystemClock()) as bus:
        yield bus


def find_chip(bus: I2CBus, address: int | None) -> Answer:
    """Return the known chip at an address, or the only one on the bus; nothing is written.

    Raises:
        click.UsageError: If the bus has none or several, and no address was given.
        BusError: If nobody answers at the address, or the bus fails.
        SensorError: If what answers there is not known.
    """
    from firmware_bridge.chip.identity import description, look_at, scan
    from firmware_bridge.chips import CHIPS
    from firmware_bridge.errors import SensorError

    if address is not None:
        bus.read(address, 0, 1)
        there = look_at(bus, address, CHIPS.values())
        if there.chip is None:
            raise SensorError(
                f"{bus.name} at 0x{address:02x}: {description(there)}; known are: {', '.join(CHIPS)}"
            )
        return there
    answers = scan(bus, CHIPS.values())
    found = [answer for answer in answers if answer.chip is not None]
    if len(found) == 1:
        return found[0]
    unknown = [f"at 0x{answer.address:02x} {description(answer)}" for answer in answers if not answer.held]
    listed = ", ".join(f"{answer.chip} at 0x{answer.address:02x}" for answer in found)
    listed = listed or "; ".join(["no known chip", *unknown])
    raise click.UsageError(f"say which one with --address; {bus.name} has {listed}")


def _found_on(bus: str, address: int | None) -> Answer:
    from contextlib import closing

    from firmware_bridge.bus.protocol import open_bus

    with closing(open_bus(bus)) as opened:
        return find_chip(opened, address)


def _sensor(options: SensorOptions, bus: str, chip: str, address: int | None) -> Sensor:
    from agent.config.sensor import SIMULATED, Sensor
    from firmware_bridge.chips import offered

    offer = offered(chip)
    easy = [rate_hz for rate_hz in offer.rates_hz if rate_hz <= _EASY_RATE_HZ]
    return Sensor(
        bus=bus,
        bundle=Path(),
        rate_hz=options.rate or easy[-1],
        chip=chip,
        address=address,
        range_g=options.range or offer.ranges_g[-1],
        signal={"kind": options.signal or "silence"} if bus.startswith(SIMULATED) else None,
    )


def _kernel_sensor(options: SensorOptions, bus: str) -> Sensor:
    from agent.config.sensor import Sensor

    if options.rate is None:
        raise click.UsageError("--rate is needed for a device of the kernel (iio:NAME)")
    if options.chip not in (None, "iio") or options.address is not None:
        raise click.UsageError(f"--chip and --address are for I2C buses; the kernel knows those of {bus}")
    return Sensor(
        bus=bus, bundle=Path(), rate_hz=options.rate, chip="iio", range_g=options.range or _USUAL_RANGE_G
    )


def _configured_sensor(options: SensorOptions) -> Sensor:
    from agent.config.file import load_config

    given = (options.chip, options.address, options.rate, options.range, options.signal)
    if any(value is not None for value in given):
        raise click.UsageError("--chip, --address, --rate, --range and --signal need --bus")
    sensors = load_config(options.config_path).sensors
    if options.sensor is None:
        if len(sensors) == 1:
            return next(iter(sensors.values()))
        raise click.UsageError(f"say which sensor: --sensor {', --sensor '.join(sensors)}, or --bus")
    if options.sensor not in sensors:
        raise click.UsageError(
            f"no sensor '{options.sensor}' in {options.config_path}; known are: {', '.join(sensors)}"
        )
    return sensors[options.sensor]


def _address(ctx: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Return a 7-bit address from text such as 0x53."""
    if value is None:
        return None
    try:
        address = int(value, 0)
    except ValueError:
        raise click.BadParameter(f"'{value}' is no number; write it as 0x53", ctx, parameter) from None
    if not 0x08 <= address <= 0x77:
        raise click.BadParameter(
            f"0x{address:02x} is no 7-bit I2C address; they are 0x08 to 0x77", ctx, parameter
        )
    return address


_OPTIONS = (
    click.option("--signal", help="What a simulated chip feels: silence (default), rotor, drivetrain ..."),
    click.option("--range", type=click.FloatRange(min=0.1), help="Full scale in g; default: the largest."),
    click.option("--rate", type=click.FloatRange(min=0.1), help="In Hz; default: the fastest up to 1000."),
    click.option("--address", callback=_address, help="Such as 0x53; default: the chip's usual one."),
    click.option("--chip", help="Chip; default: the one that answers."),
    click.option("--bus", help="Instead of a configured sensor: /dev/i2c-N, N, sim:NAME or iio:NAME."),
    click.option("--sensor", help="Name of the sensor in the configuration; default: the only one."),
    config_option,
)
