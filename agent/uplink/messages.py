"""The wire format: topics and payloads of everything that goes upstream (docs/uplink).

The names of site, gateway and sensor are topic levels. The configuration allows ``[A-Za-z0-9_-]{1,64}`` only,
so topics are built without a further check.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

from agent.decode import Pattern
from agent.inference.features import AxisStatistics, Contribution
from agent.inference.scoring import Level
from agent.judging.alarm import Change, Rule
from agent.judging.alert import AlertEvent, Subject
from agent.system.uuid7 import uuid7

SCHEMA_VERSION = 1

TopicLevel: TypeAlias = Annotated[str, Pattern("[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, '_' or '-'")]
"""What a site, gateway or sensor may be called. The configuration sees to it; topics are built unchecked."""


class Kind(StrEnum):
    """What a message carries; also the last level of its topic."""

    ALERT = "alert"
    HEALTH = "health"
    SCORE = "score"


class Presence(StrEnum):
    """What a gateway's retained status says."""

    ONLINE = "online"
    OFFLINE = "offline"
    """The last will: the broker lost the gateway."""
    STOPPED = "stopped"
    """The gateway said goodbye."""


@dataclass(frozen=True)
class GatewayName:
    """Who speaks."""

    site: TopicLevel
    name: TopicLevel


@dataclass(frozen=True)
class Message:
    """One message on its way upstream."""

    message_id: str
    """UUIDv7; for an alert the event's id. It stays the same when the message is sent again."""
    kind: Kind
    sensor: str
    """Name of the sensor in the configuration."""
    topic: str
    payload: bytes
    """Compact JSON in UTF-8, as in docs/uplink."""
    created_at: datetime
    """UTC."""


@dataclass(frozen=True)
class ScoreSummary:
    """The scores of one sensor over a while; at least one window."""

    sensor: str
    start: datetime
    """UTC time of the first window's last sample."""
    end: datetime
    """UTC time of the last window's last sample."""
    windows: int
    score_max: float
    score_median: float
    level: Level
    """Level of the alarm at the end."""
    simulated: bool


@dataclass(frozen=True)
class Health:
    """How well one sensor is being watched; counts are since the daemon started."""

    sensor: str
    at: datetime
    """UTC."""
    sensor_state: str
    """The sampler's word for it: ``starting``, ``sampling`` or ``failed``."""
    rate_hz: float
    """Output data rate, estimated once enough has been seen."""
    samples: int
    samples_lost: int
    """Lost in FIFO overruns and bus faults."""
    windows_scored: int
    windows_skipped_gap: int
    """Not scored, because samples were lost within them."""
    windows_skipped_late: int
    """Not scored, because the detector was too late."""
    windows_bad: int
    """Not scored: a sample or the score was not finite, an axis was stuck or at full scale."""
    simulated: bool
    temperature_c: float | None = None
    """Of the chip, in degrees Celsius; None if it has no thermometer."""
    regime: str | None = None
    """Whose model judges now; None outside all regimes, and on a sensor without."""
    windows_outside: int = 0
    """Not scored: outside all regimes, or in a transition."""


def status_topic(gateway: GatewayName) -> str:
    """Return the topic of a gateway's retained status."""
    return f"judder/v1/{gateway.site}/{gateway.name}/status"


def topic_of(gateway: GatewayName, sensor: str, kind: Kind) -> str:
    """Return the topic of a sensor's messages of a kind."""
    return f"judder/v1/{gateway.site}/{gateway.name}/{sensor}/{kind}"


def command_topic(gateway: GatewayName) -> str:
    """Return the topic where a gateway takes commands, if it is configured to."""
    return f"judder/v1/{gateway.site}/{gateway.name}/command"


def reply_topic(gateway: GatewayName) -> str:
    """Return the topic where a gateway answers commands."""
    return f"judder/v1/{gateway.site}/{gateway.name}/reply"


def status_payload(
    gateway: GatewayName, presence: Presence, at: datetime, *, version: str, simulated: bool
) -> bytes:
    """Return the payload of a gateway's retained status.

    Args:
        gateway: Whose status.
        presence: What it says.
        at: UTC time of the change; for the last will the time of the connection, as nobody can know better.
        version: Version of judder.
        simulated: True if any sensor of the gateway is simulated.
    """
    return _compact(
        {
            "schema": SCHEMA_VERSION,
            "site": gateway.site,
            "gateway": gateway.name,
            "status": presence.value,
            "at": format_utc(at),
            "version": version,
            "simulated": simulated,
        }
    )


def alert_message(event: AlertEvent, gateway: GatewayName) -> Message:
    """Return the message of an alert event; both have the same id."""
    return _message(event.event_id, Kind.ALERT, gateway, event.sensor, event.at, event_to_json(event))


def score_message(summary: ScoreSummary, gateway: GatewayName) -> Message:
    """Return the message of a score summary, with a new id."""
    body = {
        "from": format_utc(summary.start),
        "to": format_utc(summary.end),
        "windows": summary.windows,
        "score_max": summary.score_max,
        "score_median": summary.score_median,
        "level": summary.level.name.lower(),
        "simulated": summary.simulated,
    }
    return _message(str(uuid7(summary.end)), Kind.SCORE, gateway, summary.sensor, summary.end, body)


def health_message(health: Health, gateway: GatewayName) -> Message:
    """Return the message of a health report, with a new id."""
    body = asdict(health) | {"at": format_utc(health.at)}
    return _message(str(uuid7(health.at)), Kind.HEALTH, gateway, health.sensor, health.at, body)


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


def format_utc(at: datetime) -> str:
    """Return a time as ISO 8601 in UTC with Z and microseconds; such texts sort by time.

    Raises:
        ValueError: If the time has no time zone.
    """
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_utc(text: str) -> datetime:
    """Return the time that ``format_utc`` wrote.

    Raises:
        ValueError: If the text is not ISO 8601 with a time zone.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"'{text}' has no time zone")
    return at.astimezone(UTC)


def _message(
    message_id: str, kind: Kind, gateway: GatewayName, sensor: str, at: datetime, body: dict[str, Any]
) -> Message:
    header = {
        "schema": SCHEMA_VERSION,
        "message_id": message_id,
        "site": gateway.site,
        "gateway": gateway.name,
        "sensor": sensor,
    }
    topic = topic_of(gateway, sensor, kind)
    return Message(message_id, kind, sensor, topic, _compact(header | body), at)


def _compact(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
