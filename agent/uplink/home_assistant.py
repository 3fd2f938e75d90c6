"""What Home Assistant is messages, so that a gateway's sensors appear by themselves.

Source: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery. The messages are retained.
"""

from __future__ import annotations

import json
from typing import Any

from agent.config.names import GatewayName
from agent.storage.message import Kind
from agent.uplink.messages import status_topic, topic_of

PREFIX = "homeassistant"


def discovery(gateway: GatewayName, sensor: str, *, version: str) -> dict[str, bytes]:
    """Return the discovery messages of one sensor, payload by topic.

    Args:
        gateway: Whose sensor.
        sensor: Its name in the configuration.
        version: Version of judder.
    """
    scores, health = topic_of(gateway, sensor, Kind.SCORE), topic_of(gateway, sensor, Kind.HEALTH)
    entities: dict[tuple[str, str], dict[str, Any]] = {
        ("sensor", "score"): {
            "state_topic": scores,
            "value_template": "{{ value_json.score_max }}",
            "json_attributes_topic": scores,
            "state_class": "measurement",
            "unit_of_measurement": "σ",
        },
        ("binary_sensor", "problem"): {
            "state_topic": scores,
            "value_template": "{{ 'OFF' if value_json.level == 'normal' else 'ON' }}",
            "device_class": "problem",
        },
        ("sensor", "state"): {
            "state_topic": health,
            "value_template": "{{ value_json.sensor_state }}",
            "entity_category": "diagnostic",
        },
    }
    common = _common(gateway, version)
    messages = {}
    for (component, name), entity in entities.items():
        unique = f"judder_{gateway.site}_{gateway.name}_{sensor}_{name}"
        document = {"name": f"{sensor} {name}", "unique_id": unique, **entity, **common}
        messages[f"{PREFIX}/{component}/{unique}/config"] = json.dumps(document, ensure_ascii=False).encode()
    return messages


def _common(gateway: GatewayName, version: str) -> dict[str, Any]:
    return {
        "availability_topic": status_topic(gateway),
        "availability_template": "{{ 'online' if value_json.status == 'online' else 'offline' }}",
        "device": {
            "identifiers": [f"judder_{gateway.site}_{gateway.name}"],
            "name": f"judder {gateway.site} {gateway.name}",
            "manufacturer": "judder",
            "sw_version": version,
        },
    }
