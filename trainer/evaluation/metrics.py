"""How well a bundle separates anomalous windows from normal ones, and how soon it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2
from sklearn import metrics

from agent.config.alarm import AlarmPolicy
from agent.inference.arrays import BoolArray
from agent.inference.manifest import Manifest
from agent.inference.scoring import Level, Thresholds
from agent.judging.alarm import Alarm, episodes
from trainer.errors import DataError
from trainer.evaluation.false_alarms import CONFIDENCE, upper_limit
from trainer.evaluation.scored import ScoredRecording, labelled_scores
from trainer.recordings.labels import Label, anomalies

_SECONDS_PER_DAY = 86400.0


@dataclass(frozen=True)
class Confusion:
    """Windows by truth and verdict."""

    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int


@dataclass(frozen=True, kw_only=True)
class WindowFigures:
    """Verdicts on single windows; None where a figure needs windows that are not there."""

    confusion: Confusion
    accuracy: float
    precision: float | None
    recall: float | None
    f1: float | None
    balanced_f1: float | None
    """F1 with the precision that equally many normal and anomalous windows would give."""
    f_beta: float | None
    kappa: float | None
    """Cohen's kappa."""
    false_alarm_rate: float | None
    false_alarm_limit: float | None
    """Upper 95 % confidence limit of the rate (Clopper-Pearson) over the independent windows."""
    false_alarms_per_day: float | None
    """Windows; at most one a hop."""


@dataclass(frozen=True)
class Detection:
    """What became of one anomaly; its rows are samples of the recording, both ends included."""

    file: str
    first_row: int
    last_row: int
    delay_s: float | None
    """From its first row to the last sample of the window that raised the alert; None if it was missed, if an
    alert stood before, or if the sample rate is unknown."""
    found: bool
    standing: bool
    """True if the alert had been raised before the anomaly began, by something else."""


@dataclass(frozen=True, kw_only=True)
class EventFigures:
    """Alerts by the gateway's rules; delays in seconds, rates a day."""

    detections: tuple[Detection, ...]
    found: int
    median_delay_s: float | None
    """Of the anomalies that raised an alert; None if there is none."""
    worst_delay_s: float | None
    false_alerts: int
    """Alerts raised by normal windows only."""
    false_alerts_per_day: float | None
    """Per day of normal windows; None if the rate is unknown or there is no normal window."""
    false_alerts_per_day_limit: float | None
    """Upper 95 % confidence limit (Poisson; Garwood 1936)."""


@dataclass(frozen=True)
class LevelFigures:
    """All that concerns one level."""

    level: str
    threshold: float
    method: str
    windows: WindowFigures
    events: EventFigures


@dataclass(frozen=True)
class Counts:
    """Windows of one class, and how many of them reach a line."""

    windows: int
    warning: int
    alarm: int


@dataclass(frozen=True)
class FileFigures:
    """One recording."""

    file: str
    normal: Counts
    anomalous: Counts
    ignored_windows: int
    part: str | None
    """The part that speaks loudest in most windows at the warning line or above; None if there is none."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A bundle on labelled recordings."""

    bundle: str
    """Name and version."""
    files: tuple[str, ...]
    normal_windows: int
    anomalous_windows: int
    ignored_windows: int
    """Neither one nor the other."""
    beta: float
    """Of ``f_beta``: how many times recall weighs as much as precision."""
    rule: AlarmPolicy
    roc_auc: float | None
    pr_auc: float | None
    """Average precision."""
    warning: LevelFigures
    alarm: LevelFigures
    by_file: tuple[FileFigures, ...]


def evaluate(
    manifest: Manifest, scored: Sequence[ScoredRecording], beta: float, rule: AlarmPolicy
) -> Evaluation:
    """Return all figures.

    Args:
        manifest: Of the bundle that scored.
        scored: The labelled recordings.
        beta: Of F-beta.
        rule: Of the alerts; without a sample rate there is no persistence.

    Raises:
        DataError: If no window is labelled.
    """
    if not manifest.rate_hz:
        rule = replace(rule, persistence_hours=0.0)
    scores, truth = labelled_scores(scored)
    if len(scores) == 0:
        raise DataError("no window is labelled normal or anomalous; give --labels, --normal or --anomalous")
    both = bool(truth.any() and not truth.all())
    warning, alarm = (
        _level_figures(manifest, scored, level, beta, rule) for level in (Level.WARNING, Level.ALARM)
    )
    return Evaluation(
        bundle=manifest.title,
        files=tuple(recording.source.name for recording in scored),
        normal_windows=int((~truth).sum()),
        anomalous_windows=int(truth.sum()),
        ignored_windows=sum(len(recording.scores) for recording in scored) - len(scores),
        beta=beta,
        rule=rule,
        roc_auc=float(metrics.roc_auc_score(truth, scores)) if both else None,
        pr_auc=float(metrics.average_precision_score(truth, scores)) if both else None,
        warning=warning,
        alarm=alarm,
        by_file=tuple(_file_figures(recording, manifest.thresholds) for recording in scored),
    )


def window_figures(truth: BoolArray, found: BoolArray, beta: float, manifest: Manifest) -> WindowFigures:
    """Return the figures of single windows.

    Args:
        truth: Whether each window is anomalous, shape (n_windows,), one or more.
        found: Whether it was judged so, likewise.
        beta: Of F-beta.
        manifest: Of the bundle that scored; overlapping windows are not independent.
    """
    table = metrics.confusion_matrix(truth, found, labels=[False, True])
    (true_negatives, false_positives), (false_negatives, true_positives) = table.tolist()
    normal, anomalous = true_negatives + false_positives, false_negatives + true_positives
    rate = false_positives / normal if normal else None
    recall = true_positives / anomalous if anomalous else None
    window = manifest.window
    independent = max(normal * window.hop // window.length, 1)
    flagged = true_positives + false_positives
    return WindowFigures(
        confusion=Confusion(true_positives, false_positives, true_negatives, false_negatives),
        accuracy=float(metrics.accuracy_score(truth, found)),
        precision=true_positives / flagged if flagged and anomalous else None,
        recall=recall,
        f1=float(metrics.f1_score(truth, found, zero_division=0.0)) if anomalous else None,
        balanced_f1=_balanced_f1(recall, rate),
        f_beta=float(metrics.fbeta_score(truth, found, beta=beta, zero_division=0.0)) if anomalous else None,
        kappa=float(metrics.cohen_kappa_score(truth, found)) if normal and anomalous else None,
        false_alarm_rate=rate,
        false_alarm_limit=None if rate is None else upper_limit(rate * independent, independent),
        false_alarms_per_day=None
        if rate is None or not manifest.rate_hz
        else rate * _SECONDS_PER_DAY * manifest.rate_hz / window.hop,
    )


def event_figures(
    scored: Sequence[ScoredRecording], manifest: Manifest, level: Level, rule: AlarmPolicy
) -> EventFigures:
    """Return what the alerts that reach a level find and what they raise falsely, with delays in seconds.

    Args:
        scored: The labelled recordings; each is watched anew.
        manifest: Of the bundle that scored.
        level: Warning or alarm.
        rule: Of the alerts.
    """
    detections: list[Detection] = []
    false_alerts = 0
    for recording in scored:
        alerts = _alerts(recording, manifest, level, rule)
        for alert in alerts:
            support = recording.labels[max(alert.raised - alert.windows + 1, 0) : alert.raised + 1]
            false_alerts += bool((support == Label.NORMAL).all())
        detections.extend(_detections(recording, alerts, manifest))
    delays = [detection.delay_s for detection in detections if detection.delay_s is not None]
    days = _normal_days(scored, manifest)
    return EventFigures(
        detections=tuple(detections),
        found=sum(detection.found for detection in detections),
        median_delay_s=float(np.median(delays)) if delays else None,
        worst_delay_s=max(delays, default=None),
        false_alerts=false_alerts,
        false_alerts_per_day=false_alerts / days if days else None,
        false_alerts_per_day_limit=_poisson_limit(false_alerts) / days if days else None,
    )


def healthy_seconds(evaluation: Evaluation, manifest: Manifest) -> float | None:
    """Return how many seconds the normal windows stand for; None if the sample rate is unknown."""
    if not manifest.rate_hz:
        return None
    return evaluation.normal_windows * manifest.window.hop / manifest.rate_hz


def _level_figures(
    manifest: Manifest, scored: Sequence[ScoredRecording], level: Level, beta: float, rule: AlarmPolicy
) -> LevelFigures:
    threshold = manifest.thresholds.alarm if level is Level.ALARM else manifest.thresholds.warning
    scores, truth = labelled_scores(scored)
    return LevelFigures(
        str(level),
        threshold.score,
        threshold.method,
        window_figures(truth, scores >= threshold.score, beta, manifest),
        event_figures(scored, manifest, level, rule),
    )


def _balanced_f1(recall: float | None, false_alarm_rate: float | None) -> float | None:
    if recall is None or false_alarm_rate is None:
        return None
    # Precision is recall / (recall + rate), so 2 precision recall / (precision + recall) is
    return 2.0 * recall / (1.0 + recall + false_alarm_rate)


@dataclass(frozen=True)
class _Alert:
    """An alert that reached a level, by the numbers of its windows."""

    raised: int
    cleared: int
    """The number of windows if it is still open at the end."""
    windows: int
    """That the rule looked at."""


def _alerts(recording: ScoredRecording, manifest: Manifest, level: Level, rule: AlarmPolicy) -> list[_Alert]:
    found: list[_Alert] = []
    for episode in episodes(recording.scores.tolist(), Alarm(manifest, rule)):
        step = episode.reached(level)
        if step is not None:
            cleared = len(recording.scores) if episode.cleared is None else episode.cleared
            found.append(_Alert(step[0], cleared, step[1].windows))
    return found


def _detections(recording: ScoredRecording, alerts: Sequence[_Alert], manifest: Manifest) -> list[Detection]:
    """Return each anomaly with the first alert that stands in a window that overlaps it.

    The delay is in seconds: from the anomaly's first sample to the last sample of the window that alerted.
    """
    ends = recording.starts + manifest.window.length - 1
    rate_hz = recording.source.recording.rate_hz or manifest.rate_hz
    detections = []
    for first, last in anomalies(recording.rows):
        overlapping = np.flatnonzero((ends >= first) & (recording.starts <= last))
        alert = _standing(alerts, overlapping)
        standing = alert is not None and alert.raised < int(overlapping[0])
        delay_s = None
        if alert is not None and not standing and rate_hz:
            delay_s = float(ends[alert.raised] - first) / rate_hz
        detections.append(Detection(recording.source.name, first, last, delay_s, alert is not None, standing))
    return detections


def _standing(alerts: Sequence[_Alert], windows: npt.NDArray[np.int64]) -> _Alert | None:
    """Return the first alert that stands in one of some consecutive windows, shape (n_windows,)."""
    if len(windows) == 0:
        return None
    return next((a for a in alerts if a.raised <= windows[-1] and a.cleared > windows[0]), None)


def _file_figures(recording: ScoredRecording, thresholds: Thresholds) -> FileFigures:
    loud = [
        part
        for part, score in zip(recording.parts, recording.scores.tolist(), strict=True)
        if score >= thresholds.warning.score
    ]
    return FileFigures(
        recording.source.name,
        _counts(recording, Label.NORMAL, thresholds),
        _counts(recording, Label.ANOMALY, thresholds),
        int((recording.labels == Label.IGNORE).sum()),
        max(sorted(set(loud)), key=loud.count, default=None),
    )


def _counts(recording: ScoredRecording, label: Label, thresholds: Thresholds) -> Counts:
    scores = recording.scores[recording.labels == label]
    warning, alarm = (int((scores >= line.score).sum()) for line in (thresholds.warning, thresholds.alarm))
    return Counts(len(scores), warning, alarm)


def _normal_days(scored: Sequence[ScoredRecording], manifest: Manifest) -> float:
    if not manifest.rate_hz:
        return 0.0
    windows = sum(int((recording.labels == Label.NORMAL).sum()) for recording in scored)
    return windows * manifest.window.hop / manifest.rate_hz / _SECONDS_PER_DAY


def _poisson_limit(events: int) -> float:
    """Return the upper confidence limit of a Poisson mean.

    Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28 (1936), one-sided.
    """
    return float(chi2.ppf(CONFIDENCE, 2 * (events + 1)) / 2)
