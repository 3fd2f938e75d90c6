"""No window is judged by what it taught, and each score stands beside its own window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inference.arrays import FloatArray
from agent.inference.level import LevelPart
from agent.inference.scoring import Threshold, Thresholds
from trainer.calibration.crossfit import false_alarms, left_out_sessions, out_of_fold
from trainer.recordings.folds import FoldedWindows

LINES = Thresholds(Threshold(2.0, "w"), Threshold(3.0, "a"))


def level_part(median_g: float) -> LevelPart:
    """A raw score of (RMS / median - 1) / 0.1 above the median."""
    return LevelPart(
        kind="level", name="level", weight=1.0, median_rms_g=(median_g,), high=(0.1,), low=(0.1,)
    )


def numbered(n: int) -> FloatArray:
    """Square waves of amplitude 1, 2, ... g, shape (n, 4, 1): a window's level is its number."""
    waves = np.arange(1.0, n + 1)[:, np.newaxis, np.newaxis] * np.array([1.0, -1.0, 1.0, -1.0])[:, np.newaxis]
    return waves.astype(np.float32)


@given(st.lists(st.integers(0, 2), min_size=3, max_size=30))
def test_each_window_is_judged_by_the_other_folds(folds: list[int]) -> None:
    folds[:3] = [0, 1, 2]
    fold, session = np.array(folds), np.zeros(len(folds), np.int64)
    folded = FoldedWindows(numbered(len(folds)), fold, session, 3, len(folds) / 2)
    taught: dict[int, list[float]] = {}

    def fit(windows: FloatArray, number: int) -> tuple[Sequence[LevelPart], dict[str, Any]]:
        taught[number] = windows[:, 0, 0].tolist()
        return (level_part(float(number + 1)),), {}

    (scores,) = out_of_fold(folded, fit)
    for number in range(3):
        assert taught[number] == [float(i + 1) for i, own in enumerate(folds) if own != number]
    expected = [abs((i + 1) / (own + 1) - 1.0) / 0.1 for i, own in enumerate(folds)]
    assert scores[:, 0] == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_a_recording_that_is_left_out_teaches_nothing() -> None:
    random = np.random.default_rng(0)
    levels = 1.0 + 0.05 * random.standard_normal(900)
    levels[600:] += 1.0  # the third day is twice as loud
    windows = (levels[:, np.newaxis, np.newaxis] * np.array([[[1.0], [-1.0]]])).astype(np.float32)
    session = np.repeat([0, 1, 2], 300)
    folded = FoldedWindows(windows, np.arange(900) % 5, session, 5, 900.0)
    raw = [np.abs(windows[:, :1, 0] - 1.0) / np.float32(0.1)]
    seen: list[int] = []

    def fit(windows: FloatArray, number: int) -> tuple[Sequence[LevelPart], dict[str, Any]]:
        seen.append(len(windows))
        return (level_part(1.0),), {}

    groups = [np.array([0, 1]), np.array([2])]
    told = left_out_sessions(folded, raw, groups, fit, LINES, ("mon", "tue", "wed"))
    assert seen == [300, 600]
    assert [one.names for one in told] == [("mon", "tue"), ("wed",)]
    # To the first two the third is nothing they know; to the third they are quiet.
    assert told[1].alarm.alarms == told[1].alarm.windows == 300
    assert told[0].alarm.alarms == 0
    assert (told[0].alarm.independent, told[1].alarm.independent) == (600, 300)


def test_windows_at_a_line_count() -> None:
    scores = np.array([0.0, 1.99, 2.0, 2.5, 3.0, 9.0])
    warning, alarm = false_alarms(LINES, scores, 3.0)
    assert (warning.level, warning.alarms, warning.windows, warning.independent) == ("warning", 4, 6, 3)
    assert (alarm.level, alarm.alarms) == ("alarm", 2)
    # One of three: the root of p in 3 p (1 - p)^2 + (1 - p)^3 = 0.05.
    assert alarm.upper_limit == pytest.approx(0.8646, abs=1e-4)
