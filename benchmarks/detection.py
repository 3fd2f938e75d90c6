"""What judder finds on public recordings of real machines, trained on their healthy part.

The recordings are not part of the repository: JUDDER_DATA names the folder that holds ``robot_arm`` and
``lorenz`` (without it ``../shared/data`` is looked for). Everything goes through the commands' own path: fit,
bundle, replay.
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.alarm import Alarm, AlarmPolicy, Change
from agent.inference.detector import judge_recording, open_detector
from agent.inference.scoring import Level
from firmware_bridge.recording import load_recording
from trainer.datasets import load_source
from trainer.fit import Target, fit
from trainer.settings import FitSettings

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("JUDDER_DATA", ROOT.parent / "shared" / "data"))
LINEAR = ("LinAccX", "LinAccY", "LinAccZ")


@dataclass(frozen=True)
class Case:
    """One model and the recording that it is tried on."""

    name: str
    healthy: str
    tried: str
    columns: tuple[str, ...] | None
    rate_hz: float | None
    settings: FitSettings


@dataclass(frozen=True)
class Event:
    """An alert of the gateway's default rule."""

    start: int
    """First sample of the first window that counts."""
    end: int
    level: Level


CASES = (
    Case(
        "robot arm, LinAccX, window 25",
        "robot_arm/normal_20170202_2229.csv",
        "robot_arm/verify_20170202_2243.csv",
        LINEAR[:1],
        None,
        FitSettings(window_length=25),
    ),
    Case(
        "robot arm, three axes, window 25",
        "robot_arm/normal_20170202_2229.csv",
        "robot_arm/verify_20170202_2243.csv",
        LINEAR,
        None,
        FitSettings(window_length=25),
    ),
    Case("Lorenz", "lorenz/healthy.csv", "lorenz/broken.csv", None, 100.0, FitSettings()),
)


def labelled(recording: Path, label: str) -> list[tuple[int, int]]:
    """Return the stretches of a recording with a label as (first sample, end).

    A recording without a file of labels beside it is an anomaly from end to end.
    """
    labels = recording.with_name("labels.csv")
    if not labels.exists():
        return [(0, sys.maxsize)] if label == "anomaly" else []
    with labels.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["file"] == recording.name]
    return [(int(row["first_row"]), int(row["last_row"]) + 1) for row in rows if row["label"] == label]


def events(scores: Iterable[tuple[int, float]], alarm: Alarm, length: int) -> list[Event]:
    """Return the alerts that a gateway would have raised; ``scores`` are (first sample, score)."""
    found: list[Event] = []
    begin = 0
    for start, score in scores:
        transition = alarm.update(score)
        if transition is None:
            continue
        if transition.change is Change.RAISED:
            begin = start
        if transition.change is Change.CLEARED:
            found.append(Event(begin, start + length, transition.level))
    if alarm.level:
        found.append(Event(begin, sys.maxsize, alarm.level))
    return found


def run(case: Case) -> None:
    """Fit, replay and print one case."""
    source = load_source(DATA / case.healthy, case.columns, case.rate_hz)
    with tempfile.TemporaryDirectory() as folder:
        target = Target(Path(folder) / "case-1.judder", "case", "1")
        report = fit([source], case.settings, target, None, lambda loss: None)
        detector, _ = open_detector(target.path)
    manifest = report.manifest
    tried = load_recording(DATA / case.tried, columns=case.columns, rate_hz=case.rate_hz)
    segments = [(segment.start, segment.end) for segment in tried.segments]
    starts, verdicts = judge_recording(detector, tried.samples, segments)
    levels = [verdict.level for verdict in verdicts]
    print(f"{case.name}: {len(levels)} windows, {levels.count(Level.ALARM)} at alarm level")
    scores = [(start, verdict.score) for start, verdict in zip(starts.tolist(), verdicts, strict=True)]
    alarm = Alarm(manifest.thresholds, AlarmPolicy())
    _tell_events(events(scores, alarm, manifest.window.length), DATA / case.tried)
    for counted in report.provenance.false_alarms:
        print(
            f"  held-out healthy windows at {counted.level} or above: {counted.alarms} of {counted.windows}, "
            f"95 % upper limit of the rate {counted.upper_limit:.2g}"
        )


def _tell_events(found: Sequence[Event], recording: Path) -> None:
    defects = labelled(recording, "anomaly")
    hits = sum(any(_meet(event, defect) for event in found) for defect in defects)
    known = defects + labelled(recording, "ignore")
    elsewhere = [event for event in found if not any(_meet(event, stretch) for stretch in known)]
    alarms = sum(event.level is Level.ALARM for event in elsewhere)
    print(f"  defects found: {hits} of {len(defects)}")
    print(f"  false events elsewhere: {alarms} at alarm level, {len(elsewhere) - alarms} at warning level")


def _meet(event: Event, stretch: tuple[int, int]) -> bool:
    return event.start < stretch[1] and stretch[0] < event.end


def main() -> None:
    """Print all cases."""
    if not DATA.is_dir():
        print(f"{DATA}: no such folder; set JUDDER_DATA to the recordings")
        return
    for case in CASES:
        run(case)


if __name__ == "__main__":
    main()
