"""What judder finds on public recordings of real machines, trained on their healthy part.

First alerts: models as the commands make them, replayed with the gateway's alarm rule. Then windows: the
default detector beside simple detectors, all with thresholds from healthy windows only.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from agent.alarm import Alarm, AlarmPolicy, episodes
from agent.inference.detector import judge_recording, open_detector
from agent.inference.scoring import Level
from agent.inference.window import WindowSpec, cut, window_starts
from benchmarks.baselines import BASELINES, Score
from benchmarks.recordings import DATA, RecordingSet, recording_sets
from firmware_bridge.recording import Recording, load_recording
from trainer.datasets import load_source, simulated_source
from trainer.evaluation import upper_limit
from trainer.fit import Target, fit
from trainer.models import NetworkSettings
from trainer.settings import FitSettings

FloatArray = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]

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
        FitSettings(window_length=25, network=NetworkSettings()),
    ),
    Case(
        "robot arm, three axes, window 25",
        "robot_arm/normal_20170202_2229.csv",
        "robot_arm/verify_20170202_2243.csv",
        LINEAR,
        None,
        FitSettings(window_length=25, network=NetworkSettings()),
    ),
    Case(
        "robot arm, three axes, default",
        "robot_arm/normal_20170202_2229.csv",
        "robot_arm/verify_20170202_2243.csv",
        LINEAR,
        None,
        FitSettings(),
    ),
    Case(
        "Lorenz",
        "lorenz/healthy.csv",
        "lorenz/broken.csv",
        None,
        100.0,
        FitSettings(network=NetworkSettings()),
    ),
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
    starts, values = zip(*scores, strict=True)
    return [
        Event(
            starts[episode.raised],
            sys.maxsize if episode.cleared is None else starts[episode.cleared] + length,
            episode.last.level,
        )
        for episode in episodes(values, alarm)
    ]


def run(case: Case) -> None:
    """Fit, replay and print one case."""
    source = load_source(DATA / case.healthy, case.columns, case.rate_hz)
    with tempfile.TemporaryDirectory() as folder:
        target = Target(Path(folder) / "case-1.judder", "case", "1")
        report = fit([source], case.settings, target, None, lambda doing, share: None)
        detector, _ = open_detector(target.path)
    manifest = report.manifest
    tried = load_recording(DATA / case.tried, columns=case.columns, rate_hz=case.rate_hz)
    segments = [(segment.start, segment.end) for segment in tried.segments]
    starts, verdicts = judge_recording(detector, tried.samples, segments)
    levels = [verdict.level for verdict in verdicts]
    print(f"{case.name}: {len(levels)} windows, {levels.count(Level.ALARM)} at alarm level")
    scores = [(start, verdict.score) for start, verdict in zip(starts.tolist(), verdicts, strict=True)]
    alarm = Alarm(manifest, AlarmPolicy())
    _tell_events(events(scores, alarm, manifest.window.length), DATA / case.tried)
    for counted in report.provenance.false_alarms:
        print(
            f"  healthy windows at {counted.level} or above: {counted.alarms} of {counted.windows} not "
            f"learnt from, 95 % upper limit of the rate {counted.upper_limit:.2g}"
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


def compare(machine: RecordingSet) -> None:
    """Fit the default detector and the baselines to one machine and print a row for each."""
    print(f"{machine.name}")
    print(f"  {'detector':<20} {'ROC AUC':>8} {'recall':>7} {'worst':>6}  false alarms (95 % limit)")
    with tempfile.TemporaryDirectory() as folder:
        target = Target(Path(folder) / "case-1.judder", "case", "1")
        sources = [simulated_source(str(recording.path), recording) for recording in machine.healthy]
        fit(sources, FitSettings(), target, None, lambda doing, share: None)
        detector, _ = open_detector(target.path)
    spec, lines = detector.manifest.window, detector.manifest.thresholds

    def judged(windows: FloatArray) -> Scores:
        return np.array([verdict.score for verdict in detector.judge(windows)])

    _tell_row(machine, spec, "judder", judged, lines.of(Level.WARNING))
    learnt = np.concatenate([_windows(recording, spec) for recording in machine.healthy])
    for name, baseline in BASELINES.items():
        score = baseline(learnt)
        healthy = score(learnt)
        _tell_row(machine, spec, name, score, float(healthy.mean() + 3.0 * healthy.std()))


def _tell_row(machine: RecordingSet, spec: WindowSpec, name: str, score: Score, line: float) -> None:
    healthy = {kind: _scored(score, recordings, spec) for kind, recordings in machine.unseen.items()}
    defective = {kind: _scored(score, recordings, spec) for kind, recordings in machine.defective.items()}
    negative, positive = np.concatenate(list(healthy.values())), np.concatenate(list(defective.values()))
    labels = np.concatenate([np.zeros(len(negative)), np.ones(len(positive))])
    auc = roc_auc_score(labels, np.concatenate([negative, positive]))
    worst = min(float(np.mean(scores >= line)) for scores in defective.values())
    alarms = "; ".join(_false_alarms(kind, scores >= line, spec) for kind, scores in healthy.items())
    print(f"  {name:<20} {auc:8.4f} {np.mean(positive >= line):7.3f} {worst:6.3f}  {alarms}")


def _false_alarms(kind: str, alarms: npt.NDArray[np.bool_], spec: WindowSpec) -> str:
    independent = max(int(len(alarms) * spec.hop / spec.length), 1)
    limit = upper_limit(float(alarms.mean()) * independent, independent)
    return f"{kind} {int(alarms.sum())}/{len(alarms)} ({limit:.3f})"


def _windows(recording: Recording, spec: WindowSpec) -> FloatArray:
    segments = [(segment.start, segment.end) for segment in recording.segments]
    return cut(recording.samples, window_starts(segments, spec), spec.length)


def _scored(score: Score, recordings: Iterable[Recording], spec: WindowSpec) -> Scores:
    return np.concatenate([score(_windows(recording, spec)) for recording in recordings])


def main() -> None:
    """Print alerts and windows."""
    if not DATA.is_dir():
        print(f"{DATA}: no such folder; set JUDDER_DATA to the recordings")
        return
    for case in CASES:
        run(case)
    for machine in recording_sets():
        compare(machine)


if __name__ == "__main__":
    main()
