"""How the spectrum of a recording changes over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agent.inference.arrays import FloatArray
from firmware_bridge.recording import Recording
from trainer.recordings.figures import Values, frame_starts, hann

COLUMNS = 400
"""Spectra over time, at most: what lies closer together is averaged."""
LONGEST_FRAME = 512
"""Samples of one spectrum, at most."""

_SHORTEST_FRAME = 16
_LEAST_FRAMES = 32


@dataclass(frozen=True)
class Spectrogram:
    """Amplitudes of one channel over time and frequency."""

    middles: Values
    """Samples from the start of the recording to the middle of each column, ascending; gaps do not count."""
    frequencies: Values
    """In Hz, or in cycles per sample if the rate is not known; without 0."""
    amplitudes: Values
    """Shape (n_columns, n_frequencies): peak values of sines, in the recording's unit."""


def spectrogram_of(recording: Recording, index: int) -> Spectrogram | None:
    """Return the spectrogram of one channel; None if the recording is too short for one.

    Hann windows that overlap by half, none across a gap, their mean removed; powers are averaged.
    """
    length = _frame_length(recording)
    if length < _SHORTEST_FRAME:
        return None
    window = hann(length)
    starts = np.fromiter(frame_starts(recording.segments, length), np.intp)
    columns = np.array_split(starts, min(len(starts), COLUMNS))
    values, offsets = recording.samples[:, index], np.arange(length)
    powers = [_mean_power(values[some[:, np.newaxis] + offsets], window) for some in columns]
    return Spectrogram(
        middles=np.array([some.mean() for some in columns]) + length / 2,
        frequencies=np.fft.rfftfreq(length, 1 / (recording.rate_hz or 1.0))[1:],
        amplitudes=np.sqrt(powers)[:, 1:] * 2 / window.sum(),
    )


def _frame_length(recording: Recording) -> int:
    """Return a power of two of samples, short enough for many frames in all and for one between gaps."""
    longest = max((segment.end - segment.start for segment in recording.segments), default=0)
    part = min(longest, len(recording.samples) // _LEAST_FRAMES, LONGEST_FRAME)
    return 1 << max(part, 1).bit_length() - 1


def _mean_power(frames: FloatArray, window: Values) -> Values:
    moving = frames - frames.mean(axis=1, keepdims=True, dtype=np.float64)
    power: Values = np.mean(np.abs(np.fft.rfft(moving * window, axis=1)) ** 2, axis=0)
    return power
