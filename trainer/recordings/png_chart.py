"""A recording as a picture: waveform, amplitude spectrum and spectrogram of each channel, with Matplotlib."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from firmware_bridge.recording import Recording
from firmware_bridge.recording.columns import split_unit
from trainer.errors import OutputError
from trainer.recordings.figures import AxisFigures, RecordingFigures, Values, spectrum_of
from trainer.recordings.spectrogram import Spectrogram, spectrogram_of
from trainer.settings import PROCESS_BELOW_HZ

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHANNELS = 8
"""That are drawn, at most."""
WIDTH, ROW_HEIGHT, HEAD_HEIGHT = 1700, 235, 50
"""Of the picture, of each channel in it, and of its title, in pixels."""

_DOTS_PER_INCH = 100
_STRETCHES = 1000
"""Of a waveform: each is drawn from its lowest to its highest."""
_LOG_ABOVE = 20.0
"""Amplitudes are on a logarithmic axis where the strongest is so many times the median, or more."""
_LOWEST = 1e-5
"""Of the strongest amplitude: what is below is not drawn."""
_COLOUR_RANGE_DB = 60.0
_UNITS_S = {"h": 3600.0, "min": 60.0, "s": 1.0}
_FEW_UNITS = 5.0
"""Time is in the largest unit that the recording lasts so many of, or in seconds."""
_UNKNOWN = "as recorded"
"""Unit of a channel that states none."""
_LONGEST_NAME = 28
_MOST_GAPS = 100
"""More are not marked: they would hide the waveform."""
_CURVE, _LEVEL, _LINE, _GAP = "#1f5fa8", "#e08214", "#b3261e", "#7b3294"
_LOOKS: dict[str, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": "#dddddd",
    "text.parse_math": False,  # a dollar sign in a column's name is one
}


@dataclass(frozen=True)
class _Time:
    """The axis of time, gaps not counted."""

    label: str
    unit: float
    """In samples."""


@dataclass(frozen=True)
class _Channel:
    """What is drawn of one channel."""

    name: str
    unit: str
    figures: AxisFigures
    values: Values


def write_png(path: Path, recording: Recording, figures: RecordingFigures) -> None:
    """Draw the first channels of a recording, a row each, replacing an older file.

    Args:
        path: The file; its name ends in ``.png``.
        recording: With samples.
        figures: Of that recording.

    Raises:
        OutputError: If it cannot be written.
    """
    picture = picture_of(recording, figures)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # a name in Chinese, say
        try:
            picture.savefig(path)
        except OSError as error:
            raise OutputError(path, f"cannot be written: {error.strerror or error}") from error


def picture_of(recording: Recording, figures: RecordingFigures) -> Figure:
    """Return the picture that ``write_png`` writes; arguments as there."""
    n_rows = min(len(recording.columns), CHANNELS)
    height = HEAD_HEIGHT + ROW_HEIGHT * n_rows
    with matplotlib.rc_context(_LOOKS):
        picture = Figure((WIDTH / _DOTS_PER_INCH, height / _DOTS_PER_INCH), _DOTS_PER_INCH)
        picture.set_layout_engine("constrained", rect=(0, 0, 1, 1 - HEAD_HEIGHT / height), hspace=0.03)
        _draw(picture.subplots(n_rows, 3, squeeze=False, width_ratios=(4, 4, 3.6)), recording, figures)
        _head(picture, figures, 1 - 10 / height)
    return picture


def _draw(rows: Iterable[Sequence[Axes]], recording: Recording, figures: RecordingFigures) -> None:
    spectrum, time = spectrum_of(recording), _time(recording)
    frequency = "frequency (Hz)" if recording.rate_hz else "frequency (cycles/sample)"
    gaps = [segment.start / time.unit for segment in recording.segments[1:]]
    for index, (left, middle, right) in enumerate(rows):
        channel = _channel(recording, figures, index)
        _waveform(left, channel, time)
        _gaps(left, gaps if len(gaps) <= _MOST_GAPS else [])
        if len(spectrum.frequencies) and channel.figures.rms:
            _spectrum(middle, channel, frequency, spectrum.frequencies, spectrum.amplitudes[:, index])
        else:
            _empty(middle, "constant" if len(spectrum.frequencies) else "too short for a spectrum")
        spectrogram = spectrogram_of(recording, index)
        if spectrogram is not None and channel.figures.rms:
            _spectrogram(right, channel, time, frequency, spectrogram)
        else:
            _empty(right, "constant" if spectrogram else "too short for a spectrogram")


def _channel(recording: Recording, figures: RecordingFigures, index: int) -> _Channel:
    """Return a channel with its unit: that in its name, g if no name has one, else unknown."""
    names = [split_unit(name) for name in recording.columns]
    slow = recording.rate_hz is not None and recording.rate_hz < PROCESS_BELOW_HZ
    usual = _UNKNOWN if slow or any(unit for _, unit in names) else "g"
    name, unit = names[index]
    name = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    values = recording.samples[:, index].astype(np.float64)
    return _Channel(name, unit or usual, figures.axes[index], values)


def _time(recording: Recording) -> _Time:
    if recording.rate_hz is None:
        return _Time("sample", 1.0)
    duration_s = len(recording.samples) / recording.rate_hz
    name, unit_s = next(one for one in _UNITS_S.items() if duration_s >= _FEW_UNITS * one[1] or one[1] == 1.0)
    left_out = ", gaps left out" if len(recording.segments) > 1 else ""
    return _Time(f"time ({name}{left_out})", unit_s * recording.rate_hz)


def _waveform(axes: Axes, channel: _Channel, time: _Time) -> None:
    values, figures = channel.values, channel.figures
    starts = np.unique(np.linspace(0, len(values), _STRETCHES, endpoint=False, dtype=np.intp))
    if len(starts) < len(values):
        low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
        # The line keeps visible what is thinner than a pixel.
        axes.fill_between(starts / time.unit, low, high, color=_CURVE, linewidth=0.7)
    else:
        axes.plot(starts / time.unit, values, color=_CURVE, linewidth=0.9)
    for level in (figures.mean - figures.rms, figures.mean + figures.rms):
        axes.axhline(level, color=_LEVEL, linestyle="--", linewidth=1.0)
    axes.set_xlim(0.0, len(values) / time.unit)
    levels = f"RMS {figures.rms:.3g}, peak {figures.peak:.3g}, crest {figures.crest:.3g}"
    quantity = "acceleration" if channel.unit == "g" else "value"
    _label(axes, channel.name, levels, time.label, f"{quantity} ({channel.unit})")


def _gaps(axes: Axes, at: Sequence[float]) -> None:
    axes.plot(at, [0.97] * len(at), "|", color=_GAP, markersize=6, transform=axes.get_xaxis_transform())


def _spectrum(axes: Axes, channel: _Channel, frequency: str, frequencies: Values, amplitudes: Values) -> None:
    axes.plot(frequencies, amplitudes, color=_CURVE, linewidth=0.8)
    lines = channel.figures.lines
    _amplitude_scale(axes, amplitudes, max([amplitudes.max(), *(line.amplitude for line in lines)]))
    for rank, line in enumerate(lines, 1):
        place = (line.frequency, line.amplitude)
        axes.plot(*place, "v", color=_LINE, markersize=4)
        axes.annotate(str(rank), place, (0, 5), textcoords="offset points", ha="center", color=_LINE, size=8)
    axes.set_xlim(0.0, frequencies[-1])
    found = ", ".join(f"{line.frequency:.4g}" for line in lines) or "none"
    _label(axes, "spectrum", f"lines: {found}", frequency, f"amplitude ({channel.unit})")


def _amplitude_scale(axes: Axes, amplitudes: Values, top: float) -> None:
    if top <= _LOG_ABOVE * np.median(amplitudes):
        axes.set_ylim(0.0, 1.25 * top or 1.0)  # where it moved may be beside every frame
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(numticks=6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(max(0.5 * float(np.percentile(amplitudes, 1)), _LOWEST * top), 4.0 * top)


def _spectrogram(
    axes: Axes, channel: _Channel, time: _Time, frequency: str, spectrogram: Spectrogram
) -> None:
    """Draw amplitudes in decibels, down to 60 dB below the strongest one."""
    levels_db = 20 * np.log10(np.maximum(spectrogram.amplitudes, np.finfo(np.float64).tiny))
    top_db = levels_db.max()
    mesh = axes.pcolormesh(
        spectrogram.middles / time.unit,
        spectrogram.frequencies,
        levels_db.T,
        shading="nearest",
        vmin=top_db - _COLOUR_RANGE_DB,
        vmax=top_db,
    )
    axes.grid(False)
    unit = "1" if channel.unit == _UNKNOWN else f"1 {channel.unit}"
    axes.figure.colorbar(mesh, ax=axes, label=f"dB re {unit}", pad=0.01)
    axes.set_xlim(0.0, len(channel.values) / time.unit)
    _label(axes, "spectrogram", "", time.label, frequency)


def _label(axes: Axes, title: str, beside: str, x_label: str, y_label: str) -> None:
    axes.set_title(title, loc="left")
    axes.set_title(beside, loc="right", size=9)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)


def _empty(axes: Axes, reason: str) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, reason, ha="center", va="center", color="#777777", transform=axes.transAxes)


def _head(picture: Figure, figures: RecordingFigures, top: float) -> None:
    """Write the title, and what the colours mean."""
    picture.text(0.008, top, _title(figures), size=13, weight="bold", va="top")
    handles = [
        Line2D([], [], color=_CURVE, label="measured"),
        Line2D([], [], color=_LEVEL, linestyle="--", label="mean ± RMS"),
        Line2D([], [], color=_LINE, marker="v", linestyle="", label="strongest lines"),
    ]
    if 0 < figures.gaps <= _MOST_GAPS:
        handles.append(Line2D([], [], color=_GAP, marker="|", linestyle="", label="gap"))
    place = (0.998, top)
    picture.legend(
        handles=handles, loc="upper right", bbox_to_anchor=place, ncols=4, frameon=False, borderpad=0
    )


def _title(figures: RecordingFigures) -> str:
    rate = f"{figures.rate_hz:g} Hz, {figures.duration_s:.1f} s" if figures.rate_hz else "rate unknown"
    n_channels = len(figures.axes)
    channels = f"{n_channels} channels" if n_channels != 1 else "1 channel"
    drawn = channels if n_channels <= CHANNELS else f"the first {CHANNELS} of {channels}"
    gaps = f", {figures.gaps} gap{'s' * (figures.gaps > 1)}" if figures.gaps else ""
    return f"{figures.file}: {rate}, {figures.samples:,} samples{gaps}; {drawn}"
