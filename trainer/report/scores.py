"""Charts of the score: over time, how it is distributed, and how well it parts the classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from agent.config.alarm import AlarmPolicy
from agent.inference.manifest import Manifest
from agent.inference.scoring import Level
from agent.judging.alarm import Alarm, episodes
from trainer.evaluation.scored import ScoredRecording, labelled_scores
from trainer.recordings.labels import Label, LabelArray
from trainer.report.axes import Axis, Values
from trainer.report.charts import SQUARE, WIDE, Band, Bars, Item, Line, Mark, Points, chart
from trainer.report.windows import all_labels, all_scores, kinds

_BINS = 50
_CEILING = 4.0
"""Scores are drawn up to this many times the alarm line: all above are beyond doubt, and would flatten the
rest."""
_SHARE = (0.0, 1.0)
_TIME_UNITS = ((300.0, 1.0, "s"), (18_000.0, 60.0, "min"), (400_000.0, 3600.0, "h"))
_DAY_S = 86400.0


def score_over_time(recording: ScoredRecording, manifest: Manifest, rule: AlarmPolicy) -> str:
    """Return the score of each window of a recording, with what is labelled and the alarms that it raises."""
    per_row, label = row_time(recording, manifest)
    ends = (recording.starts + manifest.window.length) * per_row
    ceiling = _ceiling(manifest)
    drawn = np.minimum(recording.scores, ceiling)
    items = [
        *stretches(recording, per_row),
        Line(ends, drawn, "normal" if known(recording) else "other", "score"),
        *lines(manifest, "y"),
        *_alarms(recording, manifest, rule, ends),
    ]
    unit = f"score (cut at {ceiling:.0f})" if (recording.scores > ceiling).any() else "score"
    return chart(recording.source.name, Axis(label), Axis(unit, room=True), items, WIDE)


def row_time(recording: ScoredRecording, manifest: Manifest) -> tuple[float, str]:
    """Return how far a row moves on the time axis of a recording, in seconds to days, and the axis' label."""
    rate_hz = recording.source.recording.rate_hz or manifest.rate_hz
    if not rate_hz:
        return 1.0, "row"
    seconds = len(recording.rows) / rate_hz
    unit_s, unit = next(((u, name) for limit, u, name in _TIME_UNITS if seconds < limit), (_DAY_S, "days"))
    gaps = ", without gaps" if len(recording.source.recording.segments) > 1 else ""
    return 1.0 / rate_hz / unit_s, f"recorded time ({unit}{gaps})"


def known(recording: ScoredRecording) -> bool:
    """Return whether anything is known about a recording's rows."""
    return bool((recording.rows != Label.IGNORE).any())


def stretches(recording: ScoredRecording, per_row: float) -> list[Item]:
    """Return what is labelled in a recording, on an axis on which a row of samples is ``per_row`` long."""
    if not known(recording):
        return []
    found: list[Item] = []
    for label, style, name in ((Label.IGNORE, "ignore", "left out"), (Label.ANOMALY, "anomaly", "anomalous")):
        runs = [(first * per_row, end * per_row) for first, end in _runs(recording.rows, label)]
        if runs:
            found.append(Band(runs, f"band {style}", name))
    return found


def lines(manifest: Manifest, across: str) -> list[Item]:
    """Return the warning and the alarm line, on the axis of the score."""
    pairs = (("warning", manifest.thresholds.warning), ("alarm", manifest.thresholds.alarm))
    return [Mark(line.score, level, f"{level} {line.score:.2f}", across) for level, line in pairs]


def score_histogram(scored: Sequence[ScoredRecording], manifest: Manifest) -> str:
    """Return how often each score occurs, by label, with the lines."""
    bars, cut = histogram(all_scores(scored), all_labels(scored), scored, _ceiling(manifest))
    label = "score (all above in the last bar)" if cut else "score"
    items = [*bars, *lines(manifest, "x")]
    return chart("Score of a window", Axis(label), Axis("share of windows"), items, SQUARE)


def histogram(
    values: Values, labels: LabelArray, scored: Sequence[ScoredRecording], top: float
) -> tuple[list[Item], bool]:
    """Return bars of how often each value occurs, by label, and whether any was above the last bar.

    Args:
        values: Of each window, shape (n_windows,).
        labels: Likewise.
        scored: Says which labels are drawn.
        top: Values above count in the last bar.
    """
    high = min(float(values.max()), top)
    low = min(float(values.min()), high)
    edges = np.linspace(low, high if high > low else low + (abs(low) or 1.0), _BINS + 1)
    bars: list[Item] = []
    for kind in kinds(scored):
        chosen = np.minimum(values[labels == kind.label], edges[-1])
        if len(chosen):
            heights = np.histogram(chosen, edges)[0] / len(chosen)
            bars.append(Bars(edges, heights, kind.style, f"{kind.name} ({len(chosen)})"))
    return bars, bool((values > edges[-1]).any())


def curves(scored: Sequence[ScoredRecording], manifest: Manifest) -> list[str]:
    """Return the ROC and the precision-recall curve, or nothing if a class is absent."""
    scores, truth = labelled_scores(scored)
    if not truth.any() or truth.all():
        return []
    false, true, _ = metrics.roc_curve(truth, scores)
    precision, recall, _ = metrics.precision_recall_curve(truth, scores)
    area, average = metrics.roc_auc_score(truth, scores), metrics.average_precision_score(truth, scores)
    return [
        chart(
            f"ROC, area {area:.4f}",
            Axis("false-alarm rate", span=_SHARE),
            Axis("recall", span=_SHARE),
            [
                Line(np.array(_SHARE), np.array(_SHARE), "chance", "chance"),
                Line(false, true, "normal"),
                *_operating_points(scores, truth, manifest, roc=True),
            ],
            SQUARE,
        ),
        chart(
            f"Precision and recall, area {average:.4f}",
            Axis("recall", span=_SHARE),
            Axis("precision", span=_SHARE),
            [
                Line(np.array(_SHARE), np.full(2, truth.mean()), "chance", "chance"),
                Line(recall[::-1], precision[::-1], "normal"),
                *_operating_points(scores, truth, manifest, roc=False),
            ],
            SQUARE,
        ),
    ]


def _operating_points(
    scores: Values, truth: npt.NDArray[np.bool_], manifest: Manifest, roc: bool
) -> list[Item]:
    """Return where the lines of the bundle lie on a curve."""
    points: list[Item] = []
    for level in (Level.WARNING, Level.ALARM):
        found = scores >= manifest.thresholds.of(level)
        recall = found[truth].mean()
        across, up = (
            (found[~truth].mean(), recall) if roc else (recall, truth[found].mean() if found.any() else 1.0)
        )
        points.append(Points(np.array([across]), np.array([up]), f"big {level}", f"at the {level} line"))
    return points


def _alarms(recording: ScoredRecording, manifest: Manifest, rule: AlarmPolicy, ends: Values) -> list[Item]:
    """Return when an alarm stands, as a strip."""
    spans = []
    for episode in episodes(recording.scores.tolist(), Alarm(manifest, rule)):
        step = episode.reached(Level.ALARM)
        if step is not None:
            last = len(ends) - 1 if episode.cleared is None else episode.cleared
            spans.append((float(ends[step[0]]), float(ends[last])))
    return [Band(spans, "alarm strip", "alarm stands", strip=True)] if spans else []


def _ceiling(manifest: Manifest) -> float:
    return max(_CEILING * manifest.thresholds.alarm.score, 1.0)


def _runs(rows: LabelArray, label: Label) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.pad(rows == label, 1).astype(np.int8))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))
