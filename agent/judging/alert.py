"""The alert event: what is stored, shown to the technician and sent upstream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from agent.inference.explanation import AxisStatistics, Contribution
from agent.inference.scoring import Level
from agent.utc import format_utc, parse_utc


class Change(StrEnum):
    """What happened to an alert."""

    RAISED = "raised"
    ESCALATED = "escalated"
    CLEARED = "cleared"


class Rule(StrEnum):
    """What gave an alert its level."""

    K_OF_N = "k-of-n"
    """Enough single windows at or above the threshold."""
    PERSISTENCE = "persistence"
    """Many windows that are a little abnormal (see ``persistence``)."""


class Subject(StrEnum):
    """Whose trouble an alert is."""

    MACHINE = "machine"
    """The machine shakes as it should not."""
    SENSOR = "sensor"
    """The sensor cannot be trusted: the machine is not watched, or not well."""


SENSOR_PART = "sensor"
"""What stands for the detector's part in a sensor's alert."""


@dataclass(frozen=True, kw_only=True)
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

    @classmethod
    def of_sensor(
        cls,
        *,
        event_id: str,
        alert_id: str,
        sensor: str,
        change: Change,
        at: datetime,
        reason: str,
        model: str,
        simulated: bool,
    ) -> Self:
        """Return an event of a sensor that cannot be trusted: a warning without a score."""
        return cls(
            event_id=event_id,
            alert_id=alert_id,
            sensor=sensor,
            change=change,
            level=Level.WARNING,
            at=at,
            score=0.0,
            threshold=0.0,
            part=SENSOR_PART,
            statistics=(),
            contributions=(),
            model=model,
            simulated=simulated,
            subject=Subject.SENSOR,
            reason=reason,
            rule=None,
        )

    @property
    def cause(self) -> str:
        """Why, in one line for people."""
        if self.reason:
            return self.reason
        score = f"score {self.score:.2f} (threshold {self.threshold:.2f}), part {self.part}"
        if self.rule is Rule.PERSISTENCE:
            return f"{score}, raised by persistence over {self.windows} windows"
        return score


def event_to_json(event: AlertEvent) -> dict[str, Any]:
    """Return an alert event as JSON types; ``event_from_json`` reads it back without loss."""
    document = asdict(event)
    document["message_id"] = document.pop("event_id")
    return document | {
        "change": event.change.value,
        "subject": event.subject.value,
        "rule": event.rule and event.rule.value,
        "level": event.level.name.lower(),
        "at": format_utc(event.at),
        "statistics": [asdict(axis) for axis in event.statistics],
        "contributions": [asdict(contribution) for contribution in event.contributions],
    }


def event_from_json(document: Mapping[str, Any]) -> AlertEvent:
    """Return the alert event of an alert payload or of ``event_to_json``.

    Raises:
        ValueError: If a field is missing or is not what it should be.
    """
    try:
        return AlertEvent(
            event_id=str(document["message_id"]),
            alert_id=str(document["alert_id"]),
            sensor=str(document["sensor"]),
            change=Change(document["change"]),
            level=Level[document["level"].upper()],
            at=parse_utc(document["at"]),
            score=float(document["score"]),
            threshold=float(document["threshold"]),
            part=str(document["part"]),
            rule=_rule(document),
            windows=int(document.get("windows", 0)),
            statistics=tuple(AxisStatistics(**axis) for axis in document["statistics"]),
            contributions=tuple(Contribution(**contribution) for contribution in document["contributions"]),
            model=str(document["model"]),
            simulated=bool(document["simulated"]),
            subject=Subject(document.get("subject", Subject.MACHINE)),
            reason=str(document.get("reason", "")),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"not an alert event: {error!r}") from error


def _rule(document: Mapping[str, Any]) -> Rule | None:
    """Return the rule of an event; those told before there was more than one rule do not name it."""
    if "rule" in document:
        return None if document["rule"] is None else Rule(document["rule"])
    return None if document.get("subject") == Subject.SENSOR.value else Rule.K_OF_N
