"""Reasons to trust a bundle, or not to: from recordings that it judged, and from its own provenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from scipy.stats import beta

from agent.inference.manifest import Manifest
from agent.inference.scoring import rate_from_score
from trainer.evaluation.false_alarms import CONFIDENCE
from trainer.evaluation.metrics import Evaluation, LevelFigures, healthy_seconds
from trainer.evaluation.scored import ScoredRecording
from trainer.evaluation.text import duration
from trainer.report.windows import all_scores
from trainer.report.wording import anomalies, chance, false_alarms, per_day, percent, rounded

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


def recorded(
    manifest: Manifest, scored: Sequence[ScoredRecording], evaluation: Evaluation | None
) -> Iterator[Finding]:
    """Yield what recordings show of a bundle.

    Args:
        manifest: Of the bundle.
        scored: Recordings that it has judged.
        evaluation: Its figures on them; None if nothing is known about their rows.
    """
    if evaluation is None:
        yield from _unlabelled(manifest, scored)
        return
    yield from _detection(evaluation)
    yield from _false_alarms(manifest, evaluation)
    if evaluation.roc_auc is not None and evaluation.roc_auc < _CLEAR_AUC:
        yield Finding(
            Verdict.WEAK,
            f"No line parts the classes: their scores overlap (ROC AUC {evaluation.roc_auc:.3f}).",
        )


def provided(manifest: Manifest, learnt: Sequence[str]) -> Iterator[Finding]:
    """Yield what the bundle's provenance says.

    Args:
        manifest: Of the bundle.
        learnt: Names of the recordings judged that it has learnt from.
    """
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
    yield from _held_out(provenance, manifest)
    yield from _quantized(provenance.get("fidelity"))
    yield from _learning(provenance)


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


def _unlabelled(manifest: Manifest, scored: Sequence[ScoredRecording]) -> Iterator[Finding]:
    yield Finding(Verdict.OPEN, "No labels: neither detection nor false alarms can be counted.")
    scores, line = all_scores(scored), manifest.thresholds.alarm.score
    independent = max(len(scores) * manifest.window.hop // manifest.window.length, 1)
    if more_often(float((scores >= line).mean()), independent, rate_from_score(line)):
        yield Finding(
            Verdict.OPEN,
            "More windows reach the alarm line than normal ones would: the machine is not well, or "
            "these recordings differ from those that were learnt (mounting, load, sensor).",
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
            f"{anomalies(len(missed))} raised no alarm, {warned} of them a warning: {where}{others}.",
        )
    else:
        yield Finding(Verdict.GOOD, "Every anomaly raised an alarm.")
    if standing := sum(one.standing for one in detections):
        yield Finding(
            Verdict.WEAK,
            f"{anomalies(standing)} began while an alarm stood already: what they alone would have done is "
            "not known.",
        )


def _false_alarms(manifest: Manifest, evaluation: Evaluation) -> Iterator[Finding]:
    events = evaluation.alarm.events
    if not evaluation.normal_windows:
        yield Finding(Verdict.OPEN, "No normal window was shown: the false alarms are not known.")
        return
    if events.false_alerts:
        rate = (
            "" if events.false_alerts_per_day is None else f", {rounded(events.false_alerts_per_day)} a day"
        )
        yield Finding(Verdict.WEAK, f"{false_alarms(events.false_alerts)} on normal windows{rate}.")
    elif events.false_alerts_per_day_limit is not None and events.false_alerts_per_day_limit > 1.0:
        time_s = healthy_seconds(evaluation, manifest) or 0.0
        yield Finding(
            Verdict.OPEN,
            f"No false alarm, but {duration(time_s)} of normal running prove no rate below "
            f"{rounded(events.false_alerts_per_day_limit)} a day (95 %). Three quiet days prove 1 a day.",
        )
    else:
        yield Finding(Verdict.GOOD, f"No false alarm; {per_day(events.false_alerts_per_day_limit)}.")
    for level in (evaluation.warning, evaluation.alarm):
        yield from _promise(level, evaluation, manifest)


def _promise(level: LevelFigures, evaluation: Evaluation, manifest: Manifest) -> Iterator[Finding]:
    """Yield whether normal windows reach a line more often than it was calibrated for."""
    rate, promised = level.windows.false_alarm_rate, rate_from_score(level.threshold)
    independent = max(evaluation.normal_windows * manifest.window.hop // manifest.window.length, 1)
    if rate is not None and more_often(rate, independent, promised):
        yield Finding(
            Verdict.WEAK,
            f"{percent(rate)} of the normal windows reach the {level.level} line, which was calibrated for "
            f"{chance(promised)}: these recordings differ from those that were learnt.",
        )


def _held_out(provenance: Mapping[str, Any], manifest: Manifest) -> Iterator[Finding]:
    """Yield how often windows reach a line that taught the detector which judged them nothing."""
    for counted in provenance.get("false_alarms", ()):
        yield _counted(counted, "that taught it nothing", manifest)
    sessions = provenance.get("left_out", ())
    if sessions:
        worst = max(sessions, key=lambda one: float(one["warning"]["alarms"]) / one["warning"]["windows"])
        whose = f"of {', '.join(worst['names'])}, judged by what the other recordings taught,"
        if len(sessions) > 1:
            whose += f" the worst of {len(sessions)} such trials,"
        yield _counted(worst["warning"], whose, manifest)


def _counted(counted: Mapping[str, Any], whose: str, manifest: Manifest) -> Finding:
    level, alarms, windows = counted["level"], counted["alarms"], counted["windows"]
    lines = {"warning": manifest.thresholds.warning, "alarm": manifest.thresholds.alarm}
    promised = rate_from_score(lines[level].score)
    text = (
        f"Of {windows:,} windows {whose} {alarms} reach the {level} line; the rate is at most "
        f"{percent(counted['upper_limit'])} (95 %), the calibration says {chance(promised)}"
    )
    if more_often(alarms / windows, counted["independent"], promised):
        return Finding(Verdict.WEAK, f"{text}.")
    if counted["upper_limit"] > _PROVED * promised:
        return Finding(Verdict.OPEN, f"{text}: too few windows to prove it.")
    return Finding(Verdict.GOOD, f"{text}.")


def _quantized(fidelity: Any) -> Iterator[Finding]:  # noqa: ANN401
    if not isinstance(fidelity, Mapping) or "correlation" not in fidelity:
        return
    correlation, difference = fidelity["correlation"], fidelity.get("largest_difference")
    largest = "" if difference is None else f"; the largest difference is {percent(difference)} of the median"
    text = f"Quantized scores correlate with float32 by {correlation:.4f}{largest}."
    yield Finding(Verdict.GOOD if correlation >= _FAITHFUL else Verdict.WEAK, text)


def _learning(provenance: Mapping[str, Any]) -> Iterator[Finding]:
    training = provenance.get("training")
    if not isinstance(training, Mapping):
        return
    loss, held_out = training.get("loss") or 0.0, training.get("validation_loss") or 0.0
    if loss > 0 and held_out > _BY_HEART * loss:
        yield Finding(
            Verdict.WEAK,
            f"The loss on held-out windows is {held_out / loss:.1f} times that on those that were learnt: it "
            "knows them by heart. More data or a smaller network would help.",
        )
