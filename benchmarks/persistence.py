"""What evidence over windows finds that single windows miss, on public recordings of real machines.

For every recording: how many single windows reach the warning line; the alerts by 2 of 3 windows; when 2 of 3
would raise one on a line that a healthy window reaches once in the 720 hours that persistence promises
("rare"); how long the evidence alone takes; and what both rules together make of it. Times are from the
beginning of the recording, where the defect is there already, to the last sample of the window that raised.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agent.config.alarm import AlarmPolicy
from agent.inference.detector import Detector, judge_recording, open_detector
from agent.inference.manifest import Manifest
from agent.inference.scoring import Level, Threshold, Thresholds, score_from_rate
from agent.judging.alarm import Alarm, Episode, episodes
from agent.judging.alert import Rule
from agent.judging.drift_evidence import DriftEvidence, EvidenceLines, excused
from firmware_bridge.recording import Recording
from trainer.benchmark.events import count_events, event_lines, observe
from trainer.benchmark.figures import Machine
from trainer.benchmark.recordings import ceiling_fan, cwru, labelled_robot_arm, lorenz
from trainer.bundles.writing import Target
from trainer.fit import fit
from trainer.recordings.datasets import simulated_source
from trainer.settings import FitSettings

Scores = npt.NDArray[np.float64]
Starts = npt.NDArray[np.int64]

DATA = Path(os.environ.get("JUDDER_DATA", Path(__file__).parents[2] / "shared" / "data"))
BOTH = AlarmPolicy()
SINGLE = replace(BOTH, persistence_hours=0.0)
LORENZ_S = 120.0
"""A weak defect needs longer than half a minute."""
MACHINES: Sequence[Callable[[], Machine]] = (
    lambda: cwru(DATA, 0, noise_g=0.05),
    lambda: lorenz(DATA, 0, healthy_s=None, defective_s=LORENZ_S),
    lambda: ceiling_fan(DATA, 0),
    lambda: cwru(DATA, 0),
)


@dataclass(frozen=True)
class Watched:
    """A recording as its machine's detector scores it."""

    manifest: Manifest
    starts: Starts
    scores: Scores

    def alerts(self, policy: AlarmPolicy, line: float | None = None) -> list[Episode]:
        """Return the alerts by a policy, with both lines at ``line`` if it is given."""
        lines = None
        if line is not None:
            lines = Thresholds(Threshold(line, "once"), Threshold(line, "once"))
        return episodes(self.scores.tolist(), Alarm(self.manifest, policy, lines))

    def seconds(self, window: int) -> float:
        """Return when a window's last sample was taken, from the beginning."""
        assert self.manifest.rate_hz is not None
        return float(self.starts[window] + self.manifest.window.length) / self.manifest.rate_hz

    def open_share(self, alerts: Sequence[Episode]) -> float:
        """Return in what part of the windows an alert was open."""
        return sum((a.cleared or len(self.scores)) - a.raised for a in alerts) / len(self.scores)

    def evidence_s(self) -> float | None:
        """Return when the evidence alone reaches the warning line."""
        window, rate_hz = self.manifest.window, self.manifest.rate_hz
        assert rate_hz is not None
        persistence = DriftEvidence(EvidenceLines.of(BOTH.persistence_hours, window, rate_hz), window)
        taken_off = excused(self.manifest.wander)
        levels = (persistence.update(score - taken_off) for score in self.scores.tolist())
        raised = next((index for index, level in enumerate(levels) if level is not Level.NORMAL), None)
        return None if raised is None else self.seconds(raised)


def fitted(healthy: Sequence[Recording]) -> Detector:
    """Return the default detector of a machine."""
    sources = [simulated_source(str(recording.path), recording) for recording in healthy]
    with tempfile.TemporaryDirectory() as folder:
        target = Target(Path(folder) / "case-1.judder", "case", "1")
        settings = FitSettings(may_leave_quantization=True)
        fit(sources, settings, target, None, lambda doing, share: None)
        return open_detector(target.path)[0]


def watched(detector: Detector, recording: Recording) -> Watched:
    """Score a recording."""
    segments = [(segment.start, segment.end) for segment in recording.segments]
    starts, verdicts = judge_recording(detector, recording.samples, segments)
    return Watched(detector.manifest, starts, np.array([verdict.score for verdict in verdicts]))


def once_a_promise(manifest: Manifest) -> float:
    """Return the line that one healthy window reaches in the time that persistence promises."""
    assert manifest.rate_hz is not None
    windows = BOTH.persistence_hours * 3600.0 * manifest.rate_hz / manifest.window.hop
    return score_from_rate(1.0 / windows)


def print_machine(machine: Machine) -> None:
    """Fit one machine, and print a row for each recording that it did not learn from."""
    detector = fitted(machine.healthy)
    print(f"{machine.name}; healthy scores wander by {detector.manifest.wander:.2f}")
    print(
        f"  {'':<19}{'':>7}{'mean':>6}{'single':>8} | {'2 of 3':>6}{'first':>8}{'open':>6} | "
        f"{'rare':>7} | {'evidence':>8} | {'both':>4}{'first':>8}{'open':>6}{'persist':>9}"
    )
    for kind, recordings in (*machine.unseen.items(), *machine.defective.items()):
        for recording in recordings:
            name = f"healthy, {kind}" if kind in machine.unseen else kind
            print(_row(name, watched(detector, recording)))


def _row(name: str, found: Watched) -> str:
    manifest = found.manifest
    single, both = found.alerts(SINGLE), found.alerts(BOTH)
    rare = found.alerts(SINGLE, once_a_promise(manifest))
    recall = float(np.mean(found.scores >= manifest.thresholds.of(Level.WARNING)))
    persistent = [at for alert in both for at, step in alert.steps if step.rule is Rule.PERSISTENCE]
    return (
        f"  {name:<19}{found.seconds(-1):5.0f} s{found.scores.mean():6.2f}{recall:8.3f} | "
        f"{len(single):>6}{_first(found, single)}{found.open_share(single):6.2f} | "
        f"{_first(found, rare, 7)} | {_time(found.evidence_s(), 8)} | "
        f"{len(both):>4}{_first(found, both)}{found.open_share(both):6.2f}"
        f"{_time(found.seconds(persistent[0]) if persistent else None, 9)}"
    )


def _first(found: Watched, alerts: Sequence[Episode], width: int = 8) -> str:
    return _time(found.seconds(alerts[0].raised) if alerts else None, width)


def _time(seconds: float | None, width: int) -> str:
    return f"{'-':>{width}}" if seconds is None else f"{seconds:{width - 2}.2f} s"


def print_robot() -> None:
    """Fit the robot arm, and print what each rule finds of its stutters, and what else."""
    arm = labelled_robot_arm(DATA)
    detector = fitted([arm.healthy])
    print("robot arm")
    for name, policy in (("2 of 3", SINGLE), ("both", BOTH)):
        counted = [
            count_events(
                f"{name:<8}{kind}", observe(detector, one.recording, policy), one.defects, one.ignored
            )
            for kind, one in arm.judged.items()
        ]
        print(event_lines(counted))


def main() -> None:
    """Print a table for each machine."""
    if not DATA.is_dir():
        print(f"{DATA}: no such folder; set JUDDER_DATA to the recordings")
        return
    for load in MACHINES:
        print_machine(load())
    print_robot()


if __name__ == "__main__":
    main()
