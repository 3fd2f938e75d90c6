"""Charts of what was measured: vibration over time, waveforms and spectra."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from agent.inference.features import amplitude_spectrum, centred
from agent.inference.manifest import Manifest
from trainer.report.axes import Axis, Values
from trainer.report.charts import WIDE, Area, Item, Line, chart
from trainer.report.scores import row_time, stretches
from trainer.report.windows import Example, kinds, some_windows
from trainer.scored import ScoredRecording

FloatArray = npt.NDArray[np.float32]

_STRETCHES = 800
_SPECTRA = 1000
_BAND = (0.05, 0.95)
_UNIT_IN_NAME = re.compile(r"\(([^()]+)\)\s*$")


def vibration_over_time(recording: ScoredRecording, manifest: Manifest) -> str:
    """Return RMS and peak over time of the axes that share the first one's unit, together, mean removed."""
    units = [unit_of(axis, manifest) for axis in manifest.axes]
    shown = [i for i, unit in enumerate(units) if unit == units[0]]
    samples = recording.source.recording.samples
    step = max(manifest.window.length, -(-len(samples) // _STRETCHES))
    starts = np.arange(0, max(len(samples) - step, 0) + 1, step)
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
    """Return windows as they were measured, mean removed, laid over each other on each axis."""
    typical, highest = chosen[0], chosen[-1]
    shown = [
        (highest, "other" if highest.style == typical.style else highest.style),
        (typical, typical.style),
    ]
    shown = shown[-len(chosen) :]
    x, label = sample_axis(manifest.window.length, manifest)
    signals = [centred(one.window[np.newaxis])[0].astype(np.float64) for one, _ in shown]
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
    """Return the amplitude spectrum of each axis, by label: the median, and where 90 % of the windows lie."""
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


def _rms_and_peak(samples: FloatArray) -> tuple[float, float]:
    deviation = samples.astype(np.float64) - samples.mean(axis=0, dtype=np.float64)
    magnitude = np.square(deviation).sum(axis=1)
    return float(np.sqrt(magnitude.mean())), float(np.sqrt(magnitude.max()))
