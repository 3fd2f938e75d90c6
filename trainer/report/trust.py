"""Can this bundle be trusted? The answer in a sentence, a few figures and the findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from agent.inference.manifest import Manifest
from agent.inference.scoring import rate_from_score
from trainer.evaluation.metrics import Evaluation, healthy_seconds
from trainer.evaluation.scored import ScoredRecording
from trainer.evaluation.text import duration
from trainer.report.findings import Finding, Verdict, provided, recorded
from trainer.report.windows import all_scores
from trainer.report.wording import anomalies, chance, false_alarms, per_day, percent


@dataclass(frozen=True)
class Figure:
    """A number that counts."""

    name: str
    value: str
    detail: str


@dataclass(frozen=True)
class Trust:
    """The answer."""

    headline: str
    figures: tuple[Figure, ...]
    findings: tuple[Finding, ...]
    """Weak points first."""


def weigh(
    manifest: Manifest,
    scored: Sequence[ScoredRecording],
    evaluation: Evaluation | None,
    learnt: Sequence[str],
) -> Trust:
    """Return what speaks for a bundle and what against it.

    Args:
        manifest: Of the bundle.
        scored: Recordings that it has judged.
        evaluation: Its figures on them; None if nothing is known about their rows.
        learnt: Names of the recordings that it has learnt from.
    """
    findings = [*recorded(manifest, scored, evaluation), *provided(manifest, learnt)]
    findings.sort(key=lambda finding: list(Verdict).index(finding.verdict))
    if evaluation is None:
        return Trust(_unlabelled(manifest, scored), tuple(_scores(manifest, scored)), tuple(findings))
    return Trust(_headline(manifest, evaluation), tuple(_figures(manifest, evaluation)), tuple(findings))


def _headline(manifest: Manifest, evaluation: Evaluation) -> str:
    events = evaluation.alarm.events
    time_s = healthy_seconds(evaluation, manifest)
    span = (
        f"{evaluation.normal_windows} normal windows"
        if time_s is None
        else f"{duration(time_s)} of normal running"
    )
    false = f"{false_alarms(events.false_alerts)} in {span}"
    found = f"{events.found} of {anomalies(len(events.detections))}"
    if not evaluation.normal_windows:
        return f"It found {found}. No normal window was shown."
    if not events.detections:
        return f"It raised {false}. No anomaly was shown."
    return f"It found {found}, and raised {false}."


def _unlabelled(manifest: Manifest, scored: Sequence[ScoredRecording]) -> str:
    share = float((all_scores(scored) >= manifest.thresholds.alarm.score).mean())
    promised = rate_from_score(manifest.thresholds.alarm.score)
    return (
        f"{percent(share)} of the windows reach the alarm line; of normal ones {chance(promised)} would. "
        "Nothing is known about these recordings, so nobody can say whether that is right."
    )


def _figures(manifest: Manifest, evaluation: Evaluation) -> Iterator[Figure]:
    events, windows = evaluation.alarm.events, evaluation.alarm.windows
    if events.detections:
        warned = f"{evaluation.warning.events.found} raised a warning or more"
        yield Figure("Anomalies that raised an alarm", f"{events.found} of {len(events.detections)}", warned)
    if events.median_delay_s is not None and events.worst_delay_s is not None:
        worst = f"median from the first row; worst {events.worst_delay_s:.2f} s"
        yield Figure("Delay of the alarm", f"{events.median_delay_s:.2f} s", worst)
    if evaluation.normal_windows:
        early = evaluation.warning.events.false_alerts
        limit = f"{per_day(events.false_alerts_per_day_limit)}; {early} at the warning level"
        yield Figure("False alarms", str(events.false_alerts), limit)
    if windows.false_alarm_rate is not None and windows.false_alarm_limit is not None:
        count = f"{windows.confusion.false_positives} of {evaluation.normal_windows}"
        limit = f"{count} at the alarm line; at most {percent(windows.false_alarm_limit)} (95 %)"
        yield Figure("Normal windows flagged", percent(windows.false_alarm_rate), limit)
    if windows.recall is not None:
        found = f"{windows.confusion.true_positives} of {evaluation.anomalous_windows} at the alarm line"
        yield Figure("Anomalous windows flagged", percent(windows.recall), found)
    if evaluation.roc_auc is not None:
        area = f"precision-recall {evaluation.pr_auc:.4f}; 0.5 would be chance"
        yield Figure("ROC AUC", f"{evaluation.roc_auc:.4f}", area)


def _scores(manifest: Manifest, scored: Sequence[ScoredRecording]) -> Iterator[Figure]:
    scores = all_scores(scored)
    for name, line in (("warning", manifest.thresholds.warning), ("alarm", manifest.thresholds.alarm)):
        count = int((scores >= line.score).sum())
        share = f"of {len(scores):,}; of normal windows {chance(rate_from_score(line.score))} would be"
        yield Figure(f"Windows at the {name} line", f"{count:,}", share)
    yield Figure("Median score", f"{np.median(scores):.2f}", "0 is the middle of healthy")
    yield Figure("Highest score", f"{scores.max():.2f}", f"alarm at {manifest.thresholds.alarm.score:.2f}")
