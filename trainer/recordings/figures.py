"""What a recording is like, in figures: levels and shape per axis, spectral lines, and what looks wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_bridge.recording import Recording, Segment

Values = npt.NDArray[np.float64]

LINES = 5
"""Spectral lines that are named for each axis, at most."""
LONGEST_SPECTRUM = 16384
"""Samples of one spectrum, at most."""
LINE_ABOVE_FLOOR = 4.0
"""A line is this many times the median amplitude of the spectrum, or more."""
LINE_BELOW_STRONGEST = 1e-3
"""And at least this part of the strongest: what is below may be rounding."""
STUCK_SAMPLES = 32
"""An axis that keeps one value for as long, or longer, looks stuck."""
CLIPPED_SAMPLES = 3
"""As many neighbours at the largest or smallest value look cut off."""

_SHORTEST_SPECTRUM = 16
_SHORT = 256
_APART = 4
_FEW_VALUES = 16


@dataclass(frozen=True)
class SpectralLine:
    """A peak of an amplitude spectrum."""

    frequency: float
    """In Hz, or in cycles per sample if the rate is not known."""
    amplitude: float
    """Peak value of the sine, in the recording's unit."""


@dataclass(frozen=True, kw_only=True)
class AxisFigures:
    """One channel; all but the mean is about what remains without it."""

    name: str
    mean: float
    rms: float
    peak: float
    """Largest distance from the mean."""
    crest: float
    """Peak over RMS; 0 of a constant axis."""
    kurtosis: float
    """Fourth moment over the squared second: 1.5 of a sine, 3 of noise, more with impacts; 0 if constant."""
    clipped: int
    """Samples in runs at the largest or the smallest value."""
    stuck: int
    """Samples of the longest run of one value."""
    lines: tuple[SpectralLine, ...]
    """Strongest first."""


@dataclass(frozen=True, kw_only=True)
class RecordingFigures:
    """A recording as a whole."""

    file: str
    samples: int
    rate_hz: float | None
    duration_s: float | None
    """Of what was recorded, gaps not counted."""
    gaps: int
    axes: tuple[AxisFigures, ...]
    hints: tuple[str, ...]
    """What looks wrong."""
    notes: tuple[str, ...]
    """What the reader found."""


@dataclass(frozen=True)
class Spectrum:
    """Amplitudes over frequency, averaged over a recording."""

    frequencies: Values
    """In Hz, or in cycles per sample if the rate is not known; without 0."""
    amplitudes: Values
    """Shape (n_frequencies, n_axes): peak values of sines."""


def figures_of(recording: Recording) -> RecordingFigures:
    """Return the figures of a recording that has samples."""
    spectrum = spectrum_of(recording)
    axes = tuple(_axis(recording, spectrum, index) for index in range(len(recording.columns)))
    n_samples, rate_hz = len(recording.samples), recording.rate_hz
    return RecordingFigures(
        file=recording.path.name,
        samples=n_samples,
        rate_hz=rate_hz,
        duration_s=n_samples / rate_hz if rate_hz else None,
        gaps=len(recording.segments) - 1,
        axes=axes,
        hints=tuple(_hints(recording, axes)),
        notes=recording.notes,
    )


def spectrum_of(recording: Recording) -> Spectrum:
    """Return the mean amplitude spectrum of the stretches between gaps; empty if none is long enough.

    Frequencies in Hz (in cycles per sample at an unknown rate), amplitudes in the unit of each channel, shape
    (n_frequencies, n_channels).

    Welch's method: Hann windows that overlap by half, at least seven of them unless the recording is short.
    """
    longest = max((segment.end - segment.start for segment in recording.segments), default=0)
    part = longest // 4 if longest >= 4 * _SHORT else longest
    length = min(1 << max(part, 1).bit_length() - 1, LONGEST_SPECTRUM)
    if length < _SHORTEST_SPECTRUM:
        return Spectrum(np.empty(0), np.empty((0, len(recording.columns))))
    window = hann(length)
    powers = []
    for start in frame_starts(recording.segments, length):
        piece = recording.samples[start : start + length].astype(np.float64)
        powers.append(np.abs(np.fft.rfft((piece - piece.mean(axis=0)) * window[:, np.newaxis], axis=0)) ** 2)
    amplitudes = np.sqrt(np.mean(powers, axis=0)) * 2 / window.sum()
    frequencies = np.fft.rfftfreq(length, 1 / (recording.rate_hz or 1.0))
    return Spectrum(frequencies[1:], amplitudes[1:])


def hann(length: int) -> Values:
    """Return a Hann window of ``length`` samples, periodic: the next one would begin with its first value."""
    window: Values = np.hanning(length + 1)[:-1]
    return window


def frame_starts(segments: Sequence[Segment], length: int) -> Iterator[int]:
    """Yield where frames of ``length`` samples begin that overlap by half and span no gap."""
    for segment in segments:
        yield from range(segment.start, segment.end - length + 1, length // 2)


def _axis(recording: Recording, spectrum: Spectrum, index: int) -> AxisFigures:
    values = recording.samples[:, index].astype(np.float64)
    moving = values - values.mean()
    power = float(np.mean(moving**2))
    constant = bool(np.ptp(values) == 0)
    peak = float(np.max(np.abs(moving)))
    return AxisFigures(
        name=recording.columns[index],
        mean=float(values.mean()),
        rms=0.0 if constant else float(np.sqrt(power)),
        peak=0.0 if constant else peak,
        crest=0.0 if constant else peak / float(np.sqrt(power)),
        kurtosis=0.0 if constant else float(np.mean(moving**4)) / power**2,
        clipped=_clipped(values),
        stuck=int(np.max(_runs(values))),
        lines=() if constant else lines_of(spectrum.frequencies, spectrum.amplitudes[:, index]),
    )


def lines_of(frequencies: Values, amplitudes: Values) -> tuple[SpectralLine, ...]:
    """Return the peaks that stand out of the spectrum, the strongest first; of close ones the strongest.

    Args:
        frequencies: In Hz, or in cycles per sample, shape (n_frequencies,).
        amplitudes: Of one channel, of the same shape.
    """
    inner = amplitudes[1:-1]
    tops = np.flatnonzero((inner > amplitudes[:-2]) & (inner >= amplitudes[2:])) + 1
    chosen: list[int] = []
    if len(tops) == 0:
        return ()
    floor = max(LINE_ABOVE_FLOOR * np.median(amplitudes), LINE_BELOW_STRONGEST * amplitudes[tops].max())
    for top in sorted(tops.tolist(), key=lambda top: -amplitudes[top]):
        if len(chosen) == LINES or amplitudes[top] < floor:
            break
        if all(abs(top - other) >= _APART for other in chosen):
            chosen.append(top)
    return tuple(_refined(frequencies, amplitudes, top) for top in chosen)


def _refined(frequencies: Values, amplitudes: Values, top: int) -> SpectralLine:
    """Return a line between two bins: of a Hann window, from the ratio of its neighbours.

    Source: Grandke, "Interpolation algorithms for discrete Fourier transforms of weighted signals" (1983).
    """
    left, middle, right = amplitudes[top - 1 : top + 2]
    side = 1 if right >= left else -1
    ratio = max(left, right) / middle
    offset = float(np.clip(side * (2 * ratio - 1) / (1 + ratio), -0.5, 0.5))
    step = float(frequencies[1] - frequencies[0])
    loss = np.sinc(offset) / (1 - offset**2)
    return SpectralLine(float(frequencies[top]) + offset * step, float(middle / loss))


def _runs(values: Values) -> npt.NDArray[np.intp]:
    """Return how many samples each run of one value is long, in order."""
    borders = np.flatnonzero(np.diff(values)) + 1
    return np.diff(np.concatenate([[0], borders, [len(values)]]))


def _clipped(values: Values) -> int:
    """Return the samples in runs at either end; 0 of coarse signals, which often are at their ends."""
    if len(np.unique(values)) <= _FEW_VALUES:
        return 0
    runs = _runs(values)
    levels = values[np.cumsum(runs) - 1]
    at_end = (levels == values.max()) | (levels == values.min())
    return int(runs[at_end & (runs >= CLIPPED_SAMPLES)].sum())


def _hints(recording: Recording, axes: Sequence[AxisFigures]) -> Iterator[str]:
    if recording.rate_hz is None:
        yield "the file does not say its rate: give it with --rate"
    for axis in axes:
        if axis.rms == 0:
            yield f"{axis.name}: constant; nothing can be learnt from it"
            continue
        if axis.clipped:
            share = axis.clipped / len(recording.samples)
            yield f"{axis.name}: clipped? {axis.clipped} samples ({share:.2%}) in runs at its ends"
        if axis.stuck >= STUCK_SAMPLES:
            yield f"{axis.name}: stuck? one value for {axis.stuck} samples on end"
