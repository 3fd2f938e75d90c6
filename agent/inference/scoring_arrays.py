"""The formulas of ``scoring`` for many windows at once.

Both give the same numbers, and a test holds them together. For one window plain floats are several times as
fast as arrays of one, for hundreds it is the other way round.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from agent.inference.arrays import ScoreArray
from agent.inference.scoring import TAIL_PROBABILITY, Tail, Vote, score_from_log_p

_LOG_TAIL = math.log(TAIL_PROBABILITY)
_LOG_P_MAX = math.log(0.999)
_LINEAR_BELOW = -30.0


def part_log_ps(tails: Sequence[Tail], raw: npt.NDArray[np.float32]) -> ScoreArray:
    """Return ln p of each window from a part's raw scores; see ``parts.log_p``.

    Args:
        tails: One per column.
        raw: Shape (n_windows, n_columns).

    Returns:
        Shape (n_windows,).
    """
    columns = raw.astype(np.float64)
    by_column = [tail_log_ps(tail, columns[:, index]) for index, tail in enumerate(tails)]
    return sidak(np.minimum.reduce(by_column), len(tails))


def tail_log_ps(tail: Tail, raw: ScoreArray) -> ScoreArray:
    """Return ln P(healthy score >= raw) of each raw score, any shape; see ``Tail.log_p``."""
    body, position = _ranks(tail.body)
    rank = np.log(1.0 - np.interp(raw, body, position) * (1.0 - TAIL_PROBABILITY))
    excess = (raw - body[-1]) / tail.scale
    beyond = _LOG_TAIL + _log_survival(tail.shape, np.maximum(excess, 0.0))
    return np.where(excess <= 0.0, np.minimum(rank, _LOG_P_MAX), beyond)


@cache
def _ranks(body: tuple[float, ...]) -> tuple[ScoreArray, ScoreArray]:
    """Return the healthy quantiles and their positions from 0 to 1, of the same shape."""
    return np.array(body), np.linspace(0.0, 1.0, len(body))


def _log_survival(shape: float, excess: ScoreArray) -> ScoreArray:
    if abs(shape) < 1e-9:
        return -excess
    if shape > 0:
        return np.asarray(-np.log1p(shape * excess) / shape)
    at = -0.9 / shape
    inside = np.minimum(excess, at)
    tangent = (excess - inside) / (1.0 + shape * at)
    return np.asarray(-np.log1p(shape * inside) / shape - tangent)


def sidak(log_ps: ScoreArray, count: int) -> ScoreArray:
    """Return ln of the probability that the smallest of ``count`` p-values is that small; see ``scoring``."""
    if count == 1:
        return log_ps
    p = np.minimum(np.exp(log_ps), 0.999999)
    exact = np.log(np.maximum(-np.expm1(count * np.log1p(-p)), 1e-300))
    return np.where(log_ps < _LINEAR_BELOW, log_ps + math.log(count), exact)


def evidence(log_ps: ScoreArray, votes: Sequence[Vote]) -> ScoreArray:
    """Return ln(w_i / p_i^k_i), shape (n_windows, n_parts); see ``scoring.Vote``.

    Args:
        log_ps: Shape (n_windows, n_parts).
        votes: Of the parts.
    """
    powers = np.array([vote.power for vote in votes])
    spoken: ScoreArray = np.array([vote.log_weight for vote in votes]) - powers * log_ps
    return spoken


def joined(log_ps: ScoreArray, votes: Sequence[Vote]) -> ScoreArray:
    """Return ln(sum of w_i / p_i^k_i), shape (n_windows,); see ``scoring.joined``.

    Args:
        log_ps: Shape (n_windows, n_parts).
        votes: Of the parts.
    """
    terms = evidence(log_ps, votes)
    largest = terms.max(axis=1)
    together: ScoreArray = np.log(np.exp(terms - largest[:, np.newaxis]).sum(axis=1))
    together += largest
    return together


def scores_from_log_ps(log_ps: ScoreArray) -> ScoreArray:
    """Return the calibrated score of each tail probability, same shape; see ``scoring.score_from_log_p``."""
    # numpy has no Gaussian quantile, and that of the standard library is quick.
    return np.array([score_from_log_p(log_p) for log_p in log_ps.tolist()])
