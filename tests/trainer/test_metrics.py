"""Figures of windows and events, against numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agent.alarm import AlarmPolicy
from agent.inference.manifest import Manifest
from agent.inference.window import WindowSpec
from trainer.errors import DataError
from trainer.labels import window_labels
from trainer.metrics import evaluate, window_figures
from trainer.scored import ScoredRecording

Run = Callable[..., Any]


@pytest.fixture
def manifest(level_manifest: Manifest) -> Manifest:
    """Tumbling windows of 4 samples at 8 Hz; warning at 2.5, alarm at 3."""
    return replace(level_manifest, window=WindowSpec(4, 4), rate_hz=8.0)


@pytest.fixture
def scored(make_source: Run) -> Callable[..., ScoredRecording]:
    """A recording whose windows have given scores; rows by their labels."""

    def make(rows: list[int], scores: list[float], rate_hz: float | None = 8.0) -> ScoredRecording:
        labels = np.array(rows, np.int8)
        starts = np.arange(0, len(rows), 4)
        assert len(starts) == len(scores)
        source = make_source(np.zeros((len(rows), 1), np.float32), "a.csv", rate_hz=rate_hz)
        return ScoredRecording(
            source,
            labels,
            starts,
            np.array(scores),
            window_labels(labels, starts, 4),
            ("level",) * len(scores),
        )

    return make


def test_the_figures_of_a_table_worked_out_by_hand(manifest: Manifest) -> None:
    # 40 true positives, 10 false negatives, 5 false positives, 45 true negatives.
    truth = np.array([True] * 50 + [False] * 50)
    found = np.array([True] * 40 + [False] * 10 + [True] * 5 + [False] * 45)
    figures = window_figures(truth, found, 2.0, manifest)
    assert vars(figures.confusion) == {
        "true_positives": 40,
        "false_positives": 5,
        "true_negatives": 45,
        "false_negatives": 10,
    }
    assert figures.accuracy == pytest.approx(0.85)
    assert figures.precision == pytest.approx(0.8889, abs=1e-4)
    assert figures.recall == pytest.approx(0.8)
    assert figures.f1 == pytest.approx(0.8421, abs=1e-4)
    assert figures.f_beta == pytest.approx(0.8163, abs=1e-4)  # 5 x 40 / (5 x 40 + 4 x 10 + 5)
    assert figures.balanced_f1 == pytest.approx(0.8421, abs=1e-4)  # as many normal as anomalous windows
    assert figures.kappa == pytest.approx(0.7)  # (0.85 - 0.5) / (1 - 0.5)
    assert figures.false_alarm_rate == pytest.approx(0.1)
    assert figures.false_alarm_limit == pytest.approx(0.199, abs=1e-3)  # Clopper-Pearson, 5 of 50
    assert figures.false_alarms_per_day == pytest.approx(17280.0)  # of 172,800 windows a day


def test_balanced_f1_does_not_depend_on_how_many_windows_are_normal(manifest: Manifest) -> None:
    truth = np.array([True] * 10 + [False] * 1000)
    found = np.array([True] * 8 + [False] * 2 + [True] * 100 + [False] * 900)
    figures = window_figures(truth, found, 1.0, manifest)
    # Precision 0.8 / (0.8 + 0.1).
    assert figures.balanced_f1 == pytest.approx(0.8421, abs=1e-4)
    assert figures.f1 == pytest.approx(0.1356, abs=1e-4)


def test_overlapping_windows_prove_less(manifest: Manifest) -> None:
    sliding = replace(manifest, window=WindowSpec(4, 1))
    truth, found = np.zeros(40, bool), np.zeros(40, bool)
    assert window_figures(truth, found, 1.0, sliding).false_alarm_limit == pytest.approx(0.2589, abs=1e-4)


def test_what_needs_absent_windows_is_absent(manifest: Manifest) -> None:
    normal = window_figures(np.zeros(5, bool), np.array([True] + [False] * 4), 1.0, manifest)
    assert (normal.precision, normal.recall, normal.f1, normal.f_beta, normal.kappa) == (None,) * 5
    assert normal.false_alarm_rate == pytest.approx(0.2)
    anomalous = window_figures(np.ones(5, bool), np.zeros(5, bool), 1.0, manifest)
    assert (anomalous.recall, anomalous.f1, anomalous.precision) == (0.0, 0.0, None)
    assert anomalous.false_alarm_rate is anomalous.false_alarm_limit is anomalous.kappa is None


def test_events_delays_and_false_alerts(manifest: Manifest, scored: Run) -> None:
    rows = [0] * 16 + [1] * 8 + [0] * 32 + [1] * 4 + [0] * 4
    #         normal      anomaly   a false alert, cleared  missed
    scores = [0, 0, 0, 0, 2.6, 3.5, 0, 0, 0, 4, 4, 0, 0, 0, 0, 0]
    evaluation = evaluate(manifest, [scored(rows, scores)], 1.0, AlarmPolicy())
    events = evaluation.warning.events
    first, second = events.detections
    assert (first.first_row, first.last_row, first.found) == (16, 23, True)
    assert first.delay_s == pytest.approx(0.875)  # raised by the window that ends at row 23
    assert (second.first_row, second.found, second.delay_s) == (56, False, None)
    assert (events.found, events.false_alerts) == (1, 1)
    # Thirteen normal windows of half a second.
    assert events.false_alerts_per_day == pytest.approx(86400 / 6.5)
    assert events.false_alerts_per_day_limit == pytest.approx(4.7439 * 86400 / 6.5, rel=1e-4)  # Garwood 1936
    # The alarm line is reached once only within the anomaly.
    assert evaluation.alarm.events.detections[0].found is False
    assert (evaluation.normal_windows, evaluation.anomalous_windows, evaluation.ignored_windows) == (13, 3, 0)


def test_an_alert_that_an_ignored_stretch_helped_to_raise_is_not_false(
    manifest: Manifest, scored: Run
) -> None:
    rows = [0] * 8 + [-1] * 4 + [0] * 8
    evaluation = evaluate(manifest, [scored(rows, [0, 0, 4, 4, 0])], 1.0, AlarmPolicy())
    assert evaluation.alarm.events.false_alerts == 0
    assert evaluation.alarm.windows.confusion.false_positives == 1


def test_persistence_is_judged_by_the_windows_that_it_counted(manifest: Manifest, scored: Run) -> None:
    # 1.1325 nats a window of 2.2; ln(720 h / 0.5 s / 12) = 12.9762 nats after 12 windows.
    weak = [0.0] * 8 + [2.2] * 20
    found = evaluate(manifest, [scored([0] * 32 + [1] * 80, weak)], 1.0, AlarmPolicy()).warning.events
    assert (found.found, found.false_alerts) == (1, 0)
    assert found.detections[0].delay_s == pytest.approx((12 * 4 - 1) / 8.0)
    false = evaluate(manifest, [scored([0] * 112, weak)], 1.0, AlarmPolicy()).warning.events
    partly = evaluate(manifest, [scored([0] * 32 + [-1] * 4 + [0] * 76, weak)], 1.0, AlarmPolicy())
    assert (false.false_alerts, partly.warning.events.false_alerts) == (1, 0)
    off = evaluate(manifest, [scored([0] * 112, weak)], 1.0, AlarmPolicy(persistence_hours=0.0))
    assert off.warning.events.false_alerts == 0


def test_areas_under_the_curves(manifest: Manifest, scored: Run) -> None:
    # Of four pairs three are in order; average precision 1/2 x 1 + 1/2 x 2/3.
    evaluation = evaluate(manifest, [scored([1] * 4 + [0] * 8 + [1] * 4, [4, 1, 3, 2])], 1.0, AlarmPolicy())
    assert evaluation.roc_auc == pytest.approx(0.75)
    assert evaluation.pr_auc == pytest.approx(0.8333, abs=1e-4)


def test_one_class_has_no_curve_and_no_class_is_an_error(manifest: Manifest, scored: Run) -> None:
    evaluation = evaluate(manifest, [scored([0] * 8, [0, 3])], 1.0, AlarmPolicy())
    assert evaluation.roc_auc is evaluation.pr_auc is None
    with pytest.raises(DataError, match="no window is labelled"):
        evaluate(manifest, [scored([-1] * 8, [0, 3])], 1.0, AlarmPolicy())


def test_without_a_rate_there_is_no_time(manifest: Manifest, scored: Run) -> None:
    timeless = replace(manifest, rate_hz=None)
    evaluation = evaluate(timeless, [scored([0] * 8 + [1] * 8, [0, 0, 3, 3], None)], 1.0, AlarmPolicy())
    assert evaluation.alarm.events.detections[0].found
    assert evaluation.alarm.events.detections[0].delay_s is None
    assert evaluation.alarm.events.false_alerts_per_day is None
    assert evaluation.rule.persistence_hours == 0.0
    assert evaluation.alarm.windows.false_alarms_per_day is None
