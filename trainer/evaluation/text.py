"""An evaluation as a table for people, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from agent.decode import encode
from trainer.evaluation.metrics import (
    Counts,
    Detection,
    Evaluation,
    EventFigures,
    LevelFigures,
    WindowFigures,
)

_ABSENT = "-"
_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86400.0
_NAME_WIDTH = 32


def evaluation_json(evaluation: Evaluation) -> str:
    """Return the evaluation as JSON; figures that need windows which are not there are left out."""
    return json.dumps(encode(evaluation), indent=1, ensure_ascii=False)


def evaluation_table(evaluation: Evaluation) -> str:
    """Return the evaluation as text."""
    lines = [*evaluation_head(evaluation), "", f"{'':<26}{'warning':>16}{'alarm':>16}"]
    lines += [f"{name:<26}{warning:>16}{alarm:>16}" for name, warning, alarm in evaluation_rows(evaluation)]
    lines += ["", evaluation_rule(evaluation), *evaluation_detections(evaluation)]
    if len(evaluation.by_file) > 1:
        lines += ["", *_file_lines(evaluation)]
    return "\n".join(lines)


def evaluation_head(evaluation: Evaluation) -> list[str]:
    """Return what does not depend on a level, in lines."""
    return [
        f"{evaluation.bundle} on {', '.join(evaluation.files)}",
        f"windows: {evaluation.normal_windows} normal, {evaluation.anomalous_windows} anomalous, "
        f"{evaluation.ignored_windows} left out",
        f"ROC AUC {_number(evaluation.roc_auc)}, PR AUC {_number(evaluation.pr_auc)}",
    ]


def evaluation_rule(evaluation: Evaluation) -> str:
    """Return by which rule the alerts were raised."""
    rule = evaluation.rule
    k_of_n = f"alerts by {rule.k} of {rule.n} windows"
    if rule.persistence_hours == 0.0:
        return k_of_n
    return f"{k_of_n}, or by persistence (a false warning in {rule.persistence_hours:g} h)"


def evaluation_rows(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """Return the name of each figure with its values for warning and alarm."""
    columns = zip(_rows(evaluation.warning, evaluation), _rows(evaluation.alarm, evaluation), strict=True)
    return [(name, warning, alarm) for (name, warning), (_, alarm) in columns]


def evaluation_detections(evaluation: Evaluation) -> Iterator[str]:
    """Yield a line for each anomaly: found after how many seconds, or missed."""
    pairs = zip(evaluation.warning.events.detections, evaluation.alarm.events.detections, strict=True)
    for warning, alarm in pairs:
        fates = ", ".join(_fate(level, found) for level, found in (("warning", warning), ("alarm", alarm)))
        yield f"{warning.file} rows {warning.first_row}-{warning.last_row}: {fates}"


def evaluation_files(evaluation: Evaluation) -> list[tuple[str, ...]]:
    """Return file, flagged normal windows, found anomalous windows, loudest part; the first row is the head.

    Windows are counted as those that reach the alarm line, those that reach the warning line, and all.
    """
    head = ("alarm / warning / windows", "normal", "anomalous", "spoke")
    rows = [
        (one.file, _counts(one.normal), _counts(one.anomalous), one.part or _ABSENT)
        for one in evaluation.by_file
    ]
    return [head, *rows]


def duration(seconds: float) -> str:
    """Return a number of seconds in a unit that suits it: 80 s, 8.3 min, 2.1 h, 3.4 days."""
    for limit, unit, name in (
        (2 * _MINUTE_S, 1.0, "s"),
        (2 * _HOUR_S, _MINUTE_S, "min"),
        (2 * _DAY_S, _HOUR_S, "h"),
    ):
        if seconds < limit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds / _DAY_S:,.3g} days"


def _rows(level: LevelFigures, evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    yield "threshold", f"{level.threshold:.2f}"
    yield from _window_rows(level.windows, evaluation.beta)
    yield from _event_rows(level.events)


def _window_rows(windows: WindowFigures, beta: float) -> Iterator[tuple[str, str]]:
    confusion = windows.confusion
    yield "true positives", str(confusion.true_positives)
    yield "false positives", str(confusion.false_positives)
    yield "true negatives", str(confusion.true_negatives)
    yield "false negatives", str(confusion.false_negatives)
    yield "accuracy", _number(windows.accuracy)
    yield "precision", _number(windows.precision)
    yield "recall", _number(windows.recall)
    yield "F1", _number(windows.f1)
    yield "balanced F1", _number(windows.balanced_f1)
    yield f"F-beta, beta {beta:g}", _number(windows.f_beta)
    yield "Cohen's kappa", _number(windows.kappa)
    yield "false-alarm rate", _number(windows.false_alarm_rate)
    yield "rate, 95 % upper limit", _number(windows.false_alarm_limit)
    yield "false alarms a day", _number(windows.false_alarms_per_day)


def _event_rows(events: EventFigures) -> Iterator[tuple[str, str]]:
    yield "anomalies found", f"{events.found} of {len(events.detections)}" if events.detections else _ABSENT
    yield "detection delay, median", _seconds(events.median_delay_s)
    yield "detection delay, worst", _seconds(events.worst_delay_s)
    yield "false alerts", str(events.false_alerts)
    yield "false alerts a day", _number(events.false_alerts_per_day)
    yield "a day, 95 % upper limit", _number(events.false_alerts_per_day_limit)


def _fate(level: str, detection: Detection) -> str:
    if not detection.found:
        return f"missed by {level}"
    if detection.standing:
        return f"{level} stood before it began"
    if detection.delay_s is None:
        return f"{level} after an unknown time (no sample rate)"
    return f"{level} after {_seconds(detection.delay_s)}"


def _file_lines(evaluation: Evaluation) -> Iterator[str]:
    for name, normal, anomalous, part in evaluation_files(evaluation):
        yield f"{name:<{_NAME_WIDTH}}{normal:>20}{anomalous:>20}  {part}"


def _counts(counts: Counts) -> str:
    return f"{counts.alarm} / {counts.warning} / {counts.windows}" if counts.windows else _ABSENT


def _seconds(delay_s: float | None) -> str:
    return _ABSENT if delay_s is None else f"{delay_s:.2f} s"


def _number(value: float | None) -> str:
    if value is None:
        return _ABSENT
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"
