"""``judder-train data``: look at recordings before anything is learnt from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trainer.cli.options import json_option, rate_option, read_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firmware_bridge.recording import Recording
    from trainer.recordings.figures import RecordingFigures

_DRAWN = 8
"""Axes that are drawn, at most."""
_WIDTH, _HEIGHT = 64, 4


@click.group()
def data() -> None:
    """Look at recordings."""


def _png(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and value.suffix.lower() != ".png":
        raise click.BadParameter(f"'{value}': a picture's name ends in .png", ctx, param)
    return value


@data.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--columns", multiple=True, callback=read_columns, help="Channels to take.  [default: all]")
@rate_option
@click.option(
    "--png",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_png,
    help="Draw waveforms, spectra and spectrograms into this file instead of the terminal.",
)
@json_option
def show(
    file: Path, columns: tuple[str, ...], rate_hz: float | None, png: Path | None, as_json: bool
) -> None:
    """Summarize and plot FILE: CSV, NPZ, WAV, MAT, Parquet or UFF58.

    RMS, peak, crest factor and kurtosis are about what remains without the mean; a line's amplitude is the
    peak value of its sine.
    """
    import json
    from dataclasses import asdict

    from trainer.recordings import load_recording
    from trainer.recordings.figures import figures_of

    recording = load_recording(file, columns=columns or None, rate_hz=rate_hz)
    figures = figures_of(recording)
    if png is not None:
        from trainer.recordings.png_chart import write_png

        write_png(png, recording, figures)
    if as_json:
        click.echo(json.dumps(asdict(figures)))
        return
    click.echo("\n".join(_lines(figures)))
    if png is None:
        click.echo("\n".join(_plotted(recording)))
    else:
        click.echo(f"drawn: {png}, {png.stat().st_size / 1000:.0f} kB")


def _lines(figures: RecordingFigures) -> Iterator[str]:
    rate = f" at {figures.rate_hz:g} Hz, {figures.duration_s:.1f} s" if figures.rate_hz else ""
    gaps = f", {figures.gaps} gap{'s' * (figures.gaps > 1)}" if figures.gaps else ", no gap"
    yield f"{figures.file}: {figures.samples} samples{rate}, {len(figures.axes)} axes{gaps}"
    yield from (f"  {note}" for note in figures.notes)
    width = max(4, *(len(axis.name) for axis in figures.axes))
    unit = "Hz" if figures.rate_hz else "cycles/sample"
    head = f"{'mean':>9} {'rms':>9} {'peak':>9} {'crest':>6} {'kurtosis':>9}"
    yield f"{'axis':<{width}} {head}  strongest lines, {unit} (amplitude)"
    for axis in figures.axes:
        lines = ", ".join(f"{line.frequency:.4g} ({line.amplitude:.3g})" for line in axis.lines) or "none"
        yield (
            f"{axis.name:<{width}} {axis.mean:+9.4g} {axis.rms:9.4g} {axis.peak:9.4g} {axis.crest:6.2f} "
            f"{axis.kurtosis:9.2f}  {lines}"
        )
    yield from (f"! {hint}" for hint in figures.hints)


def _plotted(recording: Recording) -> Iterator[str]:
    import numpy as np

    from trainer.recordings.figures import spectrum_of
    from trainer.recordings.terminal_chart import bars, curve, scale

    spectrum = spectrum_of(recording)
    rate_hz = recording.rate_hz
    end, unit, frequency = (
        (len(recording.samples) / rate_hz, "s", "Hz")
        if rate_hz
        else (float(len(recording.samples)), "samples", "cycles/sample")
    )
    for index, name in enumerate(recording.columns[:_DRAWN]):
        yield ""
        yield f"{name}: waveform, gaps left out" if len(recording.segments) > 1 else f"{name}: waveform"
        yield from curve(recording.samples[:, index].astype(np.float64), _WIDTH, _HEIGHT)
        yield scale(0.0, end, unit, _WIDTH)
        if len(spectrum.frequencies):
            yield f"{name}: spectrum"
            yield from bars(spectrum.amplitudes[:, index], _WIDTH, _HEIGHT)
            yield scale(0.0, float(spectrum.frequencies[-1]), frequency, _WIDTH)
