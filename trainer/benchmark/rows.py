"""Row by row: what a detector says of each sample of a recording, as published protocols count it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agent.config.alarm import AlarmPolicy
from agent.inference.arrays import BoolArray
from agent.inference.detector import Detector, judge_recording, open_detector
from agent.inference.scoring import Level
from firmware_bridge.recording import Recording, Segment
from trainer.benchmark.events import EventFigures, count_events, observe
from trainer.benchmark.recordings import Labelled, labelled_robot_arm, valve_files
from trainer.bundles.writing import Target
from trainer.fit import fit
from trainer.progress import OnProgress
from trainer.recordings.datasets import simulated_source
from trainer.settings import FitSettings

VALVE_TRAINING_ROWS = 400
"""Of each file, by the source's protocol."""

_LEVELS = (Level.WARNING, Level.ALARM)


@dataclass(frozen=True, kw_only=True)
class RowFigures:
    """Counts of rows, which are samples, at a level."""

    name: str
    level: str
    true_positives: int
    false_positives: int
    misses: int
    true_negatives: int

    @property
    def anomalous(self) -> int:
        """Anomalous rows."""
        return self.true_positives + self.misses

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 if nothing is found."""
        wrong = self.false_positives + self.misses
        return 2 * self.true_positives / max(2 * self.true_positives + wrong, 1)

    @property
    def false_alarm_rate(self) -> float:
        """Share of the healthy rows that are flagged."""
        return self.false_positives / (self.false_positives + self.true_negatives)

    @property
    def miss_rate(self) -> float:
        """Share of the anomalous rows that are not flagged; 0 if there are none."""
        return self.misses / max(self.anomalous, 1)


def count(name: str, level: Level, flagged: BoolArray, anomalous: BoolArray) -> RowFigures:
    """Return the four counts of rows.

    Args:
        name: What was judged.
        level: At which level it was flagged.
        flagged: What was said of each row, shape (n_rows,).
        anomalous: What it is, same shape.
    """
    return RowFigures(
        name=name,
        level=str(level),
        true_positives=int(np.sum(flagged & anomalous)),
        false_positives=int(np.sum(flagged & ~anomalous)),
        misses=int(np.sum(~flagged & anomalous)),
        true_negatives=int(np.sum(~flagged & ~anomalous)),
    )


def flagged_rows(detector: Detector, recording: Recording, level: Level) -> BoolArray:
    """Return what is said of each row: the word of the window whose middle is nearest.

    A row that lies in no window is not flagged.

    Args:
        detector: The detector.
        recording: The recording.
        level: The level that flags a row.

    Returns:
        Of shape (n_samples,).
    """
    segments = [(segment.start, segment.end) for segment in recording.segments]
    starts, verdicts = judge_recording(detector, recording.samples, segments)
    reached = np.array([verdict.level >= level for verdict in verdicts], bool)
    length = detector.manifest.window.length
    flagged = np.zeros(len(recording.samples), bool)
    for begin, end in segments:
        inside = (starts >= begin) & (starts + length <= end)
        if inside.any():
            middles = starts[inside] + (length - 1) / 2
            distance = np.abs(np.arange(begin, end)[:, np.newaxis] - middles)
            flagged[begin:end] = reached[inside][distance.argmin(axis=1)]
    return flagged


def robot_arm(
    folder: Path, settings: FitSettings, on_progress: OnProgress
) -> tuple[list[RowFigures], list[EventFigures]]:
    """Return the figures of the arm's rows, at both levels, and of its alerts.

    Pre-fail is judged by its alerts only: nobody says of its other rows that they are healthy.

    Args:
        folder: Holds the sets.
        settings: The choices.
        on_progress: Called with what is being done, and the share of it that is done.

    Raises:
        DataError: If the set is not there.
    """
    arm = labelled_robot_arm(folder)
    detector = _learnt(arm.healthy, settings, on_progress)
    rows = [
        _counted(f"robot arm, {name}", detector, arm.judged[name], level)
        for level in _LEVELS
        for name in ("last fifth of normal", "verify")
    ]
    alerts = [
        count_events(
            f"robot arm, {name}", observe(detector, one.recording, AlarmPolicy()), one.defects, one.ignored
        )
        for name, one in arm.judged.items()
    ]
    return rows, alerts


def valves(folder: Path, settings: FitSettings, on_progress: OnProgress) -> list[RowFigures]:
    """Return the figures over all files of the valve, a detector for each, at both levels.

    Args:
        folder: Holds the sets.
        settings: The choices.
        on_progress: Called with what is being done, and the share of it that is done.

    Raises:
        DataError: If the set is not there.
    """
    files = [
        (
            _learnt(_rows(recording, 0, VALVE_TRAINING_ROWS), settings, on_progress),
            _rows(recording, VALVE_TRAINING_ROWS, len(anomalous)),
            anomalous[VALVE_TRAINING_ROWS:],
        )
        for recording, anomalous in valve_files(folder)
    ]
    labels = np.concatenate([anomalous for _, _, anomalous in files])
    name = f"SKAB valve 1, {len(files)} files"
    return [
        count(name, level, np.concatenate([flagged_rows(one, rest, level) for one, rest, _ in files]), labels)
        for level in _LEVELS
    ]


def row_lines(figures: Iterable[RowFigures]) -> str:
    """Return one line each."""
    return "\n".join(
        f"  {one.name}, rows at {one.level}: false alarms {one.false_alarm_rate:.2%}"
        + (f", missed {one.miss_rate:.1%}, F1 {one.f1:.3f}" if one.anomalous else "")
        for one in figures
    )


def _counted(name: str, detector: Detector, labelled: Labelled, level: Level) -> RowFigures:
    flagged, counted = flagged_rows(detector, labelled.recording, level), labelled.counted
    return count(name, level, flagged[counted], labelled.anomalous[counted])


def _learnt(recording: Recording, settings: FitSettings, on_progress: OnProgress) -> Detector:
    sources = [simulated_source(str(recording.path), recording)]
    with tempfile.TemporaryDirectory() as scratch:
        target = Target(Path(scratch) / "rows-1.judder", "rows", "1")
        fit(sources, settings, target, None, on_progress)
        detector, _ = open_detector(target.path)
    return detector


def _rows(recording: Recording, begin: int, end: int) -> Recording:
    """Return some of the samples; a pause between two of them is nothing to a slow process."""
    return replace(recording, samples=recording.samples[begin:end], segments=(Segment(0, end - begin),))
