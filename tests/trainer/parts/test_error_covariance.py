"""Covariance in one pass: the same as in two, in any batches, and where a naive sum loses all digits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.inference.bundle import read_bundle
from agent.inference.detector import open_detector
from trainer.parts.error_covariance import RunningCovariance

Run = Callable[..., Any]


@given(sizes=st.lists(st.integers(0, 20), min_size=1, max_size=8), seed=st.integers(0, 1000))
@settings(deadline=None)
def test_batches_do_not_matter(sizes: list[int], seed: int) -> None:
    if sum(sizes) == 0:
        sizes = [3]
    values = np.random.default_rng(seed).normal(size=(sum(sizes), 3)) @ np.array(
        [[1, 2, 0], [0, 1, 3], [0, 0, 1]]
    )
    running = RunningCovariance(3)
    for batch in np.split(values, np.cumsum(sizes)[:-1]):
        running.update(batch)
    assert running.count == len(values)
    assert running.mean == pytest.approx(values.mean(axis=0), abs=1e-12)
    assert running.covariance == pytest.approx(np.cov(values.T, bias=True), abs=1e-10)


def test_a_mean_a_hundred_million_times_the_deviation_costs_nothing() -> None:
    # Squares of 1e8 leave no digit of a variance of 1 in double precision.
    values = 1e8 + np.random.default_rng(0).normal(size=(5000, 2))
    running = RunningCovariance(2)
    for batch in np.array_split(values, 7):
        running.update(batch)
    assert running.covariance == pytest.approx(np.eye(2), abs=0.05)


@pytest.mark.parametrize(("view", "size", "columns"), [("row", 2, 1), ("axis", 32, 2)])
def test_the_distance_is_a_metric_of_fit(
    judder_train: Run,
    recording_file: Path,
    healthy_samples: Run,
    tiny: tuple[str, ...],
    tmp_path: Path,
    view: str,
    size: int,
    columns: int,
) -> None:
    path = tmp_path / "pump-1.judder"
    result = judder_train("fit", recording_file, "--out", path, *tiny, "--metric", f"mahalanobis-{view}")
    assert result.exit_code == 0, result.output
    part = next(part for part in read_bundle(path).manifest.parts if part.kind == "reconstruction")
    assert part.metric == "mahalanobis"
    assert part.distance is not None
    assert np.shape(part.distance.whitening) == (size, size)
    assert len(part.tails) == columns
    detector, _ = open_detector(path)
    window = healthy_samples(32, seed=3)
    window[17, 1] += 1.0  # a blow on y, at step 17
    (verdict,) = detector.judge(window[np.newaxis])
    assert str(verdict.level) == "alarm"
    told = detector.explain(window, "reconstruction").contributions[0]
    assert told.where == {"row": "step 17", "axis": "y"}[view]


def test_a_singular_covariance_is_refused(
    judder_train: Run, recording_file: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    # A window's mean is removed, so the sum of 256 errors of a poor network has no variance to speak of.
    options = ("--metric", "mahalanobis-axis", "--eps", "0", "--window", "256", "--hop", "64")
    out = tmp_path / "pump-1.judder"
    result = judder_train("fit", recording_file, "--out", out, *tiny, *options)
    assert result.exit_code == 1
    assert "is singular" in result.stderr
    assert "choose a larger --eps" in result.stderr
    assert list(tmp_path.iterdir()) == []
