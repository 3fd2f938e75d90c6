"""``judder sensor``: look for accelerometers and at them, without the daemon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from agent.cli.options import json_option
from agent.cli.run import stop_event
from agent.cli.sensor_options import SensorOptions, chosen_sensor, i2c_bus, sensor_options
from agent.cli.sensor_scan import scan

if TYPE_CHECKING:
    from firmware_bridge.chip.accelerometer import Accelerometer
    from firmware_bridge.clock import Clock


@click.group()
def sensor() -> None:
    """Find, probe, read and test sensors. Stop the daemon first: a sensor has one reader."""


sensor.add_command(scan)


@sensor.command()
@sensor_options
@json_option
def probe(options: SensorOptions, as_json: bool) -> None:
    """Tell a chip's identity and present configuration; writes nothing."""
    from agent.sensing.opening import open_on
    from firmware_bridge.chip.accelerometer import Configured
    from firmware_bridge.clock import SystemClock

    chosen = chosen_sensor(options)
    with i2c_bus(chosen) as bus:
        accelerometer = open_on(chosen, bus, SystemClock())
        assert isinstance(accelerometer, Configured)
        registers = accelerometer.configuration()
        info = accelerometer.info
    if as_json:
        shown = {register.name: register.value for register in registers}
        identity = {"chip": info.chip, "bus": info.bus, "address": info.address}
        click.echo(json.dumps({**identity, "registers": shown}))
        return
    click.echo(_title(accelerometer))
    click.echo("register         now   for judder")
    for register in registers:
        mark = "" if register.value == register.wanted else "  differs"
        click.echo(f"{register.name:<16} 0x{register.value:02x}  0x{register.wanted:02x}{mark}")


@sensor.command()
@sensor_options
@json_option
@click.option("--seconds", type=click.FloatRange(min=0.1), help="How long; default: until Ctrl-C.")
@click.option(
    "--interval", type=click.FloatRange(min=0.05), default=1.0, show_default=True, help="Seconds a line."
)
def read(options: SensorOptions, as_json: bool, seconds: float | None, interval: float) -> None:
    """Show live what a sensor feels: mean, RMS without the mean, and peak, per axis in g."""
    from agent.sensing.reading import readings

    stop = stop_event()
    with _started(options) as (accelerometer, clock):
        if not as_json:
            click.echo(_title(accelerometer))
            click.echo("             x mean    rms   peak   y mean    rms   peak   z mean    rms   peak  (g)")
        for reading in readings(accelerometer, clock, interval, seconds, stop):
            if as_json:
                click.echo(json.dumps(vars(reading)))
                continue
            axes = zip(reading.mean_g, reading.rms_g, reading.peak_g, strict=True)
            columns = "  ".join(f"{mean:+7.3f} {rms:6.3f} {peak:6.3f}" for mean, rms, peak in axes)
            warm = "" if reading.temperature_c is None else f", {reading.temperature_c:.1f} °C"
            click.echo(f"{reading.rate_hz:7.1f} Hz  {columns}  {reading.lost} lost{warm}")


@sensor.command()
@sensor_options
@json_option
def selftest(options: SensorOptions, as_json: bool) -> None:
    """Run the chip's own self-test; exits with 1 if it fails. The machine should stand still."""
    from firmware_bridge.axes import AXES

    with _started(options) as (accelerometer, _):
        result = accelerometer.self_test()
    if as_json:
        click.echo(json.dumps(vars(result)))
    else:
        click.echo(_title(accelerometer))
        for axis, shift_g, (low_g, high_g) in zip(AXES, result.shift_g, result.limits_g, strict=True):
            verdict = "good" if low_g <= shift_g <= high_g else "BAD"
            click.echo(f"{axis}  {shift_g:+.3f} g  allowed {low_g:+.3f} to {high_g:+.3f} g  {verdict}")
    if not result.passed:
        raise click.ClickException("the self-test failed; repeat it at standstill, then replace the sensor")


@sensor.command()
@sensor_options
@json_option
@click.option(
    "--seconds", type=click.FloatRange(min=0.2), default=10.0, show_default=True, help="Longer is more exact."
)
def rate(options: SensorOptions, as_json: bool, seconds: float) -> None:
    """Measure the true output data rate against this machine's monotonic clock."""
    from agent.sensing.reading import measure_rate

    stop = stop_event()
    with _started(options) as (accelerometer, clock):
        measured = measure_rate(accelerometer, clock, seconds, stop)
    if as_json:
        click.echo(json.dumps(vars(measured)))
        return
    click.echo(_title(accelerometer))
    off = 100 * (measured.rate_hz / measured.nominal_hz - 1)
    click.echo(
        f"{measured.rate_hz:.2f} Hz, give or take {measured.uncertainty_hz:.2f}: {off:+.2f} % of the nominal "
        f"{measured.nominal_hz:g} Hz ({measured.samples} samples in {measured.seconds:.1f} s)"
    )


@contextmanager
def _started(options: SensorOptions) -> Iterator[tuple[Accelerometer, Clock]]:
    """Give a sensor that samples; it is put to standby at the end, whatever happens.

    Whoever reads it here goes before others, as the daemon's threads do.
    """
    from agent.sensing.opening import sensor_opener
    from agent.system.real_time import real_time
    from firmware_bridge.clock import SystemClock

    clock = SystemClock()
    with sensor_opener(chosen_sensor(options), clock)() as accelerometer, real_time():
        accelerometer.start()
        yield accelerometer, clock


def _title(accelerometer: Accelerometer) -> str:
    info = accelerometer.info
    place = info.bus if info.address is None else f"{info.bus} at 0x{info.address:02x}"
    mark = "SIMULATED " if info.simulated else ""
    return f"{mark}{info.chip} on {place}, {info.rate_hz:g} Hz, {info.range_g:g} g full scale"
