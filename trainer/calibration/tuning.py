"""Lines drawn after the fact: from labelled windows, or extrapolated to a rate that no recording can show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
from scipy.stats import genpareto

from agent.inference.arrays import BoolArray, ScoreArray
from agent.inference.manifest import Manifest
from agent.inference.scoring import Threshold, Thresholds
from trainer.errors import DataError, MethodError
from trainer.evaluation.scored import ScoredRecording, labelled_scores
from trainer.recordings.labels import Label
from trainer.settings import Method, MethodKind, parse_method

MIN_PEAKS = 10
"""Separate peaks below which nothing can be extrapolated."""

_PEAK_QUANTILE = 0.9
_SECONDS_PER = {
    "hour": 3600.0,
    "day": 86400.0,
    "week": 604800.0,
    "month": 2629800.0,  # a twelfth of 365.25 days
    "year": 31557600.0,
}
_PEAKS = re.compile(r"(\d+(?:\.\d+)?(?:e-?\d+)?)/(window|hour|day|week|month|year)")
_EXAMPLES = "write sigma:3, percentile:99.5, rate:0.005, fbeta:1 or pot:1/month"


@dataclass(frozen=True)
class FBeta:
    """The line that maximises F-beta over labelled windows."""

    beta: float
    """Recall weighs this many times as much as precision."""

    def __str__(self) -> str:
        return f"fbeta:{self.beta:g}"


@dataclass(frozen=True)
class Peaks:
    """The line that healthy peaks pass at a wanted rate, by peaks over threshold."""

    count: float
    per: str
    """``window``, or a time from ``hour`` to ``year``."""

    def __str__(self) -> str:
        return f"pot:{self.count:g}/{self.per}"

    def per_window(self, manifest: Manifest) -> float:
        """Return the wanted peaks per window.

        Raises:
            DataError: If a time is named and the bundle knows no sample rate.
        """
        if self.per == "window":
            return self.count
        if manifest.rate_hz is None:
            raise DataError(f"'{self}': the bundle knows no sample rate; write pot:RATE/window")
        return self.count * manifest.window.hop / manifest.rate_hz / _SECONDS_PER[self.per]


LineMethod = Method | FBeta | Peaks


def parse_line_method(text: str) -> LineMethod:
    """Return the method that a text such as ``fbeta:1``, ``pot:1/month`` or ``rate:0.001`` stands for.

    Raises:
        MethodError: If it stands for none, or its value is out of range.
    """
    kind, _, value = text.partition(":")
    if kind == "fbeta":
        return FBeta(_beta(text, value))
    if kind != "pot":
        return _simple(text)
    fitting = _PEAKS.fullmatch(value)
    if fitting is None or not float(fitting[1]) > 0:
        raise MethodError(f"'{text}' is no rate; write pot:1/month or pot:0.0001/window")
    return Peaks(float(fitting[1]), fitting[2])


def tuned_line(method: LineMethod, scored: Sequence[ScoredRecording], manifest: Manifest) -> float:
    """Return the line on the scale of the calibrated score, in standard deviations of healthy windows.

    Args:
        method: How it is derived.
        scored: Labelled recordings; none for ``rate``.
        manifest: Of the bundle that scored.

    Raises:
        DataError: If the recordings lack a class that the method needs, or are too short for it.
    """
    if isinstance(method, Method) and method.kind == "rate":
        return method.line(np.empty(0))
    scores, truth = labelled_scores(scored)
    if truth.all():
        raise DataError(f"'{method}' needs normal windows, and there are none")
    if isinstance(method, Method):
        return method.line(scores[~truth])
    if isinstance(method, Peaks):
        return _peaks_line(method, scored, manifest)
    if not truth.any():
        raise DataError(
            f"'{method}' needs anomalous windows, and all are normal; label some, or use pot or rate"
        )
    return best_line(scores, truth, method.beta)


def best_line(scores: ScoreArray, truth: BoolArray, beta: float) -> float:
    """Return the line with the largest F-beta of all lines; of equals the highest.

    It lies half-way between the lowest score that it keeps above and the highest that it keeps below.

    Args:
        scores: Calibrated, of shape (n_windows,).
        truth: Whether each window is anomalous, likewise; both kinds occur.
        beta: Of F-beta.
    """
    order = np.argsort(-scores, kind="stable")
    descending, found = scores[order], np.cumsum(truth[order])
    candidates = np.flatnonzero(np.append(np.diff(descending) < 0, True))
    flagged, hits = candidates + 1, found[candidates]
    # (1 + b^2) tp / ((1 + b^2) tp + b^2 fn + fp)
    f_beta = (1.0 + beta**2) * hits / (beta**2 * found[-1] + flagged)
    lowest = int(candidates[np.argmax(f_beta)])
    if lowest + 1 == len(descending):
        return float(descending[lowest])
    return _between(float(descending[lowest + 1]), float(descending[lowest]))


def peaks_line(peaks: ScoreArray, start: float, n_windows: int, wanted: float) -> float:
    """Return the line that peaks pass at a wanted rate.

    The excesses of separate peaks are generalised Pareto (Coles, "An Introduction to Statistical Modeling of
    Extreme Values", 2001, chapters 4 and 5), fitted by maximum likelihood; a bounded tail is taken as
    exponential, because no recording shows what cannot happen.

    Args:
        peaks: Largest score of each cluster above ``start``, shape (n_peaks,).
        start: Where the tail begins.
        n_windows: Windows that they were seen in.
        wanted: Peaks per window.

    Raises:
        DataError: If there are too few peaks, or the wanted rate is that of the peaks or higher.
    """
    if len(peaks) < MIN_PEAKS:
        raise DataError(
            f"{len(peaks)} separate peaks are too few to extrapolate, {MIN_PEAKS} are needed; give more"
        )
    ratio = len(peaks) / n_windows / wanted
    if ratio <= 1.0:
        raise DataError(f"{wanted:.3g} peaks a window are not rarer than those seen; use percentile")
    excess = peaks - start
    shape, _, scale = genpareto.fit(excess, floc=0.0)
    if not shape > 0:
        return start + float(excess.mean()) * float(np.log(ratio))
    return start + float(scale / shape * np.expm1(shape * np.log(ratio)))


def find_peaks(scores: ScoreArray, start: float, separation: int) -> list[float]:
    """Return the largest score of each cluster above ``start``.

    Args:
        scores: Of consecutive windows, shape (n_windows,).
        start: Above it a score belongs to a cluster.
        separation: Windows from one cluster's end to the next one's start, or more.
    """
    above = np.flatnonzero(scores > start)
    if len(above) == 0:
        return []
    clusters = np.split(scores[above], np.flatnonzero(np.diff(above) >= separation) + 1)
    return [float(cluster.max()) for cluster in clusters]


def replaced(thresholds: Thresholds, level: str, line: float, method: LineMethod) -> Thresholds:
    """Return the thresholds with another line; an alarm line below the warning line is lifted to it.

    Args:
        thresholds: Both lines.
        level: ``warning`` or ``alarm``.
        line: The new one.
        method: How it was derived.
    """
    new = Threshold(line, str(method))
    warning = new if level == "warning" else thresholds.warning
    alarm = new if level == "alarm" else thresholds.alarm
    if alarm.score < warning.score:
        alarm = Threshold(warning.score, f"{alarm.method}, lifted to {warning.method}")
    return replace(thresholds, warning=warning, alarm=alarm)


def _peaks_line(method: Peaks, scored: Sequence[ScoredRecording], manifest: Manifest) -> float:
    # What is not normal is no peak, but it keeps its place: windows around it do not become neighbours.
    runs = [np.where(one.labels == Label.NORMAL, one.scores, -np.inf) for one in scored]
    together = np.concatenate(runs)
    normal = together[np.isfinite(together)]
    start = float(np.quantile(normal, _PEAK_QUANTILE))
    separation = -(-manifest.window.length // manifest.window.hop)
    peaks = np.array([peak for run in runs for peak in find_peaks(run, start, separation)])
    return peaks_line(peaks, start, len(normal), method.per_window(manifest))


def _between(below: float, above: float) -> float:
    middle = (below + above) / 2.0
    return middle if below < middle else above


def _beta(text: str, value: str) -> float:
    try:
        beta = float(value)
    except ValueError:
        raise MethodError(f"'{text}': '{value}' is no number; {_EXAMPLES}") from None
    if not 0.0 < beta <= 100.0:
        raise MethodError(f"'{text}': fbeta takes numbers above 0 up to 100; {_EXAMPLES}")
    return beta


def _simple(text: str) -> Method:
    try:
        return parse_method(text)
    except MethodError as error:
        if text.partition(":")[0] in get_args(MethodKind):
            raise
        raise MethodError(f"'{text}' is no threshold method; {_EXAMPLES}") from error
