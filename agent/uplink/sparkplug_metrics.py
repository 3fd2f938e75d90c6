"""Which metrics a device of Sparkplug has: the fields of judder's messages, named ``KIND/FIELD``."""

from __future__ import annotations

import json
from collections.abc import Mapping

from agent.storage.message import Kind, Message
from agent.uplink.sparkplug_payload import DataType, Metric

DOCUMENT = "document"
"""The whole message, as in docs/uplink; of an alert, for its statistics and contributions."""

FIELDS: Mapping[Kind, Mapping[str, DataType]] = {
    Kind.ALERT: {
        "message_id": DataType.STRING,
        "alert_id": DataType.STRING,
        "change": DataType.STRING,
        "level": DataType.STRING,
        "subject": DataType.STRING,
        "reason": DataType.STRING,
        "score": DataType.DOUBLE,
        "threshold": DataType.DOUBLE,
        "part": DataType.STRING,
        "rule": DataType.STRING,
        "windows": DataType.INT64,
        "model": DataType.STRING,
        "simulated": DataType.BOOLEAN,
        DOCUMENT: DataType.STRING,
    },
    Kind.HEALTH: {
        "sensor_state": DataType.STRING,
        "rate_hz": DataType.DOUBLE,
        "samples": DataType.INT64,
        "samples_lost": DataType.INT64,
        "windows_scored": DataType.INT64,
        "windows_skipped_gap": DataType.INT64,
        "windows_skipped_late": DataType.INT64,
        "windows_bad": DataType.INT64,
        "windows_outside": DataType.INT64,
        "regime": DataType.STRING,
        "temperature_c": DataType.DOUBLE,
        "simulated": DataType.BOOLEAN,
    },
    Kind.SCORE: {
        "from": DataType.STRING,
        "to": DataType.STRING,
        "windows": DataType.INT64,
        "score_max": DataType.DOUBLE,
        "score_median": DataType.DOUBLE,
        "level": DataType.STRING,
        "simulated": DataType.BOOLEAN,
    },
}


def metrics_of(message: Message, *, historical: bool) -> list[Metric]:
    """Return the metrics that a message tells."""
    document = json.loads(message.payload) | {DOCUMENT: message.payload.decode()}
    return [
        Metric(f"{message.kind}/{name}", datatype, document.get(name), message.created_at, historical)
        for name, datatype in FIELDS[message.kind].items()
    ]


def names() -> Mapping[str, DataType]:
    """Return the type of every metric of a device, by name."""
    return {
        f"{kind}/{name}": datatype for kind, fields in FIELDS.items() for name, datatype in fields.items()
    }
