"""Calibration: what a raw score means, learnt from healthy windows that the network was not trained on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.inference import scoring
from agent.inference.arrays import FloatArray, ScoreArray
from agent.inference.detector import log_ps
from agent.inference.manifest import AnyPart
from agent.inference.part import log_p, votes
from agent.inference.reconstruction import ReconstructionPart
from agent.inference.scoring import TAIL_PROBABILITY, Tail
from agent.inference.scoring_arrays import joined, scores_from_log_ps, tail_log_ps
from trainer.errors import DataError
from trainer.rounding import short

_BODY_POINTS = 46  # 2 % apart
_PRIOR_EXCEEDANCES = 5.0
# Of n exponential excesses the largest is beyond ln(n) + 3 typical ones one time in twenty.
_LARGEST_BEYOND_LOG = 3.0
_LEAST_CAP = 6.0
# Of a Gaussian variable: mean excess over the upper decile, and the upper decile, in standard deviations.
_GAUSSIAN_MEAN_EXCESS = 0.47
_GAUSSIAN_DECILE = 1.2816
_SHAPE_LIMIT = 0.25
_USUAL_LOG_P = math.log(0.5)
_WINDOWS_PER_STRETCH = 8.0
_MOST_STRETCHES = 20
_PRIOR_STRETCHES = 4.0
_PRIOR_WANDER = 0.175


@dataclass(frozen=True)
class Calibration:
    """Parts whose scores have a meaning, and the scores that gave it, shape (n_windows,)."""

    parts: tuple[AnyPart, ...]
    """The parts with their tails."""
    combination: Tail
    """Tail of the joined parts."""
    scores: ScoreArray
    """Calibrated scores of the windows that were learnt from, shape (n_windows,)."""
    wander: float
    """See ``Manifest.wander``."""


def calibrate_scores(
    parts: Sequence[AnyPart], scores: Sequence[FloatArray], independent: float
) -> Calibration:
    """Fit the tails of all columns, then the tail of the parts joined, to scores that are there already.

    Args:
        parts: The parts as they ship, but for their tails.
        scores: Of healthy windows that did not teach the parts, in the order of sessions and time, for each
            part of shape (n_windows, n_columns).
        independent: Number of independent windows among them.

    Raises:
        DataError: If a score is the same in all windows.
    """
    fitted = tuple(
        dataclasses.replace(part, tails=tuple(fit_tail(column, independent) for column in raw.T))
        for part, raw in zip(parts, scores, strict=True)
    )
    together = _joined(fitted, scores)
    combination = fit_tail(together, independent)
    calibrated = _scores(combination, together)
    return Calibration(fitted, combination, calibrated, wander(calibrated, independent))


def calibrated_scores(calibration: Calibration, scores: Sequence[FloatArray]) -> ScoreArray:
    """Return the calibrated score of other windows, shape (n_windows,).

    Args:
        calibration: What their raw scores mean.
        scores: Raw scores, for each part of shape (n_windows, n_columns).
    """
    return _scores(calibration.combination, _joined(calibration.parts, scores))


def error_line(calibration: Calibration, raw: FloatArray, sigmas: float) -> float:
    """Return the score of a window whose network's error lies so far above its mean, all else being usual.

    Of several axes the line is that of the one that speaks last, so that no axis alarms before its own.

    Args:
        calibration: Of all parts.
        raw: Of the network, out of fold, shape (n_windows, n_columns).
        sigmas: Standard deviations above the mean of each column.
    """
    errors = raw.astype(np.float64)
    usual, lines = np.median(errors, axis=0), errors.mean(axis=0) + sigmas * errors.std(axis=0)
    scores = []
    for column, line in enumerate(lines):
        row = usual.copy()
        row[column] = line
        log_ps = [
            log_p(part, row.tolist()) if isinstance(part, ReconstructionPart) else _USUAL_LOG_P
            for part in calibration.parts
        ]
        together = scoring.joined(log_ps, votes(calibration.parts))
        scores.append(scoring.score_from_log_p(calibration.combination.log_p(together)))
    return max(scores)


def wander(scores: ScoreArray, independent: float) -> float:
    """Return how far the mean of healthy scores wanders from stretch to stretch, beyond chance.

    The between-group variance by moments (DerSimonian and Laird 1986) of 2 to 20 stretches, shrunk towards a
    prior as if that had been seen in four more of them.

    Args:
        scores: Calibrated, of consecutive windows, session after session, shape (n_windows,).
        independent: Number of independent windows among them.
    """
    count = int(np.clip(independent // _WINDOWS_PER_STRETCH, 2, _MOST_STRETCHES))
    means = np.array([stretch.mean() for stretch in np.array_split(scores, count)])
    variance = max(float(means.var(ddof=1)) - count / independent, 0.0)
    seen = count - 1
    shrunk = (seen * variance + _PRIOR_STRETCHES * _PRIOR_WANDER**2) / (seen + _PRIOR_STRETCHES)
    return float(f"{math.sqrt(shrunk):.3g}")


def _joined(parts: Sequence[AnyPart], scores: Sequence[FloatArray]) -> ScoreArray:
    return joined(log_ps(parts, scores), votes(parts))


def _scores(combination: Tail, together: ScoreArray) -> ScoreArray:
    return scores_from_log_ps(tail_log_ps(combination, together))


def fit_tail(scores: FloatArray | ScoreArray, independent: float) -> Tail:
    """Return the upper tail of healthy scores: ranks up to the upper decile, a generalised Pareto above.

    Scale and shape are those of the excesses, shrunk as if five exceedances of a Gaussian variable had been
    seen besides, so that few windows give a cautious tail; ``1 / k`` is added to the shape as the price of
    not knowing the scale. An excess further out than chance would put the largest of so many counts as that
    far: a rare large move of a healthy machine must not hide what is smaller and not healthy. It stays a
    false alarm, and is counted as one.

    Args:
        scores: Shape (n_windows,).
        independent: Number of independent windows among them.

    Raises:
        DataError: If the scores do not vary.
    """
    values = np.asarray(scores, np.float64)
    body = np.quantile(values, np.linspace(0.0, 1.0 - TAIL_PROBABILITY, _BODY_POINTS))
    decile, median = body[-1], np.median(values)
    if not decile > median:
        raise DataError(
            "the healthy windows all score alike, so no threshold can be placed; record longer, with the "
            "machine in its normal variety"
        )
    excess = values[values >= decile] - decile  # of scores in steps the decile itself may be the largest
    seen = TAIL_PROBABILITY * independent
    k = seen + _PRIOR_EXCEEDANCES
    expected = _GAUSSIAN_MEAN_EXCESS * (decile - median) / _GAUSSIAN_DECILE
    typical = (seen * float(np.median(excess)) / math.log(2.0) + _PRIOR_EXCEEDANCES * expected) / k
    cap = max(math.log(max(seen, 1.0)) + _LARGEST_BEYOND_LOG, _LEAST_CAP)
    excess = np.minimum(excess, cap * typical)
    mean = (seen * excess.mean() + _PRIOR_EXCEEDANCES * expected) / k
    shape = _shape_by_moments(excess) * seen / k
    scale = mean * (1.0 - shape)
    return Tail(short(body), float(f"{shape + 1.0 / k:.6g}"), float(f"{scale:.6g}"))


def _shape_by_moments(excess: ScoreArray) -> float:
    """Return the Pareto shape by the method of moments (Hosking and Wallis 1987), from 0 to its limit.

    A shape below 0 would mean a largest score that no healthy window can pass, and a few dozen windows above
    the decile cannot show that: left unclipped it multiplies false alarms on unseen recordings.
    """
    variance = excess.var()
    if not variance > 0:
        return 0.0
    shape = 0.5 * (1.0 - excess.mean() ** 2 / variance)
    return float(np.clip(shape, 0.0, _SHAPE_LIMIT))
