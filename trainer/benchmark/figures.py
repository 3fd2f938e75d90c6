"""What a detector makes of one machine: figures of its windows, and of the alerts that they raise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from agent.inference.arrays import FloatArray
from agent.inference.window import WindowSpec, cut, window_starts
from firmware_bridge.recording import Recording
from trainer.evaluation.false_alarms import upper_limit

Scores = npt.NDArray[np.float64]

Score = Callable[[FloatArray], Scores]
"""Scores windows, shape (n_windows, length, n_axes): higher is more abnormal."""

FirstAlert = Callable[[Scores], int | None]
"""Returns which of consecutive windows raises an alert first, from their scores; None if none does."""


@dataclass(frozen=True)
class Machine:
    """Recordings of one machine."""

    name: str
    healthy: tuple[Recording, ...]
    """To learn from."""
    unseen: Mapping[str, tuple[Recording, ...]]
    """Healthy, held out, by kind."""
    defective: Mapping[str, tuple[Recording, ...]]
    """By kind of defect."""


@dataclass(frozen=True)
class FalseAlarmRate:
    """Windows of an unseen healthy recording at or above the line."""

    kind: str
    alarms: int
    windows: int
    limit: float
    """Upper 95 % limit of the rate, over independent windows."""


@dataclass(frozen=True)
class KindFigures:
    """What is found of one kind of defect."""

    kind: str
    roc_auc: float
    """Against all unseen healthy windows."""
    recall: float
    """At the warning line."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A row of the table; rates are shares of windows, the delay is in seconds."""

    machine: str
    detector: str
    roc_auc: float
    pr_auc: float
    recall: float
    """Of all defective windows, at the warning line."""
    worst_recall: float
    """Of the kind of defect that is found least."""
    balanced_f1: float
    """F1 as if there were as many healthy windows as defective ones."""
    false_alarms: tuple[FalseAlarmRate, ...]
    delay_s: float | None
    """Median over the kinds of defect, from their begin to the alert; None if half of them raise none."""
    found: int
    """Kinds of defect that raise an alert by the gateway's rule of k in n windows."""
    kinds: int
    by_kind: tuple[KindFigures, ...]
    float_roc_auc: float | None = None
    """Of the float32 twin; None for a detector that has none."""


def figures(
    machine: Machine, detector: str, score: Score, line: float, first_alert: FirstAlert, spec: WindowSpec
) -> Figures:
    """Return what a detector makes of a machine.

    Args:
        machine: Its recordings.
        detector: What the detector is called.
        score: Scores windows of shape (n_windows, length, n_axes).
        line: Of the warning level, from healthy windows that were learnt from.
        first_alert: The rule that raises alerts.
        spec: Length and hop of the windows, in samples.
    """
    healthy = {kind: _scored(score, recordings, spec) for kind, recordings in machine.unseen.items()}
    defective = {kind: _scored(score, recordings, spec) for kind, recordings in machine.defective.items()}
    negative, positive = np.concatenate(list(healthy.values())), np.concatenate(list(defective.values()))
    labels = np.concatenate([np.zeros(len(negative)), np.ones(len(positive))])
    scores = np.concatenate([negative, positive])
    recall, rate = float(np.mean(positive >= line)), float(np.mean(negative >= line))
    delays = [_delay_s(score, one[0], first_alert, spec) for one in machine.defective.values()]
    found = sorted(delay for delay in delays if delay is not None)
    half = (len(delays) - 1) // 2
    return Figures(
        machine=machine.name,
        detector=detector,
        roc_auc=float(roc_auc_score(labels, scores)),
        pr_auc=float(average_precision_score(labels, scores)),
        recall=recall,
        worst_recall=min(float(np.mean(found_here >= line)) for found_here in defective.values()),
        balanced_f1=2.0 * recall / (1.0 + recall + rate),
        false_alarms=tuple(_rate(kind, scores >= line, spec) for kind, scores in healthy.items()),
        delay_s=found[half] if len(found) > half else None,
        found=len(found),
        kinds=len(delays),
        by_kind=tuple(_of_kind(kind, negative, one, line) for kind, one in defective.items()),
    )


def _of_kind(kind: str, healthy: Scores, defective: Scores, line: float) -> KindFigures:
    labels = np.concatenate([np.zeros(len(healthy)), np.ones(len(defective))])
    auc = roc_auc_score(labels, np.concatenate([healthy, defective]))
    return KindFigures(kind, float(auc), float(np.mean(defective >= line)))


def two_of_three(line: float) -> FirstAlert:
    """Return the rule that raises an alert when two of three scores, of shape (n_windows,), reach a line."""

    def first(scores: Scores) -> int | None:
        above = np.concatenate(([False, False], scores >= line)).astype(int)
        raising = np.flatnonzero(above[:-2] + above[1:-1] + above[2:] >= 2)
        return int(raising[0]) if len(raising) else None

    return first


def windows_of(recordings: Iterable[Recording], spec: WindowSpec) -> FloatArray:
    """Return all windows of recordings, shape (n_windows, length, n_axes)."""
    parts = [
        cut(recording.samples, window_starts(_segments(recording), spec), spec.length)
        for recording in recordings
    ]
    return np.concatenate(parts)


def _segments(recording: Recording) -> list[tuple[int, int]]:
    return [(segment.start, segment.end) for segment in recording.segments]


def _scored(score: Score, recordings: Iterable[Recording], spec: WindowSpec) -> Scores:
    return np.concatenate([score(windows_of([recording], spec)) for recording in recordings])


def _delay_s(score: Score, recording: Recording, first_alert: FirstAlert, spec: WindowSpec) -> float | None:
    """Return the time from the first sample to the alert; None if there is none."""
    starts = window_starts(_segments(recording), spec)
    raised = first_alert(score(windows_of([recording], spec)))
    if raised is None or not recording.rate_hz:
        return None
    return float((starts[raised] + spec.length - recording.segments[0].start) / recording.rate_hz)


def _rate(kind: str, alarms: npt.NDArray[np.bool_], spec: WindowSpec) -> FalseAlarmRate:
    independent = max(int(len(alarms) * spec.hop / spec.length), 1)
    limit = upper_limit(float(alarms.mean()) * independent, independent)
    return FalseAlarmRate(kind, int(alarms.sum()), len(alarms), limit)
