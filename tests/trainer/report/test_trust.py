"""What speaks for a bundle and against it, on figures that can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agent.config.alarm import AlarmPolicy
from agent.inference.manifest import Manifest
from agent.inference.window import WindowSpec
from trainer.evaluation.metrics import evaluate
from trainer.evaluation.scored import ScoredRecording
from trainer.recordings.labels import window_labels
from trainer.report.findings import Verdict, more_often
from trainer.report.trust import Trust, weigh

Run = Callable[..., Any]

NORMAL, ANOMALY, IGNORE = 0, 1, -1


@pytest.fixture
def weighed(level_manifest: Manifest, make_source: Run) -> Callable[..., Trust]:
    """Windows of 4 samples at 8 Hz, one by one: warning at 2.5, alarm at 3.0."""

    def make(
        labels: list[int],
        scores: list[float],
        provenance: Mapping[str, Any] | None = None,
        learnt: tuple[str, ...] = (),
        rate_hz: float | None = 8.0,
    ) -> Trust:
        manifest = replace(
            level_manifest, window=WindowSpec(4, 4), rate_hz=rate_hz, provenance=provenance or {}
        )
        rows = np.repeat(np.array(labels, np.int8), 4)
        starts = np.arange(0, len(rows), 4)
        source = make_source(np.zeros((len(rows), 1), np.float32), "a.csv", rate_hz=rate_hz)
        scored = ScoredRecording(
            source,
            rows,
            starts,
            np.array(scores, float),
            window_labels(rows, starts, 4),
            ("level",) * len(scores),
        )
        known = any(label != IGNORE for label in labels)
        evaluation = evaluate(manifest, [scored], 1.0, AlarmPolicy()) if known else None
        return weigh(manifest, [scored], evaluation, learnt)

    return make


def told(trust: Trust, verdict: Verdict) -> str:
    return " | ".join(finding.text for finding in trust.findings if finding.verdict is verdict)


def test_all_found_and_no_false_alarm(weighed: Run) -> None:
    trust = weighed([NORMAL] * 20 + [ANOMALY] * 4, [0.0] * 20 + [9.0] * 4)
    assert trust.headline == "It found 1 of 1 anomaly, and raised no false alarms in 10 s of normal running."
    figures = {figure.name: figure.value for figure in trust.figures}
    assert figures == {
        "Anomalies that raised an alarm": "1 of 1",
        "Delay of the alarm": "0.88 s",  # seven samples after the first row, at 8 Hz
        "False alarms": "0",
        "Normal windows flagged": "0 %",
        "Anomalous windows flagged": "100 %",
        "ROC AUC": "1.0000",
    }
    assert told(trust, Verdict.GOOD) == "Every anomaly raised an alarm."
    # 3.0 events in ten seconds is the limit of none: 25,900 a day (Garwood 1936).
    assert told(trust, Verdict.OPEN) == (
        "No false alarm, but 10 s of normal running prove no rate below 25,900 a day (95 %). Three quiet "
        "days prove 1 a day."
    )
    assert told(trust, Verdict.WEAK) == ""


def test_weak_points_come_first(weighed: Run) -> None:
    labels = [NORMAL] * 8 + [ANOMALY] * 2 + [NORMAL] * 8 + [ANOMALY] * 2
    trust = weighed(labels, [0, 0, 4, 4, 0, 0, 0, 0, 2.6, 2.6] + [0.0] * 10)
    assert [finding.verdict for finding in trust.findings] == sorted(
        (finding.verdict for finding in trust.findings), key=list(Verdict).index
    )
    weak = told(trust, Verdict.WEAK)
    assert "2 anomalies raised no alarm, 1 of them a warning: a.csv rows 32-39, a.csv rows 72-79." in weak
    assert "1 false alarm on normal windows, 10,800 a day." in weak  # in eight seconds
    assert "12.5 % of the normal windows reach the alarm line, which was calibrated for 1 in 741" in weak
    assert "No line parts the classes: their scores overlap (ROC AUC 0.656)" in weak
    assert trust.headline == "It found 0 of 2 anomalies, and raised 1 false alarm in 8 s of normal running."


def test_an_alarm_that_stood_before_proves_nothing(weighed: Run) -> None:
    trust = weighed([NORMAL] * 4 + [ANOMALY] * 2, [0, 9, 9, 9, 9, 9])
    assert "1 anomaly began while an alarm stood already" in told(trust, Verdict.WEAK)
    assert "Delay of the alarm" not in {figure.name for figure in trust.figures}


def test_what_was_not_shown_is_said(weighed: Run) -> None:
    healthy = weighed([NORMAL] * 4, [0.0] * 4)
    assert healthy.headline == "It raised no false alarms in 2 s of normal running. No anomaly was shown."
    assert "still to be proved" in told(healthy, Verdict.OPEN)
    broken = weighed([ANOMALY] * 4, [9.0] * 4)
    assert broken.headline == "It found 1 of 1 anomaly. No normal window was shown."
    assert "the false alarms are not known" in told(broken, Verdict.OPEN)
    unknown = weighed([IGNORE] * 4, [0.0, 9.0, 1.0, 2.6])
    assert unknown.headline.startswith(
        "25 % of the windows reach the alarm line; of normal ones 1 in 741 would."
    )
    assert [figure.value for figure in unknown.figures] == ["2", "1", "1.80", "9.00"]
    assert "neither detection nor false alarms can be counted" in told(unknown, Verdict.OPEN)


def test_provenance_is_held_against_the_bundle(weighed: Run) -> None:
    counted = {"windows": 100, "independent": 100, "upper_limit": 0.15}
    provenance = {
        "data": [{"name": "one.csv"}],
        "false_alarms": [
            {"level": "warning", "alarms": 9, **counted},
            {"level": "alarm", "alarms": 0, **counted},
        ],
        "fidelity": {"correlation": 0.95, "largest_difference": 0.4},
        "training": {"loss": 0.1, "validation_loss": 0.3},
    }
    trust = weighed([NORMAL] * 4, [0.0] * 4, provenance, ("a.csv",), None)
    weak = told(trust, Verdict.WEAK)
    for text in (
        "It has learnt from a.csv",
        "Learnt from one recording",
        "The sample rate is unknown",
        "Of 100 windows that taught it nothing 9 reach the warning line; the rate is at most 15 % (95 %)",
        "correlate with float32 by 0.9500; the largest difference is 40 % of the median.",
        "The loss on held-out windows is 3.0 times that on those that were learnt",
    ):
        assert text in weak
    assert "9 reach the alarm line" not in weak
    # Calibrated for 1 in 741; a limit of 15 % neither proves nor disproves that.
    assert "0 reach the alarm line" in told(trust, Verdict.OPEN)
    assert "too few windows to prove it" in told(trust, Verdict.OPEN)


def test_a_good_provenance_speaks_for_the_bundle(weighed: Run) -> None:
    provenance = {
        "false_alarms": [
            {"level": "alarm", "alarms": 1, "windows": 2000, "independent": 1000, "upper_limit": 0.005}
        ],
        "data": [{"name": "one.csv"}, {"name": "two.csv"}],
        "fidelity": {"correlation": 0.9999, "largest_difference": 0.01},
        "training": {"loss": 0.1, "validation_loss": None},
    }
    trust = weighed([NORMAL] * 4, [0.0] * 4, provenance)
    assert told(trust, Verdict.WEAK) == ""
    assert "0.9999" in told(trust, Verdict.GOOD)
    assert "Of 2,000 windows that taught it nothing 1 reach the alarm line" in told(trust, Verdict.GOOD)


def test_the_worst_left_out_session_speaks(weighed: Run) -> None:
    def session(name: str, warnings: int) -> dict[str, Any]:
        counted = {"windows": 100, "independent": 25, "upper_limit": 0.2}
        return {
            "names": [name],
            "warning": {"level": "warning", "alarms": warnings, **counted},
            "alarm": {"level": "alarm", "alarms": 0, **counted},
        }

    trust = weighed([NORMAL] * 4, [0.0] * 4, {"left_out": [session("calm.csv", 0), session("wild.csv", 40)]})
    assert told(trust, Verdict.WEAK).startswith(
        "Of 100 windows of wild.csv, judged by what the other recordings taught, the worst of 2 such trials, "
        "40 reach the warning line"
    )
    calm = weighed([NORMAL] * 4, [0.0] * 4, {"left_out": [session("calm.csv", 0)]})
    assert "Of 100 windows of calm.csv, judged by what the other recordings taught, 0 reach" in told(
        calm, Verdict.OPEN
    )


@pytest.mark.parametrize(
    ("rate", "independent", "promised", "expected"),
    [
        (0.0, 100, 0.001, False),
        (0.01, 100, 0.001, False),  # once where 0.1 was expected: chance in 9.5 of 100 cases
        (0.02, 100, 0.001, True),  # twice: in 0.5 of 100
        (0.005, 1000, 0.005, False),
        (1.0, 3, 0.9, False),  # three of three, expected in 73 of 100
        (1.0, 1, 0.005, True),
    ],
)
def test_more_often_than_chance(rate: float, independent: int, promised: float, expected: bool) -> None:
    assert more_often(rate, independent, promised) is expected
