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
from statistics import fmean

from agent.config.sensor import Combination
from agent.inference.arrays import FloatArray
from agent.inference.detector import Detector, Explanation, Verdict
from agent.inference.scoring import score_from_log_p
from agent.judging.judges import joined_manifest

P_MIN = 1e-300
"""Smaller probabilities are not told apart."""


class Ensemble:
    """Detectors that are asked about the same windows (see ``judges.Judge``).

    Raises:
        ValueError: If they do not take the same windows.
    """

    def __init__(self, members: Sequence[Detector], combine: Combination) -> None:
        self._members = tuple(members)
        self._combine = combine
        manifests = [member.manifest for member in members]
        self.manifest = joined_manifest(manifests, " + ", str(combine))

    def judge(self, windows: FloatArray) -> list[Verdict]:
        """Return the joined verdict on each window; shape (n_windows, length, n_axes).

        Raises:
            WindowError: See ``Detector.judge``.
        """
        by_member = [member.judge(windows) for member in self._members]
        return [self._joined(verdicts) for verdicts in zip(*by_member, strict=True)]

    def explain(self, window: FloatArray, part: str) -> Explanation:
        """Return what is abnormal in a window of shape (length, n_axes).

        Args:
            window: In g.
            part: As seen by which member's part: ``TITLE/PART`` from the verdict.
        """
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
