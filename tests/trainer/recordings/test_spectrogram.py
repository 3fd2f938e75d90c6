"""The spectrogram of signals whose frequencies and amplitudes are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_bridge.recording import Recording, Segment
from trainer.recordings.spectrogram import spectrogram_of

N, RATE_HZ = 16_384, 1024.0


def recording(values: Any, rate_hz: float | None = RATE_HZ, *segments: Segment) -> Recording:
    samples = np.asarray(values, np.float32)[:, np.newaxis]
    return Recording(Path("run"), ("x",), samples, rate_hz, segments or (Segment(0, len(samples)),), ())


def tone(frequency_hz: float, amplitude: float, n: int = N) -> Any:
    return amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(n) / RATE_HZ)


def test_a_steady_sine_keeps_its_frequency_and_amplitude() -> None:
    shown = spectrogram_of(recording(3.0 + tone(64.0, 0.5)), 0)
    assert shown is not None
    # Frames of 512 samples, 2 Hz apart from 2 Hz up; 63 of them overlap by half.
    assert shown.amplitudes.shape == (63, 256)
    assert (shown.frequencies[0], shown.frequencies[-1]) == (2.0, 512.0)
    assert (shown.middles[0], shown.middles[-1]) == (256.0, N - 256.0)
    strongest = shown.amplitudes.argmax(axis=1)
    assert (shown.frequencies[strongest] == 64.0).all()
    assert shown.amplitudes.max(axis=1) == pytest.approx(0.5, rel=1e-3)
    # A Hann window leaks half of the line into both neighbours, and the mean leaves nothing.
    assert shown.amplitudes[:, 30] == pytest.approx(0.25, rel=1e-2)
    assert shown.amplitudes[:, 0].max() < 1e-3


def test_a_change_is_seen_when_it_comes() -> None:
    shown = spectrogram_of(recording(np.concatenate([tone(64.0, 0.5, N // 2), tone(200.0, 0.25, N // 2)])), 0)
    assert shown is not None
    strongest = shown.frequencies[shown.amplitudes.argmax(axis=1)]
    assert (strongest[shown.middles < N / 2 - 256] == 64.0).all()
    assert (strongest[shown.middles > N / 2 + 256] == 200.0).all()


def test_no_frame_spans_a_gap() -> None:
    # A step of 100 between two constants would be in any frame across it.
    values = np.where(np.arange(N) < 5000, 0.0, 100.0)
    apart = spectrogram_of(recording(values, RATE_HZ, Segment(0, 5000), Segment(5000, N)), 0)
    together = spectrogram_of(recording(values), 0)
    assert apart is not None
    assert together is not None
    assert apart.amplitudes.max() == 0.0
    assert together.amplitudes.max() > 1.0


def test_without_a_rate_frequencies_are_per_sample() -> None:
    shown = spectrogram_of(recording(tone(64.0, 1.0), None), 0)
    assert shown is not None
    assert shown.frequencies[shown.amplitudes[0].argmax()] == 0.0625


def test_a_long_recording_has_at_most_400_columns() -> None:
    shown = spectrogram_of(recording(tone(64.0, 0.5, 200_000)), 0)
    assert shown is not None
    assert len(shown.middles) == 400
    assert (np.diff(shown.middles) > 0).all()
    assert shown.amplitudes.max(axis=1) == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize(("n", "there"), [(511, False), (512, True)])
def test_what_is_too_short_has_none(n: int, there: bool) -> None:
    # 32 frames of 16 samples.
    assert (spectrogram_of(recording(tone(64.0, 1.0, n)), 0) is not None) is there


def test_gaps_every_few_samples_leave_none() -> None:
    pieces = tuple(Segment(first, first + 15) for first in range(0, 900, 15))
    assert spectrogram_of(recording(tone(64.0, 1.0, 900), RATE_HZ, *pieces), 0) is None
