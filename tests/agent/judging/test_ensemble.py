"""Several models as one: what they say together, and what that costs in false alarms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.sensor import Combination
from agent.inference.detector import open_detector
from agent.inference.scoring import Level
from agent.judging.ensemble import Ensemble, joint_score

MakeBundle = Callable[..., Path]
finite = st.floats(-5, 30)


# p = 2 * 0.001349898 for max; Phi^-1 from tables: -Phi^-1(0.002699796) = 2.78217.
@pytest.mark.parametrize(
    ("combine", "scores", "expected"),
    [
        (Combination.MAX, [3.0, 0.0], 2.78217),
        (Combination.MAX, [20.0, 0.0], 19.96540),
        (Combination.MEAN, [3.0, 0.0], 1.5),
        (Combination.VOTE, [3.0, 0.0], 0.0),
        (Combination.VOTE, [3.0, 1.0, 0.0], 1.0),
        (Combination.VOTE, [4.0, 3.0, 1.0, 0.0], 1.0),
    ],
)
def test_joint_scores(combine: Combination, scores: list[float], expected: float) -> None:
    assert joint_score(scores, combine) == pytest.approx(expected, abs=1e-4)


@given(finite, st.sampled_from(Combination))
def test_one_model_is_its_own_ensemble(score: float, combine: Combination) -> None:
    lowest = -3.0902 if combine is Combination.MAX else -np.inf  # a probability counts as at most 0.999
    assert joint_score([score], combine) == pytest.approx(max(score, lowest), rel=1e-4)


@given(st.lists(finite, min_size=2, max_size=5), st.sampled_from(Combination), st.floats(0, 5))
def test_a_higher_score_never_lowers_the_joint_one(
    scores: list[float], combine: Combination, more: float
) -> None:
    raised = [scores[0] + more, *scores[1:]]
    assert joint_score(raised, combine) >= joint_score(scores, combine) - 1e-9


@pytest.mark.parametrize("correlation", [0.0, 0.7, 1.0])
@pytest.mark.parametrize(("combine", "factor"), [("max", 1.0), ("mean", 1.0), ("vote", 2.0)])
def test_false_alarms_stay_within_the_promise(combine: str, factor: float, correlation: float) -> None:
    random = np.random.default_rng(3)
    common = random.standard_normal((50_000, 1))
    own = random.standard_normal((50_000, 3))
    scores = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    joint = np.array([joint_score(row, Combination(combine)) for row in scores.tolist()])
    promised = 0.01 * factor
    spread = 4 * np.sqrt(promised * (1 - promised) / len(joint))
    assert np.mean(joint >= 2.3263) <= promised + spread  # 2.3263 is the normal quantile of 0.99


def test_the_members_judge_the_same_windows(make_bundle: MakeBundle) -> None:
    members = [open_detector(make_bundle(f"{name}.judder"))[0] for name in "ab"]
    both = Ensemble(members, Combination.MEAN)
    noise = np.random.default_rng(0).standard_normal((2, 64, 3)).astype(np.float32)
    windows = noise * np.array([1.0, 3.0], np.float32)[:, None, None]
    verdicts = both.judge(windows)
    alone = members[0].judge(windows)
    assert [verdict.score for verdict in verdicts] == pytest.approx([verdict.score for verdict in alone])
    assert [verdict.level for verdict in verdicts] == [Level.NORMAL, Level.ALARM]
    assert verdicts[1].part == "easy-1/level"
    assert both.explain(windows[1], verdicts[1].part).statistics[0].axis == "x"
    assert both.manifest.title == "easy-1 + easy-1-mean"


def test_members_that_take_other_windows_are_refused(make_bundle: MakeBundle) -> None:
    members = [open_detector(make_bundle(f"{length}.judder", length=length))[0] for length in (64, 128)]
    with pytest.raises(ValueError, match=r"easy-1 takes windows of 128 \(hop 64\) of x, y, z, easy-1 of 64"):
        Ensemble(members, Combination.MAX)


def test_an_ensemble_has_the_highest_of_its_members_thresholds(make_bundle: MakeBundle) -> None:
    detector, _ = open_detector(make_bundle())
    thresholds = Ensemble([detector, detector], Combination.MAX).manifest.thresholds
    assert (thresholds.of(Level.WARNING), thresholds.of(Level.ALARM)) == (2.5, 3.0)
