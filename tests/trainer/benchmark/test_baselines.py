"""The detectors to be beaten, and the figures that compare them, worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inference.window import WindowSpec
from firmware_bridge.recording import Recording, Segment
from trainer.benchmark.baselines import mahalanobis, pca_waveform, rms, time_features, two_sided_rms
from trainer.benchmark.figures import Machine, figures, two_of_three, windows_of
from trainer.benchmark.table import head, row, row_json

SINE = np.sin(2 * np.pi * np.arange(64) / 16)


def waves(*amplitudes: float) -> Any:
    return (5.0 + np.array(amplitudes)[:, np.newaxis, np.newaxis] * SINE[:, np.newaxis]).astype(np.float32)


def test_the_level_is_the_rms_without_gravity() -> None:
    assert rms(waves(1.0))(waves(1.0, 2.0)) == pytest.approx([0.7071, 1.4142], abs=1e-4)


def test_twice_and_half_as_loud_are_equally_far() -> None:
    # ln 2
    assert two_sided_rms(waves(1.0, 1.0, 7.0))(waves(2.0, 0.5, 1.0)) == pytest.approx(
        [0.6931, 0.6931, 0.0], abs=1e-4
    )


def test_the_time_features_of_a_sine_and_a_square_wave() -> None:
    square = np.sign(np.sin(2 * np.pi * (np.arange(64) + 0.5) / 16))[np.newaxis, :, np.newaxis]
    # Median deviation, RMS, kurtosis, crest factor.
    assert time_features(square.astype(np.float32))[0] == pytest.approx([1.0, 1.0, 1.0, 1.0], abs=1e-6)
    assert time_features(waves(2.0))[0] == pytest.approx([1.4142, 1.4142, 1.5, 1.4142], abs=1e-4)


def test_other_waveforms_leave_a_residual() -> None:
    random = np.random.default_rng(0)
    score = pca_waveform(waves(*random.uniform(0.5, 1.5, 30)))
    other = (np.cos(2 * np.pi * np.arange(64) / 4)[np.newaxis, :, np.newaxis]).astype(np.float32)
    assert score(waves(3.0)) == pytest.approx([0.0], abs=1e-6)
    # A cosine of amplitude 1 has a mean square of a half, none of it along the sine; the mean sine stays.
    assert score(other) == pytest.approx([0.5], abs=0.01)


def test_the_distance_sees_impacts_at_the_same_level() -> None:
    windows = np.random.default_rng(0).standard_normal((300, 64, 1)).astype(np.float32)
    score = mahalanobis(windows[:200])
    impact = windows[200:].copy()
    impact[:, 5] = 8.0
    impact *= np.sqrt((windows[200:] ** 2).mean(axis=1) / (impact**2).mean(axis=1))[:, np.newaxis]
    assert np.median(score(impact)) > np.quantile(score(windows[200:]), 0.99)


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0]), max_size=12))
def test_an_alert_takes_two_of_three_windows(scores: list[float]) -> None:
    found = two_of_three(1.0)(np.array(scores))
    raising = [
        last
        for last in range(len(scores))
        if sum(score >= 1.0 for score in scores[max(last - 2, 0) : last + 1]) >= 2
    ]
    assert found == (raising[0] if raising else None)


def recording(*levels: float) -> Recording:
    """Windows of four samples of one level each, at 2 Hz."""
    samples = np.repeat(np.array(levels, np.float32), 4)[:, np.newaxis]
    return Recording(Path("r"), ("x",), samples, 2.0, (Segment(0, len(samples)),), ())


def test_the_figures_of_a_machine_worked_out_by_hand() -> None:
    machine = Machine(
        "fan",
        (),
        {"monday": (recording(0, 0, 1, 3),), "tuesday": (recording(0, 1),)},
        {"unbalance": (recording(0, 4, 4, 4),), "looseness": (recording(0, 2, 0),)},
    )
    made = figures(
        machine,
        "level",
        lambda windows: windows[:, 0, 0].astype(np.float64),
        2.0,
        two_of_three(2.0),
        WindowSpec(4, 4),
    )
    # Healthy 0 0 0 1 1 3, defective 0 0 0 2 4 4 4; a tie counts half: (3 x 6 + 5 + 3 x 1.5) / 42.
    assert made.roc_auc == pytest.approx(27.5 / 42)
    assert made.recall == pytest.approx(4 / 7)
    assert made.worst_recall == pytest.approx(1 / 3)
    # 2 x 0.5714 / (1 + 0.5714 + 0.1667)
    assert made.balanced_f1 == pytest.approx(0.6575, abs=1e-4)
    assert [(rate.kind, rate.alarms, rate.windows) for rate in made.false_alarms] == [
        ("monday", 1, 4),
        ("tuesday", 0, 2),
    ]
    # None of two: 1 - sqrt(0.05).
    assert made.false_alarms[1].limit == pytest.approx(0.7764, abs=1e-4)
    # The third window raises the alert and ends after twelve samples; looseness raises none.
    assert (made.delay_s, made.found, made.kinds) == (6.0, 1, 2)
    assert [(one.kind, round(one.recall, 4)) for one in made.by_kind] == [
        ("unbalance", 0.75),
        ("looseness", 0.3333),
    ]
    line = row(made)
    assert "\n" not in line
    assert "1/2" in line
    assert "6.00 s" in line
    assert line.endswith("monday 1/4 (0.751); tuesday 0/2 (0.776)")
    assert head("fan").splitlines()[0] == "fan"
    assert '"worst_recall": 0.333' in row_json(made)


def test_windows_of_a_benchmark_span_no_gap() -> None:
    whole = recording(1, 2, 3)
    apart = Recording(Path("r"), ("x",), whole.samples, 2.0, (Segment(0, 6), Segment(6, 12)), ())
    assert windows_of([apart], WindowSpec(4, 4))[:, :, 0].tolist() == [[1, 1, 1, 1], [2, 2, 3, 3]]
