"""Cross-fitting: every window is judged by parts that it did not teach (Stone 1974)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.inference.arrays import FloatArray
from agent.inference.detector import raw_scores
from agent.inference.manifest import AnyPart
from agent.inference.part import Models
from agent.inference.scoring import Level, Thresholds
from trainer.calibration.tails import calibrate_scores, calibrated_scores
from trainer.evaluation.false_alarms import FalseAlarms, count_false_alarms
from trainer.recordings.folds import FoldedWindows

IndexArray = npt.NDArray[np.int64]

Fit = Callable[[FloatArray, int], tuple[Sequence[AnyPart], Models]]
"""Fits parts to windows, shape (n_windows, length, n_axes); the number says which ones were left out."""


@dataclass(frozen=True)
class SessionFalseAlarms:
    """False alarms on recordings of which the parts and the network knew nothing."""

    names: tuple[str, ...]
    """The recordings that were left out together."""
    warning: FalseAlarms
    alarm: FalseAlarms


def out_of_fold(folded: FoldedWindows, fit: Fit) -> list[FloatArray]:
    """Return each part's raw scores, shape (n_windows, n_columns), every window judged by the other folds.

    Args:
        folded: The windows.
        fit: Fits the parts without one fold.

    Raises:
        DataError: If an axis is silent in half of the windows.
        WindowError: If a score is not finite.
    """
    by_fold = []
    for fold in range(folded.count):
        inside = folded.fold == fold
        parts, models = fit(folded.windows[~inside], fold)
        by_fold.append(raw_scores(parts, models, folded.windows[inside]))
    order = np.argsort(np.argsort(folded.fold, kind="stable"), kind="stable")
    return [np.concatenate(blocks)[order] for blocks in zip(*by_fold, strict=True)]


def left_out_sessions(
    folded: FoldedWindows,
    scores: Sequence[FloatArray],
    groups: Sequence[IndexArray],
    fit: Fit,
    thresholds: Thresholds,
    names: Sequence[str],
) -> tuple[SessionFalseAlarms, ...]:
    """Return the false alarms on each group of recordings, judged by what the others taught.

    The tails are those of the other recordings' out-of-fold scores.

    Args:
        folded: The windows.
        scores: Their out-of-fold scores, for each part of shape (n_windows, n_columns).
        groups: Recordings that are left out together.
        fit: Fits the parts without one group.
        thresholds: The lines.
        names: Of the recordings.

    Raises:
        DataError: If the windows that are left cannot be learnt from.
        WindowError: If a score is not finite.
    """
    counted = []
    for number, group in enumerate(groups):
        inside = np.isin(folded.session, group)
        parts, models = fit(folded.windows[~inside], number)
        known = calibrate_scores(
            parts, [raw[~inside] for raw in scores], folded.independent * float(np.mean(~inside))
        )
        judged = calibrated_scores(known, raw_scores(known.parts, models, folded.windows[inside]))
        warning, alarm = false_alarms(thresholds, judged, folded.independent * float(np.mean(inside)))
        counted.append(SessionFalseAlarms(tuple(names[session] for session in group), warning, alarm))
    return tuple(counted)


def false_alarms(
    thresholds: Thresholds, scores: npt.NDArray[np.float64], independent: float
) -> tuple[FalseAlarms, FalseAlarms]:
    """Return how many healthy windows reach the warning and the alarm level.

    Args:
        thresholds: The lines.
        scores: Calibrated scores of healthy windows, shape (n_windows,).
        independent: Number of independent windows among them.
    """
    levels = [thresholds.level(score) for score in scores.tolist()]
    return (
        count_false_alarms(levels, Level.WARNING, independent),
        count_false_alarms(levels, Level.ALARM, independent),
    )
