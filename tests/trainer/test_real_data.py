"""What a default fit finds in public recordings. The events are those of labels.csv in the data folder."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.config.alarm import AlarmPolicy
from agent.inference.detector import judge_recording, open_detector
from agent.inference.scoring import Level
from agent.judging.alarm import Alarm
from firmware_bridge.recording import load_recording

Run = Callable[..., Any]

VERIFY = "verify_20170202_2243.csv"


def alarm_rows(bundle: Path, file: Path) -> Iterator[tuple[int, Level]]:
    """The last row of each window and the level after it, by the gateway's default alarm rule."""
    detector, _ = open_detector(bundle)
    recording = load_recording(file, columns=detector.manifest.axes)
    stretches = [(segment.start, segment.end) for segment in recording.segments]
    starts, verdicts = judge_recording(detector, recording.samples, stretches)
    alarm = Alarm(detector.manifest, AlarmPolicy())
    for start, verdict in zip(starts.tolist(), verdicts, strict=True):
        alarm.update(verdict.score)
        yield start + detector.manifest.window.length - 1, alarm.level


@pytest.mark.parametrize("columns", ["LinAccX (g)", "LinAccX,LinAccY,LinAccZ"])
def test_both_stutters_of_the_robot_arm_are_found_and_nothing_else(
    shared_data: Path, judder_train: Run, tmp_path: Path, columns: str
) -> None:
    folder = shared_data / "robot_arm"
    bundle = tmp_path / "robot-1.judder"
    normal = folder / "normal_20170202_2229.csv"
    result = judder_train(
        "fit", normal, "--out", bundle, "--columns", columns, "--window", 25, "--arch", "dense"
    )
    assert result.exit_code == 0, result.output
    with (folder / "labels.csv").open() as file:
        labels = [row for row in csv.DictReader(file) if row["file"] == VERIFY]
    levels = list(alarm_rows(bundle, folder / VERIFY))
    labelled = np.zeros(5200, bool)
    for label in labels:
        # A window that begins in a labelled stretch still feels it; the alarm holds for three more.
        first, last = int(label["first_row"]), int(label["last_row"])
        labelled[first : last + 1 + 25 + 18] = True
        if label["kind"] == "stutter":
            found = [row for row, level in levels if level is Level.ALARM and first <= row <= last]
            assert found
            assert found[0] <= first + 35  # 0.7 s
    false = [row for row, level in levels if level is Level.ALARM and not labelled[row]]
    assert false == []


def test_every_window_of_the_broken_lorenz_bearing_is_an_alarm(
    shared_data: Path, judder_train: Run, tmp_path: Path
) -> None:
    bundle = tmp_path / "lorenz-1.judder"
    healthy = shared_data / "lorenz" / "healthy.csv"
    assert judder_train("fit", healthy, "--out", bundle, "--rate", 100, "--arch", "dense").exit_code == 0
    detector, _ = open_detector(bundle)
    broken = load_recording(shared_data / "lorenz" / "broken.csv")
    _, verdicts = judge_recording(detector, broken.samples, [(0, len(broken.samples))])
    assert len(verdicts) == 735
    assert {verdict.level for verdict in verdicts} == {Level.ALARM}
