"""Charts of what was measured: vibration over time, waveforms and spectra."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from agent.inference.arrays import FloatArray
from agent.inference.columns import ValueColumns
from agent.inference.distance import DistancePart
from agent.inference.features import amplitude_spectrum, centred
from agent.inference.manifest import Manifest
from agent.inference.window import IndexArray
from trainer.evaluation.scored import ScoredRecording
from trainer.report.axes import Axis, Values
from trainer.report.charts import WIDE, Area, Item, Line, chart
from trainer.report.scores import row_time, stretches
from trainer.report.windows import Example, kinds, some_windows

_STRETCHES = 800
_SPECTRA = 1000
_BAND = (0.05, 0.95)
_UNIT_IN_NAME = re.compile(r"\(([^()]+)\)\s*$")


def watches_values(manifest: Manifest) -> bool:
    """Return whether the bundle watches where slow values stand, not how they vibrate."""
    return any(
        isinstance(part, DistancePart) and isinstance(part.columns, ValueColumns) for part in manifest.parts
    )


def signal_over_time(recording: ScoredRecording, manifest: Manifest) -> list[str]:
    """Return a recording over time: its vibration, or each of its channels if their values are watched."""
    if watches_values(manifest):
        return [_value(recording, manifest, i) for i in range(len(manifest.axes))]
    return [_vibration(recording, manifest)]


def _value(recording: ScoredRecording, manifest: Manifest, index: int) -> str:
    """Return mean, lowest and highest of one channel over time, in its unit."""
    samples, axis = recording.source.recording.samples[:, index].astype(np.float64), manifest.axes[index]
    starts, step = _stretch_starts(recording, manifest)
    parts = [samples[start : start + step] for start in starts]
    levels = np.array([(part.mean(), part.min(), part.max()) for part in parts])
    per_row, label = row_time(recording, manifest)
    middles = (starts + step / 2) * per_row
    items: list[Item] = [
        *stretches(recording, per_row),
        Area(middles, levels[:, 1], levels[:, 2], "band normal", "lowest to highest"),
        Line(middles, levels[:, 0], "normal", "mean"),
    ]
    title = f"{recording.source.name}, {axis}"
    return chart(title, Axis(label), Axis(f"value ({unit_of(axis, manifest)})", room=True), items, WIDE)


def _vibration(recording: ScoredRecording, manifest: Manifest) -> str:
    """Return RMS and peak over time of the axes that share the first one's unit, in g or another."""
    units = [unit_of(axis, manifest) for axis in manifest.axes]
    shown = [i for i, unit in enumerate(units) if unit == units[0]]
    samples = recording.source.recording.samples
    starts, step = _stretch_starts(recording, manifest)
    levels = np.array([_rms_and_peak(samples[start : start + step, shown]) for start in starts])
    per_row, label = row_time(recording, manifest)
    middles = (starts + step / 2) * per_row
    items: list[Item] = [
        *stretches(recording, per_row),
        Line(middles, levels[:, 1], "peak", "peak"),
        Line(middles, levels[:, 0], "normal", "RMS"),
    ]
    what = f"root sum of squares of {len(shown)} axes" if len(shown) > 1 else manifest.axes[0]
    title = f"{recording.source.name}, {what}, mean removed"
    return chart(title, Axis(label), Axis(f"vibration ({units[0]})", room=True), items, WIDE)


def waveforms(chosen: Sequence[Example], manifest: Manifest) -> list[str]:
    """Return windows as they were measured, in g or another unit, on each axis; vibration without mean."""
    typical, highest = chosen[0], chosen[-1]
    shown = [
        (highest, "highest" if highest.style == typical.style else highest.style),
        (typical, typical.style),
    ]
    shown = shown[-len(chosen) :]
    x, label = sample_axis(manifest.window.length, manifest)
    values = watches_values(manifest)
    signals = [
        (one.window if values else centred(one.window[np.newaxis])[0]).astype(np.float64) for one, _ in shown
    ]
    return [
        chart(
            axis,
            Axis(label),
            Axis(f"signal ({unit_of(axis, manifest)})", room=True),
            [
                Line(x, signal[:, i], style, f"{one.name} ({one.score:.1f})".replace("-0.0", "0.0"))
                for (one, style), signal in zip(shown, signals, strict=True)
            ],
        )
        for i, axis in enumerate(manifest.axes)
    ]


def spectra(scored: Sequence[ScoredRecording], manifest: Manifest) -> list[str]:
    """Return the amplitude spectrum of each axis over Hz, by label: median, and where 90 % of windows lie."""
    length, rate_hz = manifest.window.length, manifest.rate_hz
    x = np.arange(1, length // 2 + 1) * (rate_hz / length if rate_hz else 1.0)
    drawn: list[list[Item]] = [[] for _ in manifest.axes]
    for kind in kinds(scored):
        amplitude = amplitude_spectrum(centred(some_windows(scored, kind, _SPECTRA, length)))[:, 1:]
        low, middle, high = np.quantile(amplitude.astype(np.float64), (_BAND[0], 0.5, _BAND[1]), axis=0)
        for i, items in enumerate(drawn):
            if kind.style != "anomaly":
                items.append(Area(x, low[:, i], high[:, i], f"band {kind.style}", f"90 % of {kind.name}"))
            items.append(Line(x, middle[:, i], kind.style, f"median, {kind.name}"))
    label = "frequency (Hz)" if rate_hz else "frequency (bin)"
    return [
        chart(axis, Axis(label), Axis(f"amplitude ({unit_of(axis, manifest)})", log=True, room=True), items)
        for axis, items in zip(manifest.axes, drawn, strict=True)
    ]


def unit_of(axis: str, manifest: Manifest) -> str:
    """Return the unit of an axis: that in its name, as in ``GyroX (deg/s)``, or the bundle's."""
    named = _UNIT_IN_NAME.search(axis)
    return named[1] if named else manifest.unit


def sample_axis(count: int, manifest: Manifest) -> tuple[Values, str]:
    """Return the times of the samples of a window, shape (count,), and what their axis says."""
    if not manifest.rate_hz:
        return np.arange(float(count)), "sample"
    seconds = np.arange(count) / manifest.rate_hz
    return (seconds, "time (s)") if seconds[-1] >= 2.0 else (1000.0 * seconds, "time (ms)")


def _stretch_starts(recording: ScoredRecording, manifest: Manifest) -> tuple[IndexArray, int]:
    """Return the first row of each stretch that becomes a point over time, and how many samples each has."""
    n_rows = len(recording.rows)
    step = max(manifest.window.length, -(-n_rows // _STRETCHES))
    return np.arange(0, max(n_rows - step, 0) + 1, step), step


def _rms_and_peak(samples: FloatArray) -> tuple[float, float]:
    deviation = samples.astype(np.float64) - samples.mean(axis=0, dtype=np.float64)
    magnitude = np.square(deviation).sum(axis=1)
    return float(np.sqrt(magnitude.mean())), float(np.sqrt(magnitude.max()))
