"""``judder record``: a sensor's waveform into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.sensor_options import SensorOptions, chosen_sensor, sensor_options

if TYPE_CHECKING:
    from threading import Event

    from agent.config.sensor import Sensor
    from agent.sensing.sampler import Sampler
    from agent.waveforms.recorder import Recorder
    from firmware_bridge.clock import Clock
    from firmware_bridge.recording import WaveInfo

RING_S = 10.0
"""Seconds of samples that wait in memory while the disk is busy."""
POLL_S = 0.2
PATIENCE_S = 10.0
"""How much longer than the recording to wait for a sensor that fails on the way."""


@click.command()
@click.option(
    "--seconds", required=True, type=click.FloatRange(min=0, min_open=True), help="Length of the recording."
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write, NAME.wav; NAME.json goes beside it.",
)
@sensor_options
def record(options: SensorOptions, seconds: float, out: Path) -> None:
    """Record a sensor as WAV: raw counts, with scale, true rate, start and gaps beside them.

    The file is whole every second; Ctrl-C ends it early.
    """
    from agent.cli.run import stop_event

    sensor = chosen_sensor(options)
    if options.bus is None:
        _refuse_beside_a_daemon(options.config_path, sensor)
    info, samples = _record(sensor, seconds, out, stop_event())
    click.echo("\n".join(_summary(out, info, samples)))


def _refuse_beside_a_daemon(config_path: Path, sensor: Sensor) -> None:
    """Two readers of one FIFO take each other's samples."""
    from agent.config.file import load_config
    from agent.control.socket import request
    from agent.errors import ControlError

    if sensor.simulated:
        return
    try:
        request(load_config(config_path).control_socket, "status")
    except ControlError:
        return
    raise click.ClickException(
        "judder is running and reads this sensor; stop it first (systemctl stop judder)"
    )


def _record(sensor: Sensor, seconds: float, out: Path, stop: Event) -> tuple[WaveInfo, int]:
    from agent.sensing.bus_sampler import BusSampler
    from agent.sensing.opening import sensor_opener
    from agent.sensing.ring_buffer import RingBuffer
    from agent.sensing.sampler import Sampler
    from agent.system.backoff import Backoff
    from agent.system.watchdog import Watchdog
    from agent.waveforms.recorder import Recorder
    from firmware_bridge.clock import SystemClock
    from firmware_bridge.errors import RecordingError, SensorError

    if out.suffix.lower() != ".wav":
        raise click.UsageError(f"--out {out}: recordings are written as .wav")
    clock = SystemClock()
    ring = RingBuffer(round(RING_S * sensor.rate_hz) + 1024, 3)
    sampler = Sampler(sensor.chip, sensor_opener(sensor, clock), ring, clock, Backoff(str(out)))
    sampler.turn()
    opened = sampler.status()
    if opened.info is None:
        raise SensorError(opened.error)
    thread = BusSampler(sensor.bus, [sampler], clock, Watchdog(lambda state: None, clock))
    with Recorder(out, opened.info, ring, clock) as recorder:
        thread.start()
        try:
            _until_done(recorder, sampler, clock, seconds, stop)
        finally:
            thread.stop(PATIENCE_S)
    if recorder.info is None:
        raise RecordingError(sampler.status().error or "no sample came, nothing was written", path=out)
    return recorder.info, recorder.samples


def _until_done(recorder: Recorder, sampler: Sampler, clock: Clock, seconds: float, stop: Event) -> None:
    deadline_ns = clock.monotonic_ns() + round((seconds + PATIENCE_S) * 1e9)
    stopped = False
    while not stopped and clock.monotonic_ns() < deadline_ns:
        stopped = clock.wait(min(POLL_S, seconds), stop)
        rate_hz = sampler.status().rate_hz
        wanted = round(seconds * rate_hz)
        recorder.take(rate_hz, wanted)
        if recorder.samples >= wanted:
            return


def _summary(out: Path, info: WaveInfo, samples: int) -> list[str]:
    simulated = "  SIMULATED" if info.simulated else ""
    length_s = samples / info.rate_hz
    lines = [f"{out}: {samples} samples at {info.rate_hz:.1f} Hz, {length_s:.1f} s of {info.chip}{simulated}"]
    inside = [gap for gap in info.gaps if gap.at]
    if inside:
        lines.append(f"{len(inside)} gaps, at least {sum(gap.lost or 0 for gap in inside)} samples lost")
    return lines
