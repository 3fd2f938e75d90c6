"""Sparkplug without a broker: the metrics that it promises, its counters, its configuration."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent import assembly
from agent.config.file import parse_config
from agent.errors import ConfigError
from agent.storage.alerts import AlertStore
from agent.storage.message import Kind
from agent.uplink.sparkplug_births import Births
from agent.uplink.sparkplug_metrics import DOCUMENT, FIELDS, names
from agent.uplink.sparkplug_payload import DataType, Metric, asks, encode
from firmware_bridge.clock import SimulatedClock

DOCS = Path(__file__).parents[3] / "docs" / "uplink"
JSON_TYPES = {
    "string": DataType.STRING,
    "number": DataType.DOUBLE,
    "integer": DataType.INT64,
    "boolean": DataType.BOOLEAN,
}
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
REBIRTH = "Node Control/Rebirth"


def json_type(schema: dict[str, Any]) -> str:
    told = schema.get("type", "string") if "enum" in schema else schema["type"]
    return next(name for name in ([told] if isinstance(told, str) else told) if name != "null")


@pytest.mark.parametrize("kind", Kind)
def test_the_metrics_are_the_plain_fields_of_the_message_and_have_their_types(kind: Kind) -> None:
    """But those that topic and timestamp say; an alert's ``message_id`` tells copies apart."""
    properties = json.loads((DOCS / f"{kind}.schema.json").read_text())["properties"]
    elsewhere = {"schema", "site", "gateway", "sensor", "at"} | ({"message_id"} - FIELDS[kind].keys())
    types = {name: json_type(field) for name, field in properties.items() if name not in elsewhere}
    plain = {name: JSON_TYPES[told] for name, told in types.items() if told != "array"}
    assert {name: told for name, told in FIELDS[kind].items() if name != DOCUMENT} == plain


def test_only_an_alert_has_an_id_and_its_document() -> None:
    for name in ("message_id", DOCUMENT):
        assert [kind for kind in Kind if name in FIELDS[kind]] == [Kind.ALERT]
    assert len(names()) == sum(len(fields) for fields in FIELDS.values())


# Payload { timestamp 1, metrics [{ name "n", timestamp 2, datatype 4, long_value -1 }], seq 5 }: by hand from
# https://protobuf.dev/programming-guides/encoding; 58 is the key of the field 11, long_value.
def test_the_bytes_of_a_payload() -> None:
    second = datetime.fromtimestamp(0.002, UTC)
    metric = Metric("n", DataType.INT64, -1, second)
    encoded = encode(datetime.fromtimestamp(0.001, UTC), [metric], 5)
    assert encoded.hex() == "0801" + "1212" + "0a016e" + "1802" + "2004" + "58" + "ff" * 9 + "01" + "1805"


def test_what_asks_for_a_rebirth() -> None:
    def command(value: bool, name: str = REBIRTH) -> bytes:
        return encode(AT, [Metric(name, DataType.BOOLEAN, value, AT)], None)

    assert asks(command(True), REBIRTH)
    assert not asks(command(False), REBIRTH)
    assert not asks(command(True, "Node Control/Reboot"), REBIRTH)
    assert not asks(b"", REBIRTH)
    with pytest.raises(ValueError, match="not a payload of Sparkplug B"):
        asks(b"\xff", REBIRTH)


def test_births_are_counted_over_restarts_and_wrap(store: AlertStore) -> None:
    births = Births(store.database)
    assert [births.next() for _ in range(256)] == list(range(256))
    assert Births(store.database).next() == 0
    assert Births(store.database).next() == 1


def test_births_are_counted_without_a_disk(store: AlertStore) -> None:
    births = Births(store.database)
    assert births.next() == 0
    store.close()
    assert [births.next(), births.next()] == [1, 2]


CONFIG = """
[gateway]
site = "plant-1"
name = "gw-3"
[sensors.press]
bus = "/dev/i2c-1"
rate_hz = 800
bundle = "easy-1.judder"
[uplink]
host = "broker.example"
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("commands = true\n[uplink.sparkplug]", "uplink: 'commands' speaks JSON, and 'sparkplug'"),
        ("home_assistant = true\n[uplink.sparkplug]", "uplink: 'home_assistant' speaks JSON"),
        ('[uplink.sparkplug]\ngroup = "a/b"', "uplink.sparkplug.group = 'a/b': expected 1 to 64 characters"),
    ],
)
def test_mistakes(line: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(CONFIG + line, tmp_path / "judder.toml")
    assert expected in caught.value.problems[0]


def test_a_missing_library_is_told_with_the_way_to_install_it(
    tmp_path: Path, make_bundle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bundle()
    config = parse_config(CONFIG + "[uplink.sparkplug]\n", tmp_path / "judder.toml")
    assembly.prepare(config, SimulatedClock())
    monkeypatch.delitem(sys.modules, "agent.uplink.sparkplug_payload")
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    with pytest.raises(ConfigError, match=r"uplink\.sparkplug: .*pip install 'judder\[sparkplug\]'"):
        assembly.prepare(config, SimulatedClock())
