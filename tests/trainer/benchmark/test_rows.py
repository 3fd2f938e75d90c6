"""Rows: what is said of each, and how that is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from agent.inference.detector import open_detector
from agent.inference.scoring import Level
from agent.inference.window import WindowSpec
from firmware_bridge.recording import Segment
from trainer.benchmark.figures import KindFigures, Machine, figures, two_of_three
from trainer.benchmark.rows import RowFigures, count, flagged_rows, row_lines
from trainer.benchmark.table import kinds


def test_rows_are_counted_four_ways() -> None:
    flagged = np.array([True, True, True, False, False, False, False, False])
    anomalous = np.array([True, True, False, True, False, False, False, False])
    figures = count("pump", Level.ALARM, flagged, anomalous)
    assert figures == RowFigures(
        name="pump", level="alarm", true_positives=2, false_positives=1, misses=1, true_negatives=4
    )
    assert figures.f1 == pytest.approx(4 / 6)
    assert figures.false_alarm_rate == pytest.approx(0.2)
    assert figures.miss_rate == pytest.approx(1 / 3)
    assert row_lines([figures]) == "  pump, rows at alarm: false alarms 20.00%, missed 33.3%, F1 0.667"


def test_a_healthy_recording_has_false_alarms_only() -> None:
    figures = count("pump", Level.WARNING, np.zeros(4, bool), np.zeros(4, bool))
    assert (figures.f1, figures.miss_rate) == (0.0, 0.0)
    assert row_lines([figures]) == "  pump, rows at warning: false alarms 0.00%"


def test_a_row_has_the_word_of_the_window_whose_middle_is_nearest(
    make_bundle: Callable[..., Any], make_source: Callable[..., Any]
) -> None:
    # Windows of 64, hop 32, of a detector that is healthy at 1 g: only rows 64 to 127 are loud.
    detector, _ = open_detector(make_bundle(axes=("x",)))
    samples = np.tile(np.array([1.0, -1.0], np.float32), 128)
    samples[64:128] *= 10.0
    segments = (Segment(0, 192), Segment(200, 230))
    recording = make_source(samples[:, np.newaxis], rate_hz=800.0, segments=segments).recording
    flagged = flagged_rows(detector, recording, Level.ALARM)
    # Windows that begin at 32, 64 and 96 hold loud rows; their middles are 63.5, 95.5 and 127.5, those of
    # their quiet neighbours 31.5 and 159.5. What lies in no window is not flagged.
    assert np.flatnonzero(flagged).tolist() == list(range(48, 144))
    assert not flagged[192:].any()


def test_each_kind_of_defect_has_its_figures(make_source: Callable[..., Any]) -> None:
    def recording(level: float) -> Any:
        return make_source(np.full((64, 1), level, np.float32), rate_hz=64.0).recording

    defective = {"half": (recording(1.0),), "whole": (recording(3.0),)}
    machine = Machine("pump", (recording(0.0),), {"day": (recording(1.0),)}, defective)
    spec = WindowSpec(8, 8)
    found = figures(machine, "level", lambda windows: windows.mean(axis=(1, 2)), 2.0, two_of_three(2.0), spec)
    # What scores like the healthy day is found by chance, the other one always.
    assert found.by_kind == (KindFigures("half", 0.5, 0.0), KindFigures("whole", 1.0, 1.0))
    assert kinds(found) == "    ROC AUC/recall: half 0.5000/0.000, whole 1.0000/1.000"
