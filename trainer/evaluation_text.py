"""An evaluation, told to a person as a table or to a program as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from agent.decode import encode
from trainer.metrics import Evaluation, EventFigures, LevelFigures, WindowFigures

_ABSENT = "-"


def evaluation_json(evaluation: Evaluation) -> str:
    """Return the evaluation as JSON; figures that need windows which are not there are left out."""
    return json.dumps(encode(evaluation), indent=1, ensure_ascii=False)


def evaluation_table(evaluation: Evaluation) -> str:
    """Return the evaluation as text."""
    lines = [*evaluation_head(evaluation), "", f"{'':<26}{'warning':>16}{'alarm':>16}"]
    lines += [f"{name:<26}{warning:>16}{alarm:>16}" for name, warning, alarm in evaluation_rows(evaluation)]
    lines += ["", evaluation_rule(evaluation), *evaluation_detections(evaluation)]
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
    told = f"alerts by {rule.k} of {rule.n} windows"
    if rule.persistence_hours == 0.0:
        return told
    return f"{told}, or by persistence (a false warning in {rule.persistence_hours:g} h)"


def evaluation_rows(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """Return the name of each figure with its values for warning and alarm."""
    columns = zip(_rows(evaluation.warning, evaluation), _rows(evaluation.alarm, evaluation), strict=True)
    return [(name, warning, alarm) for (name, warning), (_, alarm) in columns]


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
    yield "false alerts", str(events.false_alerts)
    yield "false alerts a day", _number(events.false_alerts_per_day)
    yield "a day, 95 % upper limit", _number(events.false_alerts_per_day_limit)


def evaluation_detections(evaluation: Evaluation) -> Iterator[str]:
    """Return a line for each anomaly: found when, or missed."""
    pairs = zip(evaluation.warning.events.detections, evaluation.alarm.events.detections, strict=True)
    for warning, alarm in pairs:
        delays = (
            f"missed by {name}" if not detection.found else f"{name} after {_seconds(detection.delay_s)}"
            for name, detection in (("warning", warning), ("alarm", alarm))
        )
        yield f"{warning.file} rows {warning.first_row}-{warning.last_row}: {', '.join(delays)}"


def _seconds(delay_s: float | None) -> str:
    return "an unknown time (no sample rate)" if delay_s is None else f"{delay_s:.2f} s"


def _number(value: float | None) -> str:
    if value is None:
        return _ABSENT
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"
