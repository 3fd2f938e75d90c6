"""Requests and replies, whichever door they come in by, and what the commands themselves refuse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agent.control.commands import Commands, Json
from agent.control.handlers import Handlers
from agent.errors import ControlError
from agent.inference.scoring import Threshold, Thresholds
from agent.judging.regime import CommandedRegime
from agent.reporting.metrics import AlertCounter
from agent.storage.alerts import AlertStore
from firmware_bridge.clock import SimulatedClock

DOCS = Path(__file__).parents[3] / "docs" / "uplink"
BUNDLE = Thresholds(Threshold(2.5, "rate:0.005"), Threshold(3.0, "rate:0.001"))


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((DOCS / f"{name}.schema.json").read_text()))


def echo(arguments: Mapping[str, Any]) -> Json:
    return dict(arguments)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["command", "id", "n"]), inner)
    ),
)


@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_in_gets_a_reply_as_published(request: bytes) -> None:
    reply = Commands("test", {"echo": echo}).answer(request)
    validator("reply").validate(json.loads(json.dumps(reply)))


@pytest.mark.parametrize("request_id", [7, "x" * 101, ["a"]])
def test_an_id_that_is_none_is_refused(request_id: object) -> None:
    reply = Commands("test", {"echo": echo}).answer(
        json.dumps({"command": "echo", "id": request_id}).encode()
    )
    assert reply == {"ok": False, "error": "'id' must be text of at most 100 characters"}


def test_the_id_is_not_an_argument() -> None:
    reply = Commands("test", {"echo": echo}).answer(b'{"command": "echo", "id": "a", "n": 1}')
    assert reply == {"ok": True, "result": {"n": 1}, "id": "a"}


def test_deep_nesting_is_malformed_and_no_crash() -> None:
    assert not Commands("test", {}).answer(b"[" * 100_000)["ok"]


class Monitor:
    """What the handlers ask of a monitor."""

    def __init__(self) -> None:
        self.adjusted: list[Thresholds] = []

    def adjust(self, thresholds: Thresholds, policy: object) -> None:
        self.adjusted.append(thresholds)


@pytest.fixture
def monitor() -> Monitor:
    return Monitor()


@pytest.fixture
def regimes() -> SimpleNamespace:
    return SimpleNamespace(commanded=CommandedRegime(None), regimes=("slow", "fast"))


@pytest.fixture
def commands(store: AlertStore, monitor: Monitor, regimes: SimpleNamespace) -> Commands:
    """Return the commands of a gateway that keeps no waveforms; ``press`` has regimes, ``pump`` none."""
    station: Any = SimpleNamespace(name="press", monitor=monitor, bundle_thresholds=BUNDLE, regimes=regimes)
    pump: Any = SimpleNamespace(name="pump", regimes=None)
    config: Any = SimpleNamespace(sensors={"press": SimpleNamespace(alarm=None)})
    handlers = Handlers(
        lambda: config,
        [station, pump],
        store,
        lambda: None,
        AlertCounter(),
        lambda sensor, label, note: Path(f"{sensor}-{label}.wav") if note == "asked for by ada" else None,
        SimulatedClock(),
    )
    return Commands("test", handlers.table())


GOOD = [
    {"command": "threshold", "sensor": "press", "warning": 3, "alarm": 4.5, "by": "ada"},
    {"command": "threshold", "sensor": "press"},
    {"command": "capture", "sensor": "press", "by": "ada"},
    {"command": "regime", "sensor": "press", "regime": "fast", "by": "plc"},
    {"command": "regime", "sensor": "press", "regime": None, "by": "plc"},
]
BAD = [
    ({"command": "threshold"}, "no sensor 'None'; known are press, pump"),
    ({"command": "threshold", "sensor": "press", "alarm": 4}, "threshold needs 'warning', a score from 0 to"),
    (
        {"command": "threshold", "sensor": "press", "warning": True, "alarm": 4, "by": "a"},
        "needs 'warning'",
    ),
    ({"command": "threshold", "sensor": "press", "warning": 1, "alarm": 41, "by": "a"}, "needs 'alarm'"),
    ({"command": "threshold", "sensor": "press", "warning": 1, "alarm": 2}, "threshold needs 'by'"),
    ({"command": "capture", "sensor": "press"}, "capture needs 'sensor' and 'by'"),
    ({"command": "regime", "sensor": "press", "by": "plc"}, "regime needs 'sensor', 'regime' and 'by'"),
    ({"command": "acknowledge", "alert_id": "01"}, "acknowledge needs 'alert_id' and 'by'"),
]


@pytest.mark.parametrize("request_", GOOD)
def test_a_good_command_is_as_published(commands: Commands, request_: dict[str, Any]) -> None:
    validator("command").validate(request_)
    assert commands.answer(json.dumps(request_).encode())["ok"]


@pytest.mark.parametrize(("request_", "told"), BAD)
def test_a_bad_command_says_what_it_needs(commands: Commands, request_: dict[str, Any], told: str) -> None:
    assert not validator("command").is_valid(request_)
    assert told in commands.answer(json.dumps(request_).encode())["error"]


def test_thresholds_are_set_kept_and_reset(commands: Commands, store: AlertStore, monitor: Monitor) -> None:
    commands.answer(json.dumps(GOOD[0]).encode())
    kept = store.overrides.of("press")
    assert kept is not None
    assert (kept.warning, kept.alarm, kept.set_by) == (3.0, 4.5, "ada")
    assert isinstance(kept.set_at, datetime)
    commands.answer(json.dumps(GOOD[1]).encode())
    assert store.overrides.of("press") is None
    assert [thresholds.warning.score for thresholds in monitor.adjusted] == [3.0, 2.5]


def test_a_regime_is_told_and_kept(commands: Commands, store: AlertStore, regimes: SimpleNamespace) -> None:
    commands.answer(json.dumps(GOOD[3]).encode())
    assert (regimes.commanded.name, store.regimes.of("press")) == ("fast", "fast")
    commands.answer(json.dumps(GOOD[4]).encode())
    assert (regimes.commanded.name, store.regimes.of("press")) == (None, None)


@pytest.mark.parametrize(
    ("sensor", "regime", "told"),
    [
        ("press", "warp", "no regime 'warp'; known are slow, fast"),
        ("press", 7, "no regime '7'; known are slow, fast"),
        ("pump", "fast", 'is not set by commands; set by = "command" in [sensors.pump.regimes]'),
    ],
)
def test_a_regime_that_is_none_is_refused(commands: Commands, sensor: str, regime: object, told: str) -> None:
    request = {"command": "regime", "sensor": sensor, "regime": regime, "by": "plc"}
    assert told in commands.answer(json.dumps(request).encode())["error"]


def test_no_waveforms_are_kept(commands: Commands) -> None:
    reply = commands.answer(b'{"command": "capture", "sensor": "press", "by": "bob"}')
    assert reply["error"] == "no waveforms are kept; set max_mb in [evidence]"


def test_an_error_of_ours_is_told(commands: Commands) -> None:
    def refuse(arguments: Mapping[str, Any]) -> Json:
        raise ControlError("not today")

    assert Commands("test", {"x": refuse}).answer(b'{"command": "x"}')["error"] == "not today"
