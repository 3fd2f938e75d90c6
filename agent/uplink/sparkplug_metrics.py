"""Which metrics a device of Sparkplug has: the fields of judder's messages, named ``KIND/FIELD``."""

from __future__ import annotations

import json
from collections.abc import Mapping

from agent.storage.message import Kind, Message
from agent.uplink.figures import ON_WIRE
from agent.uplink.sparkplug_payload import DataType, Metric

DOCUMENT = "document"
"""The whole message, as in docs/uplink; of an alert, for its statistics and contributions."""

_DATATYPES = {
    str: DataType.STRING,
    float: DataType.DOUBLE,
    int: DataType.INT64,
    bool: DataType.BOOLEAN,
}

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
    Kind.HEALTH: {name: _DATATYPES[figure.wire] for name, figure in ON_WIRE.items() if figure.wire},
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
