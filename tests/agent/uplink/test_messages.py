"""The wire format against its published schemas, and the round trip of an alert event."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agent.config.names import GatewayName
from agent.inference.explanation import AxisStatistics, Contribution
from agent.inference.scoring import Level
from agent.judging.alert import AlertEvent, Change, Rule, Subject, event_from_json, event_to_json
from agent.judging.summary import ScoreSummary
from agent.storage.message import Kind, Message
from agent.uplink.messages import (
    Presence,
    alert_message,
    health_message,
    score_message,
    status_payload,
    status_topic,
)
from agent.utc import format_utc, parse_utc

DOCS = Path(__file__).parents[3] / "docs" / "uplink"
GATEWAY = GatewayName("plant-7", "pump_house")
AT = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
EVENT = AlertEvent(
    event_id="0199c000-0000-7000-8000-000000000001",
    alert_id="0199c000-0000-7000-8000-000000000002",
    sensor="motor",
    change=Change.RAISED,
    level=Level.WARNING,
    at=AT,
    score=4.25,
    threshold=3.5,
    part="spectrum",
    statistics=(AxisStatistics("x", 0.5, 1.5, 3.0, 2.9),),
    contributions=(Contribution("x 118-143 Hz", 0.75),),
    model="pump-1.0.0",
    simulated=True,
    windows=3,
)
SUMMARY = ScoreSummary("motor", AT - timedelta(minutes=1), AT, 60, 2.5, 0.1, Level.NORMAL, simulated=False)
HEALTH = {
    "sensor_state": "sampling",
    "rate_hz": 799.5,
    "samples": 48_000,
    "samples_lost": 32,
    "windows_scored": 90,
    "windows_skipped_gap": 2,
    "windows_skipped_late": 1,
    "windows_bad": 0,
    "windows_outside": 0,
    "regime": None,
    "temperature_c": None,
    "simulated": False,
}


def schema(kind: str) -> Any:
    return json.loads((DOCS / f"{kind}.schema.json").read_text())


def assert_valid(kind: str, payload: bytes) -> dict[str, Any]:
    """Check a payload against its schema, and that the schema describes every field of it."""
    document: dict[str, Any] = json.loads(payload)
    Draft202012Validator(schema(kind)).validate(document)
    assert document.keys() == schema(kind)["properties"].keys()
    return document


finite = st.floats(allow_nan=False, allow_infinity=False)
names = st.from_regex("[A-Za-z0-9_-]{1,64}", fullmatch=True)
times = st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC))
uuids = st.uuids(version=4).map(str)
events = st.builds(
    AlertEvent,
    event_id=uuids,
    alert_id=uuids,
    sensor=names,
    change=st.sampled_from(Change),
    level=st.sampled_from([Level.WARNING, Level.ALARM]),
    at=times,
    score=finite,
    threshold=finite,
    part=st.text(max_size=20),
    statistics=st.lists(st.builds(AxisStatistics, st.text(), finite, finite, finite, finite), max_size=3).map(
        tuple
    ),
    contributions=st.lists(st.builds(Contribution, st.text(), finite), max_size=3).map(tuple),
    model=st.text(max_size=20),
    simulated=st.booleans(),
    subject=st.sampled_from(Subject),
    reason=st.text(max_size=20),
    rule=st.none() | st.sampled_from(Rule),
    windows=st.integers(0, 2**53),
)


@given(events)
def test_an_event_survives_json(event: AlertEvent) -> None:
    assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event


def test_the_alert_of_a_sensor() -> None:
    event = replace(EVENT, part="sensor", subject=Subject.SENSOR, reason="no answer; check wiring", rule=None)
    payload = json.loads(alert_message(event, GATEWAY).payload)
    assert (payload["subject"], payload["reason"]) == ("sensor", "no answer; check wiring")
    assert payload["rule"] is None
    Draft202012Validator(schema("alert")).validate(payload)
    assert event_from_json(payload) == event


def test_an_event_stored_before_sensors_had_alerts_is_of_a_machine() -> None:
    document = event_to_json(EVENT)
    del document["subject"], document["reason"], document["rule"], document["windows"]
    assert event_from_json(document) == replace(EVENT, windows=0)


def test_an_event_stored_before_there_were_two_rules_is_of_k_in_n_or_of_a_sensor() -> None:
    machine, sensor = (event_to_json(replace(EVENT, subject=subject)) for subject in Subject)
    del machine["rule"], sensor["rule"]
    assert (event_from_json(machine).rule, event_from_json(sensor).rule) == (Rule.K_OF_N, None)


def test_an_alert_by_persistence_says_so() -> None:
    event = replace(EVENT, rule=Rule.PERSISTENCE, windows=412, score=1.4)
    document = assert_valid("alert", alert_message(event, GATEWAY).payload)
    assert (document["rule"], document["windows"]) == ("persistence", 412)


def test_an_event_can_be_read_from_its_payload() -> None:
    assert event_from_json(json.loads(alert_message(EVENT, GATEWAY).payload)) == EVENT


@pytest.mark.parametrize("field", ["message_id", "change", "level", "at", "statistics"])
def test_an_event_with_a_missing_field_is_refused(field: str) -> None:
    document = event_to_json(EVENT)
    del document[field]
    with pytest.raises(ValueError, match=f"not an alert event: .*{field}"):
        event_from_json(document)


@pytest.mark.parametrize("field", ["change", "level", "at", "statistics", "score"])
def test_an_event_with_a_wrong_field_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match="not an alert event"):
        event_from_json(event_to_json(EVENT) | {field: [7]})


def test_an_alert_message() -> None:
    message = alert_message(EVENT, GATEWAY)
    assert message.message_id == "0199c000-0000-7000-8000-000000000001"
    assert message.kind is Kind.ALERT
    assert message.topic == "judder/v1/plant-7/pump_house/motor/alert"
    document = assert_valid("alert", message.payload)
    assert document["message_id"] == message.message_id
    assert document["at"] == "2026-03-01T12:00:00.250000Z"
    assert document["level"] == "warning"
    assert document["statistics"] == [
        {"axis": "x", "rms_g": 0.5, "peak_g": 1.5, "crest_factor": 3.0, "kurtosis": 2.9}
    ]
    assert document["simulated"] is True


def test_a_score_message() -> None:
    message = score_message(SUMMARY, GATEWAY)
    assert message.topic == "judder/v1/plant-7/pump_house/motor/score"
    document = assert_valid("score", message.payload)
    assert document["from"] == "2026-03-01T11:59:00.250000Z"
    assert document["to"] == "2026-03-01T12:00:00.250000Z"
    assert document["level"] == "normal"


def test_a_health_message() -> None:
    message = health_message("motor", AT, HEALTH, GATEWAY)
    assert message.topic == "judder/v1/plant-7/pump_house/motor/health"
    document = assert_valid("health", message.payload)
    assert (document["samples"], document["samples_lost"], document["rate_hz"]) == (48_000, 32, 799.5)


@pytest.mark.parametrize("presence", Presence)
def test_a_status(presence: Presence) -> None:
    assert status_topic(GATEWAY) == "judder/v1/plant-7/pump_house/status"
    document = assert_valid("status", status_payload(GATEWAY, presence, AT, version="0.1.0", simulated=False))
    assert document["status"] == presence.value


@pytest.mark.parametrize(
    "make", [lambda: score_message(SUMMARY, GATEWAY), lambda: health_message("motor", AT, HEALTH, GATEWAY)]
)
def test_each_telemetry_message_has_an_id_of_its_own(make: Callable[[], Message]) -> None:
    assert make().message_id != make().message_id


def test_payloads_are_compact() -> None:
    assert b'":' in score_message(SUMMARY, GATEWAY).payload
    assert b": " not in score_message(SUMMARY, GATEWAY).payload


def test_a_number_that_json_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        alert_message(dataclasses.replace(EVENT, score=float("nan")), GATEWAY)


def test_times_are_utc_and_sort_as_text() -> None:
    cet = timezone(timedelta(hours=1))
    assert format_utc(datetime(2026, 1, 1, 0, 30, tzinfo=cet)) == "2025-12-31T23:30:00.000000Z"
    assert format_utc(AT) < format_utc(AT + timedelta(microseconds=1))
    with pytest.raises(ValueError, match="no time zone"):
        format_utc(datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="no time zone"):
        parse_utc("2026-01-01T00:00:00")


@given(times)
def test_a_time_survives_text(at: datetime) -> None:
    assert parse_utc(format_utc(at)) == at


@pytest.mark.parametrize("kind", ["alert", "score", "health", "status", "command", "reply"])
def test_the_schemas_are_sound_and_the_asyncapi_document_names_them(kind: str) -> None:
    Draft202012Validator.check_schema(schema(kind))
    text = (DOCS / "asyncapi.yaml").read_text()
    place = "{site}/{gateway}/{sensor}" if kind in ("alert", "score", "health") else "{site}/{gateway}"
    assert f"address: judder/v1/{place}/{kind}\n" in text
    assert f"$ref: {kind}.schema.json\n" in text
