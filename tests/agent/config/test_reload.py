"""What may change while the daemon runs, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config.file import Config, parse_config
from agent.config.reload import changes, refusals

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
