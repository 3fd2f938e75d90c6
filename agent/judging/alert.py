"""The alert event: what is stored, shown to the technician and sent upstream."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agent.inference.features import AxisStatistics, Contribution
from agent.inference.scoring import Level
from agent.judging.alarm import Change, Rule


class Subject(StrEnum):
    """Whose trouble an alert is."""

    MACHINE = "machine"
    """The machine shakes as it should not."""
    SENSOR = "sensor"
    """The sensor cannot be trusted: the machine is not watched, or not well."""


SENSOR_PART = "sensor"
"""What stands for the detector's part in a sensor's alert."""


@dataclass(frozen=True)
class AlertEvent:
    """One change in the life of an alert."""

    event_id: str
    """UUIDv7 of this event; a receiver drops what it has seen."""
    alert_id: str
    """UUIDv7 of the alert, the same from raised to cleared."""
    sensor: str
    """Name of the sensor in the configuration."""
    change: Change
    level: Level
    at: datetime
    """UTC time of the window's last sample."""
    score: float
    """The window's score, in standard deviations (see ``scoring.Scorer``); 0 for a sensor's alert."""
    threshold: float
    """Threshold of the level; 0 for a sensor's alert."""
    part: str
    """Loudest part of the detector: ``level``, ``reconstruction``, ...; ``SENSOR_PART`` if none."""
    statistics: tuple[AxisStatistics, ...]
    """The window's statistics, one per axis."""
    contributions: tuple[Contribution, ...]
    """Axes and bands that deviate most, largest first."""
    model: str
    """Name and version of the bundle."""
    simulated: bool
    """True if the samples come from a simulated sensor."""
    subject: Subject = Subject.MACHINE
    """Whose trouble it is."""
    reason: str = ""
    """For a sensor's alert: what is wrong, where, and the next step."""
    rule: Rule | None = Rule.K_OF_N
    """What gave a machine's alert its level: single windows, or persistence, and then the score may lie below
    the threshold; None for a sensor's alert."""
    windows: int = 0
    """Windows that the rule looked at; 0 for a sensor's alert."""
