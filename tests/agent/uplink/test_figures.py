"""The table of figures against the parts that it reads, and what is made from it for one sensor."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from agent.config.names import GatewayName
from agent.inference.scoring import Level, Threshold, Thresholds
from agent.judging.monitor import MonitorStatus
from agent.judging.score_history import ScoreSample
from agent.reporting.metrics import AlertCounter, exposition, gateway_metrics
from agent.sensing.sampler import SamplerStatus, SensorState
from agent.station import Station
from agent.storage.alerts import AlertStore
from agent.storage.outbox import Total
from agent.uplink.connection import UplinkStatus
from agent.uplink.figures import MONITOR, ON_WIRE, OUTBOX, SAMPLER, UPLINK, Figure
from agent.uplink.messages import health_message

SCHEMA = Path(__file__).parents[3] / "docs" / "uplink" / "health.schema.json"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
THRESHOLDS = Thresholds(Threshold(3.5, "bundle"), Threshold(5.5, "person"))
SAMPLING = SamplerStatus(SensorState.SAMPLING, rate_hz=799.5, samples=4800, temperature_c=31.5)
JUDGED = MonitorStatus(
    level=Level.ALARM,
    unwatched_since=None,
    evidence=0.4,
    alert_id="0199c000-0000-7000-8000-000000000002",
    sensor_alert_id=None,
    thresholds=THRESHOLDS,
    score=5.75,
    scored_at=AT,
    delay_s=0.25,
    windows_scored=90,
    windows_skipped_gap=2,
    windows_skipped_late=1,
    waiting=3,
    windows_bad=4,
    windows_outside=5,
    regime="fast",
)


def station(sampler: SamplerStatus, monitor: MonitorStatus) -> Station:
    parts: dict[str, Any] = {
        "sampler": SimpleNamespace(status=lambda: sampler),
        "ring": SimpleNamespace(),
        "monitor": SimpleNamespace(status=lambda: monitor, scores=lambda: ScoreSample((1.0,), 1, 1.0)),
        "regimes": SimpleNamespace(regimes={"slow": 0, "fast": 1}),
    }
    return Station("press", "pump-1.0.0", THRESHOLDS, simulated=True, **parts)


@pytest.mark.parametrize(
    ("part", "figures", "untold"),
    [
        (SamplerStatus, SAMPLER, {"info", "last_error", "silent_since_ns"}),
        (MonitorStatus, MONITOR, {"waiting"}),
        (Total, OUTBOX, set()),
        (UplinkStatus, UPLINK, set()),
    ],
)
def test_what_a_part_knows_is_told(part: type, figures: tuple[Figure, ...], untold: set[str]) -> None:
    names = [figure.name for figure in figures]
    assert len(names) == len(set(names))
    assert {field.name for field in fields(part)} - set(names) == untold


def test_the_status_of_a_sensor() -> None:
    status = json.loads(json.dumps(station(SAMPLING, JUDGED).status()))
    assert (status["sensor"], status["state"], status["level"]) == ("press", "sampling", "alarm")
    assert (status["chip"], status["alerts_in_memory"]) == (None, 3)
    assert status["scored_at"] == "2026-03-01T12:00:00.000000Z"
    assert status["thresholds"]["alarm"] == {"score": 5.5, "method": "person"}
    assert (status["regime"], status["regimes"]) == ("fast", ["slow", "fast"])


def test_a_machine_that_is_not_watched_has_no_level(store: AlertStore) -> None:
    blind = replace(JUDGED, unwatched_since=AT, score=None, scored_at=None, delay_s=None)
    status = json.loads(json.dumps(station(SAMPLING, blind).status()))
    assert (status["level"], status["score"]) == (None, None)
    assert status["unwatched_since"] == "2026-03-01T12:00:00.000000Z"
    stations = [replace(station(SAMPLING, blind), name="fan"), station(SAMPLING, JUDGED)]
    text = exposition(gateway_metrics(stations, store, None, AlertCounter(), started=AT, now=AT))
    levels = [line for line in text.splitlines() if line.startswith("judder_alarm_level")]
    assert levels == ['judder_alarm_level{sensor="press"} 2.0']


@pytest.mark.parametrize("sampler", [SAMPLING, SamplerStatus()])
@pytest.mark.parametrize("monitor", [JUDGED, replace(JUDGED, regime=None)])
def test_the_health_of_a_sensor_has_the_fields_and_types_that_are_published(
    sampler: SamplerStatus, monitor: MonitorStatus
) -> None:
    health = station(sampler, monitor).health()
    for name, figure in ON_WIRE.items():
        assert figure.wire
        assert health[name] is None or type(health[name]) is figure.wire, name
    payload = json.loads(health_message("press", AT, health, GatewayName("plant", "gw")).payload)
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator(schema).validate(payload)
    assert payload.keys() == schema["properties"].keys()


def test_prometheus_has_a_family_a_figure_and_leaves_out_what_has_no_value(store: AlertStore) -> None:
    stations = [station(SamplerStatus(), replace(JUDGED, delay_s=None)), station(SAMPLING, JUDGED)]
    stations = [replace(part, name=name) for part, name in zip(stations, ("fan", "press"), strict=True)]
    text = exposition(gateway_metrics(stations, store, None, AlertCounter(), started=AT, now=AT))
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("judder_sensor_up")] == [
        'judder_sensor_up{sensor="fan"} 0.0',
        'judder_sensor_up{sensor="press"} 1.0',
    ]
    assert {line for line in lines if line.startswith(("judder_score_delay", "judder_sensor_temp"))} == {
        'judder_score_delay_seconds{sensor="press"} 0.25',
        'judder_sensor_temperature_celsius{sensor="press"} 31.5',
    }
    assert text.count("# TYPE judder_windows_total counter\n") == 1
    assert 'judder_windows_total{sensor="press",result="late"} 1.0' in lines
    assert 'judder_regime{sensor="press",regime="slow"} 0.0' in lines
    assert 'judder_alarm_level{sensor="press"} 2.0' in lines
    assert "judder_store_writable 1.0" in lines
    assert "judder_uplink" not in text
