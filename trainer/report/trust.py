"""Can this bundle be trusted? What it found, what it cried wolf over, and what nobody has shown yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from scipy.stats import beta

from agent.inference.manifest import Manifest
from agent.inference.scoring import rate_from_score
from trainer.evaluation import CONFIDENCE
from trainer.evaluation_text import duration
from trainer.metrics import Evaluation, LevelFigures, healthy_seconds
from trainer.report.windows import all_scores
from trainer.scored import ScoredRecording

_CLEAR_AUC = 0.95
"""Below it the scores of the classes overlap so much that no line parts them well."""
_FAITHFUL = 0.99
"""Correlation of the quantized scores with float32 below which the difference is worth a word."""
_PROVED = 10.0
"""A limit further above the calibrated rate than this many times says nothing about it."""
_BY_HEART = 1.5
"""Validation loss over training loss above which the network knows its training windows by heart."""


class Verdict(StrEnum):
    """What a finding says about the bundle."""

    WEAK = "weak"
    OPEN = "open"
    """Not shown by these recordings, neither way."""
    GOOD = "good"


@dataclass(frozen=True)
class Finding:
    """One reason to trust the bundle, or not to."""

    verdict: Verdict
    text: str


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
    shown = _shown(manifest, evaluation) if evaluation else _unlabelled_findings(manifest, scored)
    findings = [*shown, *_origin(manifest, learnt)]
    findings.sort(key=lambda finding: list(Verdict).index(finding.verdict))
    if evaluation is None:
        return Trust(_unlabelled(manifest, scored), tuple(_scores(manifest, scored)), tuple(findings))
    return Trust(_headline(manifest, evaluation), tuple(_figures(manifest, evaluation)), tuple(findings))


def more_often(rate: float, independent: int, promised: float) -> bool:
    """Return whether a rate is higher than promised by more than chance, with 95 % confidence.

    Clopper and Pearson's lower limit (Biometrika 26, 1934, one-sided).

    Args:
        rate: What was seen.
        independent: Independent windows in which it was seen.
        promised: What it is held against.
    """
    events = rate * independent
    if events <= 0:
        return False
    return bool(beta.cdf(promised, events, independent - events + 1) < 1.0 - CONFIDENCE)


def _headline(manifest: Manifest, evaluation: Evaluation) -> str:
    events = evaluation.alarm.events
    time_s = healthy_seconds(evaluation, manifest)
    span = (
        f"{evaluation.normal_windows} normal windows"
        if time_s is None
        else f"{duration(time_s)} of normal running"
    )
    false = f"{_alarms(events.false_alerts)} in {span}"
    found = f"{events.found} of {_anomalies(len(events.detections))}"
    if not evaluation.normal_windows:
        return f"It found {found}. No normal window was shown."
    if not events.detections:
        return f"It raised {false}. No anomaly was shown."
    return f"It found {found}, and raised {false}."


def _unlabelled(manifest: Manifest, scored: Sequence[ScoredRecording]) -> str:
    share = float((all_scores(scored) >= manifest.thresholds.alarm.score).mean())
    promised = rate_from_score(manifest.thresholds.alarm.score)
    return (
        f"{_percent(share)} of the windows reach the alarm line; of normal ones {_chance(promised)} would. "
        "Nothing is known about these recordings, so nobody can say whether that is right."
    )


def _figures(manifest: Manifest, evaluation: Evaluation) -> Iterator[Figure]:
    events, windows = evaluation.alarm.events, evaluation.alarm.windows
    if events.detections:
        warned = f"{evaluation.warning.events.found} by a warning"
        yield Figure("Anomalies that raised an alarm", f"{events.found} of {len(events.detections)}", warned)
    if events.median_delay_s is not None and events.worst_delay_s is not None:
        worst = f"median from the first row; worst {events.worst_delay_s:.2f} s"
        yield Figure("Delay of the alarm", f"{events.median_delay_s:.2f} s", worst)
    if evaluation.normal_windows:
        early = evaluation.warning.events.false_alerts
        limit = f"{_per_day(events.false_alerts_per_day_limit)}; {early} at the warning level"
        yield Figure("False alarms", str(events.false_alerts), limit)
    if windows.false_alarm_rate is not None and windows.false_alarm_limit is not None:
        count = f"{windows.confusion.false_positives} of {evaluation.normal_windows}"
        limit = f"{count} at the alarm line; at most {_percent(windows.false_alarm_limit)} (95 %)"
        yield Figure("Normal windows flagged", _percent(windows.false_alarm_rate), limit)
    if windows.recall is not None:
        found = f"{windows.confusion.true_positives} of {evaluation.anomalous_windows} at the alarm line"
        yield Figure("Anomalous windows flagged", _percent(windows.recall), found)
    if evaluation.roc_auc is not None:
        area = f"precision-recall {evaluation.pr_auc:.4f}; 0.5 would be chance"
        yield Figure("ROC AUC", f"{evaluation.roc_auc:.4f}", area)


def _scores(manifest: Manifest, scored: Sequence[ScoredRecording]) -> Iterator[Figure]:
    scores = all_scores(scored)
    for name, line in (("warning", manifest.thresholds.warning), ("alarm", manifest.thresholds.alarm)):
        count = int((scores >= line.score).sum())
        share = f"of {len(scores):,}; of normal windows {_chance(rate_from_score(line.score))} would be"
        yield Figure(f"Windows at the {name} line", f"{count:,}", share)
    yield Figure("Median score", f"{np.median(scores):.2f}", "0 is the middle of healthy")
    yield Figure("Highest score", f"{scores.max():.2f}", f"alarm at {manifest.thresholds.alarm.score:.2f}")


def _unlabelled_findings(manifest: Manifest, scored: Sequence[ScoredRecording]) -> Iterator[Finding]:
    yield Finding(Verdict.OPEN, "No labels: neither detection nor false alarms can be counted.")
    scores, line = all_scores(scored), manifest.thresholds.alarm.score
    independent = max(len(scores) * manifest.window.hop // manifest.window.length, 1)
    if more_often(float((scores >= line).mean()), independent, rate_from_score(line)):
        yield Finding(
            Verdict.OPEN,
            "More windows reach the alarm line than normal ones would: the machine is not well, or "
            "these recordings differ from those that were learnt (mounting, load, sensor).",
        )


def _shown(manifest: Manifest, evaluation: Evaluation) -> Iterator[Finding]:
    """Yield what these recordings show."""
    yield from _detection(evaluation)
    yield from _false_alarms(manifest, evaluation)
    if evaluation.roc_auc is not None and evaluation.roc_auc < _CLEAR_AUC:
        yield Finding(
            Verdict.WEAK,
            f"No line parts the classes: their scores overlap (ROC AUC {evaluation.roc_auc:.3f}).",
        )


def _detection(evaluation: Evaluation) -> Iterator[Finding]:
    detections = evaluation.alarm.events.detections
    missed = [one for one in detections if not one.found]
    if not detections:
        yield Finding(Verdict.OPEN, "No anomaly was shown: that it finds one is still to be proved.")
    elif missed:
        warned = sum(
            warning.found and not alarm.found
            for warning, alarm in zip(evaluation.warning.events.detections, detections, strict=True)
        )
        where = ", ".join(f"{one.file} rows {one.first_row}-{one.last_row}" for one in missed[:3])
        others = f" and {len(missed) - 3} more" if len(missed) > 3 else ""
        yield Finding(
            Verdict.WEAK,
            f"{_anomalies(len(missed))} raised no alarm, {warned} of them a warning: {where}{others}.",
        )
    else:
        yield Finding(Verdict.GOOD, "Every anomaly raised an alarm.")
    if standing := sum(one.standing for one in detections):
        yield Finding(
            Verdict.WEAK,
            f"{_anomalies(standing)} began while an alarm stood already: what they alone would have done is "
            "not known.",
        )


def _false_alarms(manifest: Manifest, evaluation: Evaluation) -> Iterator[Finding]:
    events = evaluation.alarm.events
    if not evaluation.normal_windows:
        yield Finding(Verdict.OPEN, "No normal window was shown: the false alarms are not known.")
        return
    if events.false_alerts:
        rate = (
            "" if events.false_alerts_per_day is None else f", {_rounded(events.false_alerts_per_day)} a day"
        )
        yield Finding(Verdict.WEAK, f"{_alarms(events.false_alerts)} on normal windows{rate}.")
    elif events.false_alerts_per_day_limit is not None and events.false_alerts_per_day_limit > 1.0:
        time_s = healthy_seconds(evaluation, manifest) or 0.0
        yield Finding(
            Verdict.OPEN,
            f"No false alarm, but {duration(time_s)} of normal running prove no rate below "
            f"{_rounded(events.false_alerts_per_day_limit)} a day (95 %). Three quiet days prove 1 a day.",
        )
    else:
        yield Finding(Verdict.GOOD, f"No false alarm; {_per_day(events.false_alerts_per_day_limit)}.")
    for level in (evaluation.warning, evaluation.alarm):
        yield from _promise(level, evaluation, manifest)


def _promise(level: LevelFigures, evaluation: Evaluation, manifest: Manifest) -> Iterator[Finding]:
    """Yield whether normal windows reach a line more often than it was calibrated for."""
    rate, promised = level.windows.false_alarm_rate, rate_from_score(level.threshold)
    independent = max(evaluation.normal_windows * manifest.window.hop // manifest.window.length, 1)
    if rate is not None and more_often(rate, independent, promised):
        yield Finding(
            Verdict.WEAK,
            f"{_percent(rate)} of the normal windows reach the {level.level} line, which was calibrated for "
            f"{_chance(promised)}: these recordings differ from those that were learnt.",
        )


def _origin(manifest: Manifest, learnt: Sequence[str]) -> Iterator[Finding]:
    """Yield what the bundle's provenance says."""
    provenance = manifest.provenance
    if learnt:
        yield Finding(
            Verdict.WEAK,
            f"It has learnt from {', '.join(learnt)}: scores are lower there than on anything new.",
        )
    if len(provenance.get("data", ())) == 1:
        yield Finding(
            Verdict.WEAK, "Learnt from one recording: another mounting, load or season may look abnormal."
        )
    if manifest.rate_hz is None:
        yield Finding(
            Verdict.WEAK, "The sample rate is unknown: no figure per day, and a gateway cannot check its own."
        )
    for counted in provenance.get("false_alarms", ()):
        yield from _held_out(counted, manifest)
    yield from _quantized(provenance.get("fidelity"))
    yield from _learning(provenance)


def _held_out(counted: Any, manifest: Manifest) -> Iterator[Finding]:  # noqa: ANN401 - as it was written
    """Yield how often windows that were kept from the network in its training reach a line."""
    level, alarms, windows = counted["level"], counted["alarms"], counted["windows"]
    lines = {"warning": manifest.thresholds.warning, "alarm": manifest.thresholds.alarm}
    promised = rate_from_score(lines[level].score)
    text = (
        f"Of {windows:,} windows that taught it nothing {alarms} reach the {level} line; the rate is at most "
        f"{_percent(counted['upper_limit'])} (95 %), the calibration says {_chance(promised)}"
    )
    if more_often(alarms / windows, counted["independent"], promised):
        yield Finding(Verdict.WEAK, f"{text}.")
    elif counted["upper_limit"] > _PROVED * promised:
        yield Finding(Verdict.OPEN, f"{text}: too few windows to prove it.")
    else:
        yield Finding(Verdict.GOOD, f"{text}.")


def _quantized(fidelity: Any) -> Iterator[Finding]:  # noqa: ANN401
    if not isinstance(fidelity, Mapping) or "correlation" not in fidelity:
        return
    correlation, difference = fidelity["correlation"], fidelity.get("largest_difference")
    largest = (
        "" if difference is None else f"; the largest difference is {_percent(difference)} of the median"
    )
    text = f"Quantized scores correlate with float32 by {correlation:.4f}{largest}."
    yield Finding(Verdict.GOOD if correlation >= _FAITHFUL else Verdict.WEAK, text)


def _learning(provenance: Mapping[str, Any]) -> Iterator[Finding]:
    training, windows = provenance.get("training"), provenance.get("windows")
    if not isinstance(training, Mapping) or not isinstance(windows, Mapping) or windows.get("folds"):
        return
    loss, validation = training.get("loss", 0.0), training.get("validation_loss", 0.0)
    if loss > 0 and validation > _BY_HEART * loss:
        yield Finding(
            Verdict.WEAK,
            f"The loss on validation windows is {validation / loss:.1f} times that on training windows: it "
            "knows those by heart. More data or a smaller network would help.",
        )


def _per_day(limit: float | None) -> str:
    return "rate unknown" if limit is None else f"at most {_rounded(limit)} a day (95 %)"


def _chance(probability: float) -> str:
    return f"1 in {_rounded(1.0 / max(probability, 1e-300))}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _rounded(value: float) -> str:
    """Return three digits, thousands parted by commas."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def _alarms(count: int) -> str:
    return f"{count or 'no'} false {'alarm' if count == 1 else 'alarms'}"


def _anomalies(count: int) -> str:
    return f"{count} anomaly" if count == 1 else f"{count} anomalies"
