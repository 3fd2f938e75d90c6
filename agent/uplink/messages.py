"""The wire format: topics and payloads of everything that goes upstream (docs/uplink).

The names of site, gateway and sensor are topic levels. The configuration allows ``[A-Za-z0-9_-]{1,64}`` only,
so topics are built without a further check.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from agent.config.names import GatewayName
from agent.judging.alert import AlertEvent, event_to_json
from agent.judging.summary import ScoreSummary
from agent.storage.message import Kind, Message
from agent.system.uuid7 import uuid7
from agent.utc import format_utc

SCHEMA_VERSION = 1


class Presence(StrEnum):
    """What a gateway's retained status says."""

    ONLINE = "online"
    OFFLINE = "offline"
    """The last will: the broker lost the gateway."""
    STOPPED = "stopped"
    """The gateway said goodbye."""


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


def health_message(sensor: str, at: datetime, figures: Mapping[str, Any], gateway: GatewayName) -> Message:
    """Return the message of a health report, with a new id.

    Args:
        sensor: Which sensor is being watched.
        at: UTC time of the figures.
        figures: How well, as JSON types (see ``figures.ON_WIRE``).
        gateway: Who reports.
    """
    body = {"at": format_utc(at), **figures}
    return _message(str(uuid7(at)), Kind.HEALTH, gateway, sensor, at, body)


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
