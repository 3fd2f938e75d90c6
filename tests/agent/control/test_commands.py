"""Requests and replies, whichever door they come in by, and what the commands themselves refuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agent.control.commands import Commands, Json
from agent.control.handlers import Handlers
from agent.errors import ControlError
from agent.inference.scoring import Threshold, Thresholds
from agent.judging.alert import AlertEvent
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
    pump: Any = SimpleNamespace(name="pump", monitor=monitor, bundle_thresholds=BUNDLE, regimes=None)
    config: Any = SimpleNamespace(sensors=dict.fromkeys(("press", "pump"), SimpleNamespace(alarm=None)))
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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["threshold", "capture", "regime", "acknowledge"]),
    st.dictionaries(
        st.sampled_from(["sensor", "by", "regime", "alert_id", "warning", "alarm"]),
        st.sampled_from(["press", "pump", "ada", "fast", 4.5]) | json_values,
    ),
)
def test_arguments_of_any_kind_are_told_what_is_wrong_with_them(
    commands: Commands, command: str, arguments: dict[str, Any]
) -> None:
    reply = commands.answer(json.dumps(arguments | {"command": command}).encode())
    assert "internal error" not in reply.get("error", "")


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


COMMANDS = ["acknowledge", "threshold", "capture", "regime"]
ARGUMENTS = ["alert_id", "by", "sensor", "warning", "alarm", "regime"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
)
likely = anything | st.sampled_from(["press", "fast", "ada", "", 3.0, 40.0, 10**400])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(COMMANDS), st.dictionaries(st.sampled_from(ARGUMENTS), likely))
def test_no_arguments_are_an_internal_error(
    commands: Commands, command: str, arguments: dict[str, object]
) -> None:
    reply = commands.answer(json.dumps({"command": command, **arguments}).encode())
    validator("reply").validate(json.loads(json.dumps(reply)))
    assert reply["ok"] or "internal error" not in reply["error"]


@pytest.mark.parametrize("sensor", [["press"], {"press": 1}, 7, None, True])
@pytest.mark.parametrize("command", ["threshold", "capture", "regime"])
def test_a_sensor_is_a_name(
    commands: Commands, command: str, sensor: object, caplog: pytest.LogCaptureFixture
) -> None:
    request = {"command": command, "sensor": sensor, "by": "ada", "regime": "fast"}
    error = commands.answer(json.dumps(request).encode())["error"]
    assert error == f"no sensor '{sensor}'; known are press, pump"
    assert not caplog.records


@pytest.mark.parametrize(
    ("warning", "alarm", "told"),
    [
        (3, 2.5, "the alarm threshold 2.5 lies below the warning threshold 3"),
        (-0.1, 4, "threshold needs 'warning', a score from 0 to 40"),
        (3, 40.5, "threshold needs 'alarm', a score from 0 to 40"),
        ("3", 4, "threshold needs 'warning', a score from 0 to 40"),
        (3, None, "threshold needs 'alarm', a score from 0 to 40"),
        (3, 10**400, "threshold needs 'alarm', a score from 0 to 40"),
    ],
)
def test_thresholds_that_cannot_be_change_nothing(
    commands: Commands, store: AlertStore, monitor: Monitor, warning: object, alarm: object, told: str
) -> None:
    request = {"command": "threshold", "sensor": "press", "warning": warning, "alarm": alarm, "by": "ada"}
    assert commands.answer(json.dumps(request).encode())["error"] == told
    assert (store.overrides.of("press"), monitor.adjusted) == (None, [])


def test_thresholds_may_be_equal_and_lie_at_the_ends(commands: Commands, store: AlertStore) -> None:
    for line in (0, 40):
        request = {"command": "threshold", "sensor": "press", "warning": line, "alarm": line, "by": "ada"}
        result = commands.answer(json.dumps(request).encode())["result"]
        assert result == {"sensor": "press", "warning": line, "alarm": line, "method": "set by ada"}


def test_a_threshold_that_the_disk_does_not_take_is_not_in_force(
    commands: Commands, store: AlertStore, monitor: Monitor
) -> None:
    """It would be gone after a restart, and nobody would know."""
    store.close()
    assert "closed" in commands.answer(json.dumps(GOOD[0]).encode())["error"]
    assert monitor.adjusted == []


def test_a_regime_is_in_force_though_the_disk_does_not_take_it(
    commands: Commands, store: AlertStore, regimes: SimpleNamespace
) -> None:
    store.close()
    assert "closed" in commands.answer(json.dumps(GOOD[3]).encode())["error"]
    assert regimes.commanded.name == "fast"


def test_an_alert_is_acknowledged_once(
    commands: Commands, store: AlertStore, make_event: Callable[..., AlertEvent]
) -> None:
    event = make_event(1)
    store.record(event, None)
    for by in ("ada", "bob"):
        request = {"command": "acknowledge", "alert_id": event.alert_id, "by": by}
        result = commands.answer(json.dumps(request).encode())["result"]
        assert result["acknowledged_by"] == "ada"
    assert result == {
        "alert_id": event.alert_id,
        "acknowledged_at": "2026-01-01T00:00:00.000000Z",
        "acknowledged_by": "ada",
    }


def test_malformed_requests_are_logged_once_a_door(caplog: pytest.LogCaptureFixture) -> None:
    commands = Commands("MQTT", {"echo": echo})
    for request in (b"", b"[]", b'{"command": 7}', b'{"command": "nonsense"}'):
        assert not commands.answer(request)["ok"]
    (record,) = caplog.records
    assert record.getMessage().startswith("MQTT: a request is refused, and more may follow: ")


def test_an_unknown_command_is_told_with_the_known_ones_and_cut_short() -> None:
    reply = Commands("test", {"status": echo, "capture": echo}).answer(
        json.dumps({"command": "x" * 500}).encode()
    )
    assert reply["error"] == f"unknown command '{'x' * 100}'; known are capture, status"


def test_a_result_that_json_cannot_hold_is_an_error_of_the_command() -> None:
    reply = Commands("test", {"x": lambda arguments: {"score": float("nan")}}).answer(b'{"command": "x"}')
    assert (reply["ok"], "JSON" in reply["error"]) == (False, True)
