"""The commands that ask the running daemon: what they send, what they print, how they end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli.main import main
from agent.control.commands import Commands, Json
from agent.control.socket import ControlServer
from agent.errors import ControlError

CONFIG = """
state_dir = "."
runtime_dir = "."
[gateway]
site = "plant-1"
name = "gw-3"
[sensors.press]
bus = "/dev/i2c-250"
rate_hz = 800
bundle = "easy-1.judder"
"""
SENSOR: dict[str, Any] = {
    "sensor": "press",
    "simulated": False,
    "model": "pump-1.0.0",
    "regimes": None,
    "regime": None,
    "state": "sampling",
    "error": None,
    "chip": "adxl345",
    "bus": "/dev/i2c-1",
    "rate_hz": 799.5,
    "samples": 48000,
    "samples_lost": 32,
    "temperature_c": None,
    "thresholds": {"warning": {"score": 2.5, "method": "rate:0.005"}, "alarm": {"score": 3, "method": "ada"}},
    "level": "normal",
    "unwatched_since": None,
    "alert_id": None,
    "sensor_alert_id": None,
    "score": 0.25,
    "evidence": None,
    "windows_scored": 90,
    "windows_skipped_gap": 2,
    "windows_skipped_late": 1,
    "windows_bad": 4,
    "windows_outside": 0,
    "alerts_in_memory": 0,
}
STATUS: dict[str, Any] = {
    "version": "0.1.0",
    "site": "plant-1",
    "gateway": "gw-3",
    "started_at": "2026-03-01T12:00:00.000000Z",
    "sensors": [SENSOR],
    "store": {"error": None, "quarantined": None},
    "uplink": None,
    "outbox": {"messages": 0, "set_aside": 0, "dropped": 0},
}


class Daemon:
    """Answers every command as the test says, and keeps what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {}
        names = ("status", "metrics", "acknowledge", "threshold", "capture", "regime", "reload")
        commands = Commands("control socket", {name: self._handler(name) for name in names})
        self.server = ControlServer(folder / "control.sock", commands)
        self.config = folder / "judder.toml"
        self.config.write_text(CONFIG, encoding="ascii")

    def _handler(self, name: str) -> Callable[[Mapping[str, Any]], Json]:
        def answer(arguments: Mapping[str, Any]) -> Json:
            self.asked.append((name, dict(arguments)))
            if isinstance(self.answers[name], Exception):
                raise self.answers[name]
            result: Json = self.answers[name]
            return result

        return answer

    def hears(self, *command: str) -> Result:
        return CliRunner().invoke(main, [*command, "--config", str(self.config)])

    def status(self, sensor: dict[str, Any] | None = None, **parts: Any) -> list[str]:
        """Return the lines of ``judder status``, from another state of the sensor or of the rest."""
        self.answers["status"] = STATUS | parts | {"sensors": [SENSOR | (sensor or {})]}
        result = self.hears("status")
        assert result.exit_code == 0, result.output
        return result.output.splitlines()


BLIND = {
    "state": "failed",
    "error": "no answer; check wiring",
    "level": None,
    "unwatched_since": "2026-03-01T12:30:00.000000Z",
    "sensor_alert_id": "0199c000-0001",
    "score": None,
    "evidence": 0.4,
}
"""What is told otherwise of a sensor that delivers nothing."""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path)
    with daemon.server:
        yield daemon


def test_the_status_of_a_gateway_that_is_well(daemon: Daemon) -> None:
    assert daemon.status() == [
        "judder 0.1.0  plant-1/gw-3  since 2026-03-01T12:00:00.000000Z",
        "sensor    press: NORMAL, score 0.25",
        "          adxl345 on /dev/i2c-1, sampling, 799.5 Hz, 48000 samples, 32 lost",
        "          90 windows scored by pump-1.0.0, not scored: 2 for gaps, 1 late, 4 bad",
        "          warning 2.50 (rate:0.005), alarm 3.00 (ada)",
        "uplink    none: alerts stay on this gateway",
    ]


@pytest.mark.parametrize(
    ("sensor", "line"),
    [
        ({"score": None}, "sensor    press: NORMAL, no window yet"),
        ({"evidence": 0.4}, "sensor    press: NORMAL, score 0.25, evidence over windows 40% of a warning"),
        (
            {"level": "alarm", "alert_id": "0199", "simulated": True},
            "sensor    press: ALARM, score 0.25  alert 0199  SIMULATED",
        ),
        ({"sensor_alert_id": "0200"}, "sensor    press: NORMAL, score 0.25  sensor alert 0200"),
        (
            {"chip": None, "bus": None, "state": "starting", "rate_hz": 0.0, "samples": 0, "samples_lost": 0},
            "          not opened yet on -, starting, 0.0 Hz, 0 samples, 0 lost",
        ),
        (
            {"temperature_c": 31.25},
            "          adxl345 on /dev/i2c-1, sampling, 799.5 Hz, 48000 samples, 32 lost, 31.2 °C",
        ),
        (
            {"regimes": ["slow", "fast"], "windows_outside": 7},
            "          regime none of slow, fast; not scored: 7 outside all, or in a transition",
        ),
        ({"alerts_in_memory": 3}, "          3 alerts in memory that the disk does not take"),
        ({"state": "failed", "error": "no answer; check wiring"}, "          no answer; check wiring"),
    ],
)
def test_the_status_of_a_sensor(daemon: Daemon, sensor: dict[str, Any], line: str) -> None:
    assert line in daemon.status(sensor)


@pytest.mark.parametrize(
    ("sensor", "line"),
    [
        ({}, "NOT WATCHED since 2026-03-01 12:30:00Z  press  sensor alert 0199c000-0001"),
        ({"sensor_alert_id": None}, "NOT WATCHED since 2026-03-01 12:30:00Z  press"),
        (
            {"alert_id": "0199", "simulated": True},
            "NOT WATCHED since 2026-03-01 12:30:00Z  press  sensor alert 0199c000-0001"
            "  alert 0199 still open  SIMULATED",
        ),
    ],
)
def test_a_machine_that_is_not_watched(daemon: Daemon, sensor: dict[str, Any], line: str) -> None:
    daemon.answers["status"] = STATUS | {"sensors": [SENSOR | {"sensor": "fan"}, SENSOR | BLIND | sensor]}
    result = daemon.hears("status")
    assert result.exit_code == 3
    lines = result.output.splitlines()
    assert line in lines
    assert "          no answer; check wiring" in lines
    assert [line for line in lines if "score 0.25" in line] == ["sensor    fan: NORMAL, score 0.25"]
    assert daemon.hears("status", "--json").exit_code == 3


def test_the_status_of_store_and_uplink(daemon: Daemon) -> None:
    uplink = {"broker": "broker:1883", "connected": True, "last_error": "old", "published": 12}
    outbox = {"messages": 5, "set_aside": 2, "dropped": 1}
    store = {"error": "disk full; free space", "quarantined": "/s/judder.db.corrupt-x"}
    assert daemon.status(uplink=uplink, outbox=outbox, store=store)[-4:] == [
        "store     CANNOT BE WRITTEN: disk full; free space",
        "store     a damaged one was set aside: /s/judder.db.corrupt-x",
        "uplink    broker:1883 connected, 12 messages delivered",
        "outbox    5 waiting, 2 refused by the broker and set aside, 1 dropped",
    ]
    lost = uplink | {"connected": False, "last_error": "connection refused"}
    assert daemon.status(uplink=lost)[-2:] == [
        "uplink    broker:1883 not connected: connection refused, 12 messages delivered",
        "outbox    0 waiting, 0 dropped",
    ]


def test_the_status_for_programs(daemon: Daemon) -> None:
    daemon.answers |= {"status": STATUS, "metrics": "judder_up 1\n"}
    assert json.loads(daemon.hears("status", "--json").output) == STATUS
    assert daemon.hears("status", "--prometheus").output == "judder_up 1\n"


THRESHOLDS = {"sensor": "press", "warning": 3.0, "alarm": 4.5, "method": "set by ada"}


@pytest.mark.parametrize(
    ("command", "sent", "answer", "printed"),
    [
        (
            ["acknowledge", "0199", "--by", "ada"],
            ("acknowledge", {"alert_id": "0199", "by": "ada"}),
            {"alert_id": "0199c000"},
            "acknowledged 0199c000",
        ),
        (
            ["threshold", "press", "--warning", "3", "--alarm", "4.5", "--by", "ada"],
            ("threshold", {"sensor": "press", "warning": 3.0, "alarm": 4.5, "by": "ada"}),
            THRESHOLDS,
            "press: warning 3.00, alarm 4.50 (set by ada)",
        ),
        (
            ["threshold", "press", "--reset"],
            ("threshold", {"sensor": "press"}),
            THRESHOLDS | {"method": "rate:0.001"},
            "press: warning 3.00, alarm 4.50 (rate:0.001)",
        ),
        (
            ["regime", "press", "fast", "--by", "plc"],
            ("regime", {"sensor": "press", "regime": "fast", "by": "plc"}),
            {"sensor": "press", "regime": "fast"},
            "press: fast",
        ),
        (
            ["regime", "press", "--none", "--by", "plc"],
            ("regime", {"sensor": "press", "regime": None, "by": "plc"}),
            {"sensor": "press", "regime": None},
            "press: in no regime; nothing is scored",
        ),
        (["config", "reload"], ("reload", {}), {"changed": []}, "reloaded: no change"),
        (
            ["config", "reload"],
            ("reload", {}),
            {"changed": ["uplink", "sensors.press.alarm"]},
            "reloaded: uplink, sensors.press.alarm",
        ),
    ],
)
def test_what_is_sent_and_what_is_printed(
    daemon: Daemon, command: list[str], sent: tuple[str, dict[str, Any]], answer: object, printed: str
) -> None:
    daemon.answers[sent[0]] = answer
    result = daemon.hears(*command)
    assert (result.exit_code, result.output) == (0, f"{printed}\n")
    assert daemon.asked == [sent]


def test_a_capture_is_told_with_its_folder(daemon: Daemon) -> None:
    daemon.answers["capture"] = {"sensor": "press", "file": "20260301T120000Z-press-asked.wav"}
    result = daemon.hears("capture", "press", "--by", "ada")
    folder = daemon.config.parent / "evidence"
    assert result.output == f"{folder}/20260301T120000Z-press-asked.wav\n"
    assert daemon.asked == [("capture", {"sensor": "press", "by": "ada"})]


def test_who_does_not_say_his_name_is_known_by_his_account(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    daemon.answers["acknowledge"] = {"alert_id": "0199"}
    daemon.hears("acknowledge", "0199")
    assert daemon.asked[0][1]["by"] == "grace"


@pytest.mark.parametrize(
    "command",
    [
        ["acknowledge", "0199"],
        ["threshold", "press", "--reset"],
        ["capture", "press"],
        ["regime", "press", "--none"],
        ["config", "reload"],
        ["status"],
    ],
)
def test_a_refusal_is_one_line_and_exits_with_one(daemon: Daemon, command: list[str]) -> None:
    name = "reload" if command[0] == "config" else command[0]
    daemon.answers[name] = ControlError("not today; try tomorrow")
    result = daemon.hears(*command)
    assert (result.exit_code, result.output) == (1, "Error: not today; try tomorrow\n")


@pytest.mark.parametrize(
    "command",
    [
        ["regime", "press"],
        ["regime", "press", "fast", "--none"],
        ["threshold", "press", "--warning", "three", "--alarm", "4"],
        ["acknowledge"],
        ["capture"],
        ["alerts", "--limit", "0"],
    ],
)
def test_wrong_usage_exits_with_two_and_asks_nobody(daemon: Daemon, command: list[str]) -> None:
    result = daemon.hears(*command)
    assert (result.exit_code, "Usage: " in result.output) == (2, True)
    assert daemon.asked == []
