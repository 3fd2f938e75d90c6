"""Figures of a recording against theory: sines, noise, cut-off and stuck axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from firmware_bridge.recording import Recording, Segment
from trainer.recordings.figures import AxisFigures, figures_of, spectrum_of


def recording_of(*axes: Any, rate_hz: float | None = 1000.0, segments: Any = None) -> Recording:
    samples = np.column_stack(axes).astype(np.float32)
    names = ("x", "y", "z")[: samples.shape[1]]
    return Recording(
        Path("run.wav"), names, samples, rate_hz, segments or (Segment(0, len(samples)),), ("a note",)
    )


def sine(frequency_hz: float, amplitude: float, seconds: float = 16.0, rate_hz: float = 1000.0) -> Any:
    return amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate_hz)) / rate_hz + 0.3)


@pytest.mark.parametrize("frequency_hz", [50.0, 50.05, 123.4, 499.0])
def test_a_sine_has_its_figures(frequency_hz: float) -> None:
    found = figures_of(recording_of(1.0 + sine(frequency_hz, 0.5)))
    axis = found.axes[0]
    assert axis.mean == pytest.approx(1.0, abs=1e-3)
    assert axis.rms == pytest.approx(0.35355, rel=1e-3)
    assert axis.peak == pytest.approx(0.5, rel=2e-3)
    assert axis.crest == pytest.approx(1.4142, rel=2e-3)
    assert axis.kurtosis == pytest.approx(1.5, rel=1e-2)
    assert axis.lines[0].frequency == pytest.approx(frequency_hz, abs=0.01)
    assert axis.lines[0].amplitude == pytest.approx(0.5, rel=5e-3)
    assert (found.samples, found.rate_hz, found.duration_s, found.gaps) == (16000, 1000, 16, 0)
    assert (found.hints, found.notes, found.file) == ((), ("a note",), "run.wav")


def test_lines_come_by_strength_and_only_if_they_stand_out() -> None:
    noise = np.random.default_rng(1).standard_normal(16000)
    shaking = sine(50, 0.5) + sine(150, 0.2) + sine(320, 0.8) + 0.05 * noise
    lines = figures_of(recording_of(shaking, noise)).axes[0].lines
    assert [round(line.frequency) for line in lines] == [320, 50, 150]
    assert [line.amplitude for line in lines] == pytest.approx([0.8, 0.5, 0.2], rel=0.02)
    assert figures_of(recording_of(noise)).axes[0].lines == ()


def test_gaussian_noise_has_a_kurtosis_of_three_and_impacts_have_more() -> None:
    noise = np.random.default_rng(1).standard_normal(100_000)
    impacts = noise.copy()
    impacts[::1000] += 20
    quiet, knocking = figures_of(recording_of(noise, impacts)).axes
    assert quiet.kurtosis == pytest.approx(3.0, abs=0.05)
    # Of 0.1 % impacts of 20: (0.999 * 3 + 0.001 * 20**4) / (1 + 0.001 * 20**2)**2, and a little of both.
    assert knocking.kurtosis == pytest.approx(84, rel=0.05)


def test_a_cut_off_axis_is_told() -> None:
    axis = figures_of(recording_of(np.clip(sine(5.03, 1.0), -0.9, 0.9))).axes[0]
    # Above 0.9 a sine is for 1 - 2 asin(0.9) / pi = 28.7 % of the time.
    assert axis.clipped == pytest.approx(0.287 * 16000, rel=0.02)
    found = figures_of(recording_of(sine(5.03, 1.0), np.clip(sine(5.03, 1.0), -0.9, 0.9)))
    assert len(found.hints) == 1
    assert found.hints[0].startswith("y: clipped? ")


def test_coarse_samples_at_standstill_are_not_cut_off() -> None:
    codes = np.random.default_rng(1).integers(-2, 3, 4000) * 0.004
    assert figures_of(recording_of(codes)).hints == ()


def test_a_stuck_axis_is_told() -> None:
    stuck = sine(50.3, 1.0)
    stuck[500:540] = stuck[500]
    found = figures_of(recording_of(stuck))
    assert found.hints == ("x: stuck? one value for 40 samples on end",)
    assert found.axes[0].stuck == 40


def test_a_constant_axis_and_an_unknown_rate_are_told() -> None:
    found = figures_of(recording_of(np.full(4000, 0.25), sine(50, 1.0, seconds=4), rate_hz=None))
    assert found.hints == (
        "the file does not say its rate: give it with --rate",
        "x: constant; nothing can be learnt from it",
    )
    axis = found.axes[0]
    assert (axis.rms, axis.peak, axis.crest, axis.kurtosis, axis.lines) == (0, 0, 0, 0, ())
    assert found.duration_s is None
    assert found.axes[1].lines[0].frequency == pytest.approx(0.05, abs=1e-4)  # cycles per sample


def test_a_gap_does_not_spoil_the_spectrum() -> None:
    whole = sine(100, 0.5)
    torn = np.concatenate([whole[:8000], whole[8003:]])
    segments = (Segment(0, 8000), Segment(8000, len(torn)))
    found = figures_of(recording_of(torn, segments=segments))
    assert found.gaps == 1
    assert [round(line.frequency, 1) for line in found.axes[0].lines] == [100.0]


@pytest.mark.parametrize("n_samples", [1, 2, 15])
def test_a_few_samples_have_no_spectrum(n_samples: int) -> None:
    recording = recording_of(np.arange(n_samples))
    assert spectrum_of(recording).amplitudes.shape == (0, 1)
    assert figures_of(recording).axes[0].lines == ()


@given(samples=hnp.arrays(np.float32, st.integers(1, 400), elements=st.floats(-1000, 1000, width=32)))
@settings(max_examples=50)
def test_figures_are_finite_and_in_order(samples: Any) -> None:
    axis: AxisFigures = figures_of(recording_of(samples)).axes[0]
    assert 0 <= axis.rms <= axis.peak * (1 + 1e-9)
    assert axis.crest == 0 or axis.crest >= 1 - 1e-9
    assert axis.kurtosis == 0 or axis.kurtosis >= 1 - 1e-9
    assert 0 <= axis.clipped <= len(samples)
    assert 1 <= axis.stuck <= len(samples)
    assert np.isfinite([axis.mean, axis.rms, axis.peak, axis.crest, axis.kurtosis]).all()
    assert all(np.isfinite([line.frequency, line.amplitude]).all() for line in axis.lines)
