"""Event by event: is each defect found, how soon, and what is raised besides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.config.alarm import AlarmPolicy
from agent.inference.detector import Detector, judge_recording
from agent.inference.scoring import Level
from agent.judging.alarm import Alarm, Episode, episodes
from firmware_bridge.recording import Recording

Stretch = tuple[int, int]
"""First row and end."""


@dataclass(frozen=True)
class Observed:
    """The alerts that a recording, sampled at a rate in Hz, raises by the gateway's rule."""

    alerts: tuple[Episode, ...]
    begins: tuple[int, ...]
    """First row of each window."""
    length: int
    """Samples per window."""
    rate_hz: float

    def lifetime(self, alert: Episode) -> Stretch:
        """Return the rows of the windows from the one that raised an alert to the one that cleared it."""
        last = len(self.begins) - 1 if alert.cleared is None else alert.cleared
        return self.begins[alert.raised], self.begins[last] + self.length

    def seen(self, window: int) -> int:
        """Return the row at which a window is judged: that after its last sample."""
        return self.begins[window] + self.length


@dataclass(frozen=True)
class EventFigures:
    """What a recording's alerts have to do with its defects; delays in seconds."""

    name: str
    defects: int
    delays_s: tuple[float, ...]
    """For each defect that is found, from its first row to the alarm; 0 if the alarm was there already."""
    false_alarms: int
    """Alerts that meet no defect, nor anything that is not counted, and reach the alarm level."""
    false_warnings: int
    """Those that do not."""

    @property
    def found(self) -> int:
        """Defects that meet an alert at alarm level."""
        return len(self.delays_s)


def observe(detector: Detector, recording: Recording, policy: AlarmPolicy) -> Observed:
    """Judge a recording, and follow its alerts.

    Raises:
        WindowError: If a sample or score is not finite.
    """
    manifest = detector.manifest
    segments = [(segment.start, segment.end) for segment in recording.segments]
    begins, verdicts = judge_recording(detector, recording.samples, segments)
    found = episodes([verdict.score for verdict in verdicts], Alarm(manifest, policy))
    assert manifest.rate_hz is not None
    return Observed(tuple(found), tuple(begins.tolist()), manifest.window.length, manifest.rate_hz)


def count_events(
    name: str, observed: Observed, defects: Sequence[Stretch], ignored: Sequence[Stretch]
) -> EventFigures:
    """Hold the alerts of a recording against what is known of it.

    Args:
        name: What was judged.
        observed: Its alerts.
        defects: Stretches of samples that are defective, as (first, end).
        ignored: Rows of which nobody can say whether they are.
    """
    delays = [_delay_s(observed, defect) for defect in defects]
    elsewhere = [
        alert
        for alert in observed.alerts
        if not any(_meet(observed.lifetime(alert), known) for known in (*defects, *ignored))
    ]
    false = sum(alert.last.level is Level.ALARM for alert in elsewhere)
    found = tuple(delay for delay in delays if delay is not None)
    return EventFigures(name, len(defects), found, false, len(elsewhere) - false)


def event_lines(figures: Iterable[EventFigures]) -> str:
    """Return one line each."""
    return "\n".join(f"  {one.name}, alerts: {_found(one)}{_false(one)}" for one in figures)


def _found(figures: EventFigures) -> str:
    if not figures.defects:
        return ""
    delays = ", ".join(f"{delay:.2f}" for delay in figures.delays_s)
    return f"{figures.found} of {figures.defects} defects found" + (
        f" after {delays} s; " if delays else "; "
    )


def _false(figures: EventFigures) -> str:
    return f"{figures.false_alarms} false at alarm, {figures.false_warnings} at warning level"


def _delay_s(observed: Observed, defect: Stretch) -> float | None:
    """Return the seconds from the first row of a defect to the first alarm that meets it, or None."""
    for alert in observed.alerts:
        alarm = alert.reached(Level.ALARM)
        if alarm is not None and _meet((observed.begins[alarm[0]], observed.lifetime(alert)[1]), defect):
            return max(observed.seen(alarm[0]) - defect[0], 0) / observed.rate_hz
    return None


def _meet(one: Stretch, other: Stretch) -> bool:
    return one[0] < other[1] and other[0] < one[1]
