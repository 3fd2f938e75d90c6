"""Several models behind one face say the same whatever their order in judder.toml."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from agent.config.alarm import AlarmPolicy
from agent.config.sensor import Combination
from agent.inference.detector import Detector, open_detector
from agent.inference.scoring import Threshold, Thresholds
from agent.judging.alarm import Alarm, episodes
from agent.judging.ensemble import Ensemble
from agent.judging.judges import Judge, joined_manifest
from agent.judging.regime import CommandedRegime, RegimeJudge

JOINED: dict[str, Callable[[Sequence[Detector]], Judge]] = {
    "ensemble": lambda members: Ensemble(members, Combination.MAX),
    "regimes": lambda members: RegimeJudge(
        {member.manifest.name: member for member in members}, CommandedRegime(None)
    ),
}


def members_that_differ(make_bundle: Callable[..., Path]) -> list[Detector]:
    """Return three models: one steady, one whose healthy scores wander, one with higher lines."""
    members = [open_detector(make_bundle(f"{name}.judder"))[0] for name in ("steady", "wanders", "high")]
    lines = Thresholds(Threshold(5.0, "rate:0.0001"), Threshold(6.0, "rate:0.00001"))
    changes = ({"wander": 0.0}, {"wander": 1.5}, {"wander": 0.5, "thresholds": lines})
    for name, member, change in zip("abc", members, changes, strict=True):
        member.manifest = replace(member.manifest, name=name, **change)  # type: ignore[arg-type]
    return members


@pytest.mark.parametrize("kind", JOINED)
def test_wander_and_lines_do_not_depend_on_the_order(kind: str, make_bundle: Callable[..., Path]) -> None:
    for order in permutations(members_that_differ(make_bundle)):
        manifest = JOINED[kind](order).manifest
        assert manifest.wander == 1.5
        assert (manifest.thresholds.warning.score, manifest.thresholds.alarm.score) == (5.0, 6.0)


@pytest.mark.parametrize("kind", JOINED)
def test_healthy_scores_that_wander_raise_the_same_alerts_in_every_order(
    kind: str, make_bundle: Callable[..., Path]
) -> None:
    # Evidence of a defect for a model whose healthy scores do not wander; nothing where one's are known to.
    scores = (1.2 + 0.8 * np.random.default_rng(2).standard_normal(15_000)).tolist()
    for order in permutations(members_that_differ(make_bundle)):
        manifest = JOINED[kind](order).manifest
        assert episodes(scores, Alarm(manifest, AlarmPolicy())) == []
        assert episodes(scores, Alarm(replace(manifest, wander=0.0), AlarmPolicy())) != []


def test_models_of_other_windows_are_refused(make_bundle: Callable[..., Path]) -> None:
    manifests = [
        open_detector(make_bundle(f"{length}.judder", length=length))[0].manifest for length in (64, 128)
    ]
    with pytest.raises(ValueError, match=r"easy-1 takes windows of 128 \(hop 64\) of x, y, z, easy-1 of 64"):
        joined_manifest(manifests, " + ", "mean")
