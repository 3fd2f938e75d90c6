"""What may change while the daemon runs, and what is refused."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from agent.config.alarm import AlarmPolicy
from agent.config.file import Config, parse_config
from agent.config.names import GatewayName
from agent.config.reload import changes, refusals
from agent.config.reporting import Metrics, TelemetryIntervals
from agent.config.sensor import Ensemble, Sensor
from agent.config.storage import HistoryLimits, OutboxLimits
from agent.config.uplink import BrokerSettings
from agent.config.waveforms import WaveformSettings

BASE = """
[gateway]
site = "plant-1"
name = "gw-3"
[sensors.press]
bus = "/dev/i2c-1"
rate_hz = 800
bundle = "press-1.judder"
[uplink]
host = "broker"
"""


def config(text: str) -> Config:
    return parse_config(text, Path("/etc/judder/judder.toml"))


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("", "", []),
        ('host = "broker"', 'host = "other"\nkeepalive_s = 30', ["uplink"]),
        ("[uplink]", "[telemetry]\nscore_interval_s = 1\n[uplink]", ["telemetry"]),
        ("[uplink]", '[metrics]\nlisten = "127.0.0.1:9110"\n[uplink]', ["metrics"]),
        ("rate_hz = 800", "rate_hz = 800\nalarm = {k = 3, n = 5}", ["sensors.press.alarm"]),
    ],
)
def test_what_is_safe_is_taken(old: str, new: str, changed: list[str]) -> None:
    running, wanted = config(BASE), config(BASE.replace(old, new))
    assert refusals(running, wanted) == []
    assert changes(running, wanted) == changed


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('"gw-3"', '"gw-4"', "gateway"),
        ("[gateway]", 'state_dir = "/data"\n[gateway]', "state_dir"),
        ("rate_hz = 800", "rate_hz = 400", "sensors.press.rate_hz"),
        ("press-1", "press-2", "sensors.press.bundle"),
        ("[sensors.press]", "[sensors.pump]", "sensors.press"),
        ('[uplink]\nhost = "broker"', "", "uplink"),
        ("[uplink]", "[history]\ncleared_alerts = 5\n[uplink]", "history"),
    ],
)
def test_what_is_not_safe_is_refused_by_its_key(old: str, new: str, key: str) -> None:
    found = refusals(config(BASE), config(BASE.replace(old, new)))
    assert found[0] == f"{key} has changed; that needs 'systemctl restart judder'"


def test_every_refusal_is_told() -> None:
    wanted = config(BASE.replace('"gw-3"', '"gw-4"').replace("800", "400").replace("press-1", "press-2"))
    assert len(refusals(config(BASE), wanted)) == 3


OTHER: dict[str, Any] = {
    "gateway": GatewayName("plant-1", "gw-4"),
    "uplink": BrokerSettings("other"),
    "telemetry": TelemetryIntervals(score_interval_s=1.0),
    "outbox": OutboxLimits(messages=500),
    "history": HistoryLimits(cleared_alerts=5),
    "metrics": Metrics("127.0.0.1:9110"),
    "evidence": WaveformSettings(max_mb=0.0),
    "state_dir": Path("/data"),
    "runtime_dir": Path("/tmp"),
    "trusted_keys": ("0" * 64,),
}
"""Another value for each field of the configuration, but for the sensors."""
OTHER_SENSOR: dict[str, Any] = {
    "bus": "/dev/i2c-2",
    "rate_hz": 400.0,
    "bundle": Path("/etc/judder/press-2.judder"),
    "chip": "lis3dh",
    "address": 0x1D,
    "range_g": 8.0,
    "bus_speed_hz": 1e5,
    "alarm": AlarmPolicy(k=3, n=5),
    "ensemble": Ensemble((Path("b.judder"),)),
}
"""The same for each field of a sensor on a real bus."""
NOT_ON_A_REAL_BUS = {"signal", "faults", "regimes"}
TAKEN = ["alarm", "metrics", "telemetry", "uplink"]
"""What may change, by docs/operations.md."""


def test_every_field_has_another_value_here() -> None:
    assert {field.name for field in fields(Config)} == OTHER.keys() | {"sensors"}
    assert {field.name for field in fields(Sensor)} == OTHER_SENSOR.keys() | NOT_ON_A_REAL_BUS


@pytest.mark.parametrize("name", OTHER)
def test_each_field_is_taken_or_refused(name: str) -> None:
    running = config(BASE)
    wanted = replace(running, **{name: OTHER[name]})
    refused = [f"{name} has changed; that needs 'systemctl restart judder'"]
    assert refusals(running, wanted) == ([] if name in TAKEN else refused)
    assert changes(running, wanted) == ([name] if name in TAKEN else [])


@pytest.mark.parametrize("name", OTHER_SENSOR)
def test_each_field_of_a_sensor_is_taken_or_refused(name: str) -> None:
    running = config(BASE)
    sensor = replace(running.sensors["press"], **{name: OTHER_SENSOR[name]})
    wanted = replace(running, sensors={"press": sensor})
    place = f"sensors.press.{name}"
    refused = [f"{place} has changed; that needs 'systemctl restart judder'"]
    assert refusals(running, wanted) == ([] if name in TAKEN else refused)
    assert changes(running, wanted) == ([place] if name in TAKEN else [])


@pytest.mark.parametrize("back", [False, True])
def test_sensors_and_uplink_neither_come_nor_go(back: bool) -> None:
    small = config(BASE.replace('[uplink]\nhost = "broker"', ""))
    press = small.sensors["press"]
    large = replace(config(BASE), sensors={"press": press, "fan": press})
    running, wanted = (large, small) if back else (small, large)
    assert [refusal.split()[0] for refusal in refusals(running, wanted)] == ["sensors.fan", "uplink"]
