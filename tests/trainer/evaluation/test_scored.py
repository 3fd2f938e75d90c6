"""Recordings are judged some windows at a time, and nobody can tell from the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest

from agent.inference.detector import Detector
from agent.inference.manifest import Manifest
from agent.inference.window import window_starts
from firmware_bridge.recording import Segment
from trainer.errors import DataError
from trainer.evaluation.scored import score, window_count
from trainer.recordings.labels import Label, whole

Run = Callable[..., Any]

SEGMENTS = ((0, 150_000), (150_000, 150_100), (150_100, 150_130), (150_200, 200_000))


@pytest.mark.parametrize("padding", ["none", "zeros"])
def test_every_window_is_judged_once(
    level_manifest: Manifest, make_source: Run, padding: Literal["none", "zeros"]
) -> None:
    manifest = replace(level_manifest, window=replace(level_manifest.window, padding=padding))
    samples = np.random.default_rng(0).standard_normal((200_000, 1)).astype(np.float32)
    source = make_source(
        samples, rate_hz=800.0, segments=tuple(Segment(*ends) for ends in SEGMENTS), columns=("x",)
    )
    labelled = [whole(source, Label.NORMAL)]
    told: list[int] = []
    detector = Detector(manifest, {})
    (scored,) = score(detector, labelled, told.append)
    expected = window_starts(SEGMENTS, manifest.window)
    assert scored.starts.tolist() == expected.tolist()
    assert len(scored.scores) == len(scored.parts) == len(scored.labels) == len(expected)
    assert sum(told) == window_count(labelled, manifest.window) == len(expected)
    assert len(told) > 10
    # A window judged alone scores the same.
    for index in (10, 2047, 2048, len(expected) - 1):
        window = samples[np.newaxis, expected[index] : expected[index] + 64]
        assert detector.judge(window)[0].score == pytest.approx(scored.scores[index])


def test_a_recording_that_cannot_be_judged_is_named(level_manifest: Manifest, make_source: Run) -> None:
    source = make_source(np.full((640, 1), 3e38, np.float32), "wild.csv", rate_hz=800.0, columns=("x",))
    with pytest.raises(DataError, match=r"^wild\.csv: a window holds a sample that is not finite"):
        score(Detector(level_manifest, {}), [whole(source, Label.NORMAL)])
