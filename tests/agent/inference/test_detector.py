"""The detector, followed by hand on a level part, and on the real runtime with the demo's bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import BundleError, WindowError
from agent.inference.bundle import Golden, read_bundle
from agent.inference.detector import Detector, Verdict, check_golden, judge_recording, open_detector
from agent.inference.manifest import Manifest
from agent.inference.scoring import Level, rate_from_score

DEMO = Path(__file__).parents[3] / "agent/demo/demo-1.judder"


def square_wave(rms_g: float, length: int = 64) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return one window of one axis with an exact RMS, shape (1, length, 1)."""
    return np.tile(np.array([rms_g, -rms_g], np.float32), length // 2)[np.newaxis, :, np.newaxis]


def assert_same(verdicts: Sequence[Verdict], expected: Sequence[Verdict]) -> None:
    """Check that verdicts agree, their scores but for the rounding of float32."""
    scores = [verdict.score for verdict in verdicts]
    assert scores == pytest.approx([verdict.score for verdict in expected], rel=1e-5, abs=1e-5)
    assert [(v.level, v.part) for v in verdicts] == [(v.level, v.part) for v in expected]


@pytest.mark.parametrize(
    ("rms_g", "log10_p"),
    [
        (1.1, -1.0),  # raw 1: the upper decile
        (1.3, -1.0 - 2 / np.log(10)),  # two scales above it
        (0.7, -1.0 - 2 / np.log(10)),  # too quiet is as bad as too loud
    ],
)
def test_the_level_part_by_hand(level_manifest: Manifest, rms_g: float, log10_p: float) -> None:
    (verdict,) = Detector(level_manifest, {}).judge(square_wave(rms_g))
    assert np.log10(rate_from_score(verdict.score)) == pytest.approx(log10_p, rel=1e-3)
    assert verdict.part == "level"


def test_levels_of_windows(level_manifest: Manifest) -> None:
    detector = Detector(level_manifest, {})
    levels = [detector.judge(square_wave(rms))[0].level for rms in (1.0, 1.45, 1.6, 0.1)]
    assert levels == [Level.NORMAL, Level.WARNING, Level.ALARM, Level.ALARM]


def test_the_offset_does_not_matter(level_manifest: Manifest) -> None:
    detector = Detector(level_manifest, {})
    assert detector.judge(square_wave(1.2) + 5.0)[0].score == pytest.approx(
        detector.judge(square_wave(1.2))[0].score, abs=1e-3
    )


def test_an_axis_that_stands_still_is_abnormal(level_manifest: Manifest) -> None:
    assert Detector(level_manifest, {}).judge(np.zeros((1, 64, 1), np.float32))[0].level is Level.ALARM


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38])
def test_a_window_that_cannot_be_scored_is_never_healthy(level_manifest: Manifest, bad: float) -> None:
    windows = square_wave(1.0).copy()
    windows[0, :, 0] = bad
    with np.errstate(all="ignore"), pytest.raises(WindowError):
        Detector(level_manifest, {}).judge(windows)


def test_a_window_of_another_shape(level_manifest: Manifest) -> None:
    with pytest.raises(WindowError, match=r"shape \(32, 1\), the bundle takes \(64, 1\)"):
        Detector(level_manifest, {}).judge(square_wave(1.0, 32))


def test_an_explanation_names_the_axis(make_bundle: Callable[..., Path]) -> None:
    detector, _ = open_detector(make_bundle())
    window = np.concatenate([square_wave(1.0), square_wave(1.0), square_wave(4.0)], axis=2)[0]
    explanation = detector.explain(window, "level")
    assert explanation.contributions[0].where == "z"
    assert explanation.contributions[0].share > 0.9
    assert [axis.rms_g for axis in explanation.statistics] == pytest.approx([1.0, 1.0, 4.0])


def test_golden_windows_that_score_otherwise_are_refused(make_bundle: Callable[..., Path]) -> None:
    detector, bundle = open_detector(make_bundle())
    assert check_golden(detector, bundle) == pytest.approx(0.0, abs=1e-5)
    other = replace(bundle, golden=Golden(bundle.golden.windows, bundle.golden.scores + 0.8))
    with pytest.raises(BundleError, match="golden window"):
        check_golden(detector, other)


def test_a_golden_score_that_is_no_number_fails(make_bundle: Callable[..., Path]) -> None:
    detector, bundle = open_detector(make_bundle())
    scores = bundle.golden.scores.copy()
    scores[1, 0] = np.nan
    with pytest.raises(BundleError, match="golden window 1"):
        check_golden(detector, replace(bundle, golden=Golden(bundle.golden.windows, scores)))


def test_a_recording_is_judged_as_its_windows_are(level_manifest: Manifest) -> None:
    detector = Detector(level_manifest, {})
    samples = np.random.default_rng(1).standard_normal((1000, 1)).astype(np.float32)
    starts, verdicts = judge_recording(detector, samples, [(0, 300), (400, 1000)])
    assert starts.tolist()[:3] == [0, 32, 64]
    assert all(not (start < 400 and start + 64 > 300) for start in starts)
    alone = [detector.judge(samples[np.newaxis, start : start + 64])[0] for start in starts]
    assert_same(alone, verdicts)


@pytest.fixture(scope="module")
def demo_detector() -> Detector:
    """The demo's bundle on the real runtime: a quantized network and a level part."""
    return open_detector(DEMO)[0]


def test_noise_is_not_the_machine(demo_detector: Detector) -> None:
    spec, axes = demo_detector.manifest.window, demo_detector.manifest.axes
    windows = np.random.default_rng(0).normal(0, 0.3, (3, spec.length, len(axes))).astype(np.float32)
    assert [verdict.level for verdict in demo_detector.judge(windows)] == [Level.ALARM] * 3


def test_a_window_scores_the_same_alone_and_among_others(demo_detector: Detector) -> None:
    windows = read_bundle(DEMO).golden.windows
    together = demo_detector.judge(windows)
    assert_same([demo_detector.judge(window[np.newaxis])[0] for window in windows], together)


@settings(max_examples=30, deadline=None)
@given(gain=st.floats(0.0, 100.0))
def test_every_finite_window_has_a_finite_score(demo_detector: Detector, gain: float) -> None:
    windows = read_bundle(DEMO).golden.windows * np.float32(gain)
    assert all(np.isfinite(verdict.score) for verdict in demo_detector.judge(windows))


def test_a_machine_twice_as_loud_is_abnormal(demo_detector: Detector) -> None:
    golden = read_bundle(DEMO).golden
    healthy = golden.windows[golden.scores[:, 0] < 1.0]
    assert len(healthy)
    assert all(verdict.level is Level.ALARM for verdict in demo_detector.judge(healthy * np.float32(2.0)))
