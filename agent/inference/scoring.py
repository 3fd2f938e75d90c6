"""From raw scores to one calibrated score, and from the score to a level.

Every raw score has its own scale. A ``Tail`` turns it into the probability that a healthy window scores as
high; the parts' probabilities are joined as the sum of w / p^k, which lets one part that is sure outvote any
number that see nothing; the tail of the joined value over healthy windows counts in how the parts depend on
each other. The final probability p is written as the score

    score = -Phi^-1(p),

the standard deviations by which a Gaussian variable would have to exceed its mean to be as rare: 0 is the
middle of healthy, 2.33 is 1 window in 100, 3.09 is 1 in 1,000.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from statistics import NormalDist

_GAUSS = NormalDist()
_LOG_P_MIN = math.log(1e-300)
_LOG_P_MAX = math.log(0.999)

TAIL_PROBABILITY = 0.1
"""Above the quantile of this tail probability the generalised Pareto takes over from ranks."""

_LOG_TAIL = math.log(TAIL_PROBABILITY)


class Level(IntEnum):
    """How a window, or a machine, is judged."""

    NORMAL = 0
    WARNING = 1
    ALARM = 2

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Threshold:
    """A line that the score is compared with."""

    score: float
    """The line, on the scale of the calibrated score."""
    method: str
    """How it was derived: ``rate:0.001``, ``sigma:3``, ``percentile:99``."""


@dataclass(frozen=True)
class Thresholds:
    """The two lines."""

    warning: Threshold
    alarm: Threshold

    def __post_init__(self) -> None:
        if self.alarm.score < self.warning.score:
            raise ValueError("the alarm threshold lies below the warning threshold")

    def of(self, level: Level) -> float:
        """Return the threshold of a level above normal."""
        return self.alarm.score if level is Level.ALARM else self.warning.score

    def level(self, score: float) -> Level:
        """Return the level of one window's score."""
        if score >= self.alarm.score:
            return Level.ALARM
        return Level.WARNING if score >= self.warning.score else Level.NORMAL


@dataclass(frozen=True)
class Tail:
    """Upper tail probability of a raw score under the healthy distribution.

    Below the upper decile the probability is read from the healthy windows' ranks; above it from a
    generalised Pareto distribution (Pickands 1975; Coles 2001, chapter 4).
    """

    body: tuple[float, ...]
    """Healthy quantiles at equally spaced tail probabilities from 1 down to ``TAIL_PROBABILITY``."""
    shape: float
    """Pareto shape xi."""
    scale: float
    """Pareto scale sigma, above 0."""

    def __post_init__(self) -> None:
        if len(self.body) < 2 or any(a > b for a, b in zip(self.body, self.body[1:], strict=False)):
            raise ValueError("body must hold two or more ascending quantiles")
        if not self.scale > 0:
            raise ValueError("scale must be above 0")

    def log_p(self, raw: float) -> float:
        """Return ln P(healthy score >= raw)."""
        body = self.body
        if raw > body[-1]:
            return _LOG_TAIL + self._log_survival((raw - body[-1]) / self.scale)
        after = bisect_right(body, raw, 0, len(body) - 1)
        if after == 0:
            return _LOG_P_MAX
        below, above = body[after - 1], body[after]
        step = (raw - below) / (above - below) if above > below else 1.0
        position = (after - 1 + step) / (len(body) - 1)
        return min(math.log(1.0 - position * (1.0 - TAIL_PROBABILITY)), _LOG_P_MAX)

    def _log_survival(self, excess: float) -> float:
        """Return ln of the generalised Pareto survival function at ``excess`` scales above the threshold."""
        shape = self.shape
        if abs(shape) < 1e-9:
            return -excess
        if shape < 0 and excess > -0.9 / shape:
            # A bounded tail would give probability 0 to what was never seen: go on along the tangent.
            at = -0.9 / shape
            return -math.log1p(shape * at) / shape - (excess - at) / (1.0 + shape * at)
        return -math.log1p(shape * excess) / shape


def sidak(log_p: float, count: int) -> float:
    """Return ln of the probability that the smallest of ``count`` independent p-values is that small.

    Sidak (1967): 1 - (1 - p)^count.
    """
    if count == 1:
        return log_p
    if log_p < -30.0:
        return log_p + math.log(count)
    return math.log(max(-math.expm1(count * math.log1p(-min(math.exp(log_p), 0.999999))), 1e-300))


@dataclass(frozen=True)
class Vote:
    """How a part's p-value counts when the parts are joined: as weight / p^power."""

    log_weight: float
    power: float
    """1 for a guard: with a small weight it is silent until it is sure, and then outvotes the others. Less
    lets parts that are half sure add up."""

    def evidence(self, log_p: float) -> float:
        """Return ln(weight / p^power)."""
        return self.log_weight - self.power * log_p


def joined(log_ps: Sequence[float], votes: Sequence[Vote]) -> float:
    """Return ln(sum of w_i / p_i^k_i).

    With all powers 1 it is minus the logarithm of the weighted harmonic mean of p-values (Wilson, "The
    harmonic mean p-value for combining dependent tests", PNAS 116, 2019); for other powers see Vovk and Wang,
    "Combining p-values via averaging", Biometrika 107 (2020).
    """
    terms = [vote.evidence(log_p) for vote, log_p in zip(votes, log_ps, strict=True)]
    largest = max(terms)
    return largest + math.log(sum(math.exp(term - largest) for term in terms))


def score_from_log_p(log_p: float) -> float:
    """Return the calibrated score of a tail probability: minus its Gaussian quantile."""
    return -_GAUSS.inv_cdf(math.exp(min(max(log_p, _LOG_P_MIN), _LOG_P_MAX)))


def score_from_rate(rate: float) -> float:
    """Return the score that a fraction ``rate`` of healthy windows reaches.

    Raises:
        ValueError: If the rate does not lie between 0 and 1.
    """
    if not 0.0 < rate < 1.0:
        raise ValueError(f"a false-alarm rate lies between 0 and 1, not {rate:g}")
    return -_GAUSS.inv_cdf(rate)


def rate_from_score(score: float) -> float:
    """Return the tail probability of a calibrated score."""
    return 0.5 * math.erfc(score / math.sqrt(2.0))
