"""Several models that judge the same windows, as one.

All members score on one calibrated scale: a healthy window reaches a score s with probability p = Phi(-s).
That makes them comparable, and says what joining them costs in false alarms:

- max: the smallest p, corrected for having chosen among m (Bonferroni): min(1, m p). Never more false alarms
  than one model has, whatever the members have in common.
- mean: the mean of the scores. It varies no more than one score does, and less the more the members differ:
  at a threshold above 0 it raises no more false alarms than one model, if the scores are jointly normal.
- vote: the score that more than half of the members reach. At most twice as many false alarms as one model
  (Markov's inequality for the count of members above the line).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Protocol

import numpy as np
import numpy.typing as npt

from agent.config.sensor import Combination
from agent.inference.detector import Detector, Explanation, Verdict
from agent.inference.manifest import Manifest
from agent.inference.scoring import Thresholds, score_from_log_p

FloatArray = npt.NDArray[np.float32]

P_MIN = 1e-300
"""Smaller probabilities are not told apart."""


class Judge(Protocol):
    """What a monitor asks: a detector, or an ensemble of them. Not for several threads at once."""

    @property
    def manifest(self) -> Manifest:
        """What windows it takes, and its thresholds."""
        ...

    def judge(self, windows: FloatArray) -> list[Verdict]:
        """Return the verdict on each window; see ``Detector.judge``.

        Raises:
            WindowError: If the shape is another, or a sample or score is not finite.
        """
        ...

    def explain(self, window: FloatArray, part: str) -> Explanation:
        """Return what is abnormal about a window, as seen by a part; see ``Detector.explain``."""
        ...


def joined(members: Sequence[Detector], combine: Combination) -> Judge:
    """Return several detectors as one.

    Raises:
        ValueError: If they do not take the same windows.
    """
    check_alike([member.manifest for member in members])
    return Ensemble(members, combine)


def check_alike(manifests: Sequence[Manifest]) -> None:
    """Refuse models that do not take the same windows.

    Raises:
        ValueError: With the first that differs.
    """
    first = manifests[0]
    for other in manifests[1:]:
        if (other.window, other.axes, other.unit) != (first.window, first.axes, first.unit):
            raise ValueError(
                f"{other.title} takes windows of {other.window.length} (hop {other.window.hop}) of "
                f"{', '.join(other.axes)}, {first.title} of {first.window.length} "
                f"(hop {first.window.hop}) of {', '.join(first.axes)}"
            )


class Ensemble:
    """Detectors that are asked about the same windows (see ``joined``)."""

    def __init__(self, members: Sequence[Detector], combine: Combination) -> None:
        self._members = tuple(members)
        self._combine = combine
        manifests = [member.manifest for member in members]
        self.manifest = replace(
            manifests[0],
            name=" + ".join(manifest.title for manifest in manifests),
            version=str(combine),
            wander=max(manifest.wander for manifest in manifests),
            thresholds=highest([manifest.thresholds for manifest in manifests]),
        )

    def judge(self, windows: FloatArray) -> list[Verdict]:
        """Return the joined verdict on each window.

        Raises:
            WindowError: See ``Detector.judge``.
        """
        by_member = [member.judge(windows) for member in self._members]
        return [self._joined(verdicts) for verdicts in zip(*by_member, strict=True)]

    def explain(self, window: FloatArray, part: str) -> Explanation:
        """Return what is abnormal, as seen by a member's part: ``TITLE/PART`` from the verdict."""
        title, _, name = part.rpartition("/")
        member = next(member for member in self._members if member.manifest.title == title)
        return member.explain(window, name)

    def _joined(self, verdicts: Sequence[Verdict]) -> Verdict:
        loudest = max(range(len(verdicts)), key=lambda index: verdicts[index].score)
        score = joint_score([verdict.score for verdict in verdicts], self._combine)
        part = f"{self._members[loudest].manifest.title}/{verdicts[loudest].part}"
        return Verdict(score, self.manifest.thresholds.level(score), part)


def joint_score(scores: Sequence[float], combine: Combination) -> float:
    """Return the score of an ensemble from its members' calibrated scores."""
    if combine is Combination.MEAN:
        return fmean(scores)
    if combine is Combination.VOTE:
        return sorted(scores, reverse=True)[len(scores) // 2]
    p = min(len(scores) * _tail_probability(max(scores)), 1.0)
    return score_from_log_p(math.log(max(p, P_MIN)))


def _tail_probability(score: float) -> float:
    """Return Phi(-score), exact for high scores, too, where 1 - Phi(score) would be rounded to 0."""
    return 0.5 * math.erfc(score / math.sqrt(2))


def highest(thresholds: Sequence[Thresholds]) -> Thresholds:
    """Return the highest threshold of each level."""
    return Thresholds(
        max((t.warning for t in thresholds), key=lambda threshold: threshold.score),
        max((t.alarm for t in thresholds), key=lambda threshold: threshold.score),
    )
