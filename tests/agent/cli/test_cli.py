"""The technician's commands, each run as a technician would, right and wrong."""

from __future__ import annotations

import csv
import errno
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from agent.cli.main import main
from agent.config.names import GatewayName
from agent.judging.alert import AlertEvent, Rule
from agent.storage.alerts import AlertStore
from agent.uplink.messages import alert_message

MakeBundle = Callable[..., Path]

CONFIG = """
state_dir = "."
runtime_dir = "."
[gateway]
site = "plant-1"
name = "gw-3"
[sensors.press]
bus = "sim:press"
rate_hz = 800
bundle = "easy-1.judder"
[sensors.press.signal]
kind = "rotor"
"""


def judder(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """640 samples of RMS 1 g, 320 of RMS 3 g, 640 of RMS 1 g, at 800 Hz."""
    noise = np.random.default_rng(0).standard_normal((1600, 3)).astype(np.float32)
    noise[640:960] *= 3.0
    path = tmp_path / "press.csv"
    lines = ["x,y,z", *(",".join(f"{value:.6f}" for value in row) for row in noise.tolist())]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def test_replay_writes_a_row_per_window(make_bundle: MakeBundle, recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    result = judder("replay", recording, "--model", make_bundle(), "--rate", "800", "--out", out)
    assert result.exit_code == 0, result.output
    with out.open(encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["start", "end", "score", "level"]
    assert [int(row["start"]) for row in rows] == list(range(0, 1600 - 64 + 1, 32))
    assert all(int(row["end"]) - int(row["start"]) == 64 for row in rows)
    loud = [row["level"] for row in rows if int(row["start"]) >= 640 and int(row["end"]) <= 960]
    quiet = [row["level"] for row in rows if int(row["end"]) <= 640 or int(row["start"]) >= 960]
    assert set(loud) == {"alarm"}
    assert quiet.count("normal") > 0.8 * len(quiet)
    assert "1 alerts" in result.output
    assert "alarm: samples 6" in result.output


def test_replay_as_json(make_bundle: MakeBundle, recording: Path) -> None:
    result = judder("replay", recording, "--model", make_bundle(), "--rate", "800", "--json")
    summary = json.loads(result.output)
    assert summary["windows"] == summary["normal"] + summary["warning"] + summary["alarm"] == 49
    (alert,) = summary["alerts"]
    assert 576 <= alert["start"] <= 704
    assert (alert["level"], alert["rule"]) == ("alarm", "k-of-n")


def test_replay_takes_the_named_columns(make_bundle: MakeBundle, recording: Path) -> None:
    bundle = make_bundle(axes=("vertical",))
    result = judder("replay", recording, "--model", bundle, "--rate", "800", "--columns", "y", "--json")
    assert json.loads(result.output)["alarm"] > 0


def test_replay_finds_what_persists(make_bundle: MakeBundle, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).standard_normal((1000, 32, 3)).astype(np.float32)
    noise /= np.sqrt(np.mean(noise**2, axis=1, keepdims=True))
    noise[500:] *= 1.32  # no window reaches the warning line of 2.5
    path = tmp_path / "weak.npz"
    np.savez(path, **dict(zip("xyz", noise.reshape(-1, 3).T, strict=True)))
    replayed = judder("replay", path, "--model", make_bundle(), "--rate", "800", "--json")
    summary = json.loads(replayed.output)
    assert (summary["warning"], summary["alarm"]) == (0, 0)
    (alert,) = summary["alerts"]
    assert (alert["level"], alert["rule"], alert["end"]) == ("alarm", "persistence", None)
    assert 16_000 < alert["start"] < 20_000


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--columns", "x,y"], 2, "--columns names 2 channels, the model takes 3"),
        (["--columns", "x,y,w"], 1, "w"),
        (["--rate", "0"], 2, "--rate"),
        (["--rate", "400"], 1, "resample"),
        (["--out", "/nonexistent/scores.csv"], 1, "/nonexistent/scores.csv: cannot be written"),
    ],
)
def test_replay_refuses(
    make_bundle: MakeBundle, recording: Path, arguments: list[str], code: int, told: str
) -> None:
    result = judder("replay", recording, "--model", make_bundle(), *arguments)
    assert (result.exit_code, told in result.output) == (code, True), result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("content", ["", "x,y,z\n", "x,y,z\n1,2\n", "x,y,z\n1,2,three\n", "x,y,z\n1,2,3\n"])
def test_replay_of_a_recording_that_cannot_be_scored(
    make_bundle: MakeBundle, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content, encoding="ascii")
    result = judder("replay", path, "--model", make_bundle())
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "bad.csv" in result.output


@pytest.mark.parametrize(
    "command", [["replay", "a.csv", "--model", "none.judder"], ["model", "show", "none.judder"]]
)
def test_an_absent_bundle(command: list[str]) -> None:
    result = judder(*command)
    assert (result.exit_code, result.output) == (1, "Error: none.judder: no such file\n")


def test_model_show(make_bundle: MakeBundle) -> None:
    result = judder("model", "show", make_bundle())
    assert result.exit_code == 0
    for word in ("easy-1", "800 Hz", "level", "rate:0.001", "golden", "signature   none"):
        assert word in result.output


def test_model_show_as_json(make_bundle: MakeBundle) -> None:
    manifest = json.loads(judder("model", "show", make_bundle(), "--json").output)
    assert manifest["window"] == {"length": 64, "hop": 32, "padding": "none"}


@pytest.fixture
def config(tmp_path: Path, make_bundle: MakeBundle) -> Path:
    make_bundle()
    path = tmp_path / "judder.toml"
    path.write_text(CONFIG, encoding="ascii")
    return path


def test_config_check(config: Path) -> None:
    result = judder("config", "check", config)
    assert (result.exit_code, "press (adxl345 on sim:press)" in result.output) == (0, True), result.output


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            ("rate_hz = 800", "rate_hz = 400"),
            "judder.toml: sensors.press.rate_hz = 400: easy-1.judder was trained at 800 Hz",
        ),
        (("rate_hz = 800", "rate_hz = 801"), "801"),
        (('kind = "rotor"', 'kind = "motor"'), "rotor"),
        (('kind = "rotor"', ""), "kind"),
        (('"sim:press"', '"sim:press"\nchip = "adxl34"'), "adxl345"),
        (("easy-1", "easy-2"), "no such file"),
    ],
)
def test_config_check_tells_what_the_daemon_would_refuse(
    config: Path, change: tuple[str, str], told: str
) -> None:
    config.write_text(CONFIG.replace(*change), encoding="ascii")
    for command, code in ((["config", "check", config], 1), (["run", "--config", config], 78)):
        result = judder(*command)
        assert (result.exit_code, told in result.output) == (code, True), result.output
        assert "Traceback" not in result.output


def test_config_show_tells_defaults_and_paths_as_toml(config: Path) -> None:
    config.write_text(
        CONFIG + '[uplink]\nhost = "b"\nusername = "u"\npassword_file = "pw"\n', encoding="ascii"
    )
    result = judder("config", "show", "--config", config)
    assert result.exit_code == 0, result.output
    shown = tomllib.loads(result.output)
    assert shown["sensors"]["press"]["alarm"] == {
        "k": 2,
        "n": 3,
        "hysteresis": 0.1,
        "persistence_hours": 720.0,
    }
    assert shown["uplink"]["password_file"] == str(config.parent / "pw")
    assert shown["history"] == {"cleared_alerts": 10_000}
    assert json.loads(judder("config", "show", "--config", config, "--json").output) == shown


def test_config_show_masks_secrets_wherever_they_stand(config: Path) -> None:
    text = CONFIG.replace('kind = "rotor"', 'kind = "rotor"\napi_token = "hunter2"')
    config.write_text(text, encoding="ascii")
    output = judder("config", "show", "--config", config).output
    assert 'api_token = "********"' in output
    assert "hunter2" not in output


@pytest.mark.parametrize("arguments", [[], ["--warning", "3"], ["--warning", "3", "--alarm", "4", "--reset"]])
def test_threshold_wants_both_or_reset(config: Path, arguments: list[str]) -> None:
    result = judder("threshold", "press", *arguments, "--config", config)
    assert (result.exit_code, "give both --warning and --alarm, or --reset" in result.output) == (2, True)


def test_what_needs_a_daemon_says_so(config: Path) -> None:
    commands = (
        ["status"],
        ["status", "--prometheus"],
        ["acknowledge", "0199"],
        ["config", "reload"],
        ["threshold", "press", "--reset"],
    )
    for command in commands:
        result = judder(*command, "--config", config)
        assert result.exit_code == 1
        assert "judder is not running" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["config", "check", "a\0b"],
        ["alerts", "--config", "a\0b"],
        ["replay", "a\0b.csv", "--model", "a\0b"],
        ["model", "show", "a\0b"],
        ["sensor", "scan", "--bus", "/dev/a\0b"],
        ["service", "status", "--root", "a\0b"],
    ],
)
def test_a_nul_byte_in_a_files_name(arguments: list[str]) -> None:
    result = judder(*arguments)
    assert (result.exit_code, result.output) == (1, "Error: a file's name cannot hold a NUL byte\n")


def test_what_the_system_refuses_is_told_in_one_line(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("agent.config.file.load_config", refuse)
    result = judder("alerts", "--config", config)
    assert (result.exit_code, result.output) == (1, f"Error: {config}: Permission denied\n")


def test_alerts_without_a_store(config: Path) -> None:
    result = judder("alerts", "--config", config)
    assert result.exit_code == 1
    assert "judder.db" in result.output


def test_alerts_tell_by_which_rule(config: Path, make_event: Callable[..., AlertEvent]) -> None:
    by_persistence = replace(make_event(1, alert=1, score=1.4), rule=Rule.PERSISTENCE, windows=412)
    with AlertStore(config.parent / "judder.db") as store:
        store.record(by_persistence, None)
        store.record(make_event(2, alert=2), None)
    newest, oldest = [
        line for line in judder("alerts", "--config", config).output.splitlines() if "score" in line
    ]
    rule = "score 1.40 (threshold 3.50), spectrum of pump-1.0.0, by persistence over 412 windows"
    assert oldest.endswith(rule)  # without an uplink nothing is said of delivery
    assert "persistence" not in newest


def test_alerts_tell_the_zone_the_delivery_and_the_waveforms(
    config: Path, make_event: Callable[..., AlertEvent]
) -> None:
    event = make_event(1, alert=1)
    waveform = config.parent / "evidence" / f"20260301T120001Z-motor-raised-{event.alert_id}.wav"
    waveform.parent.mkdir()
    waveform.write_bytes(b"")
    with AlertStore(config.parent / "judder.db") as store:
        store.record(event, alert_message(event, GatewayName("plant-1", "gw-3")))
    title, cause, *_, last = judder("alerts", "--config", config).output.splitlines()
    assert title == "2026-03-01 12:00:01Z  WARNING  motor  ACTIVE  SIMULATED"
    assert cause.endswith("(threshold 3.50), spectrum of pump-1.0.0, not delivered yet")
    assert last == f"  waveform: {waveform}"
    (alert,) = json.loads(judder("alerts", "--json", "--config", config).output)
    assert (alert["waiting"], alert["delivered"], alert["waveforms"]) == (True, False, [str(waveform)])


@pytest.mark.parametrize(
    "command",
    [
        [],
        *(
            [name]
            for name in [
                "run",
                "status",
                "alerts",
                "replay",
                "model",
                "demo",
                "config",
                "service",
                "threshold",
            ]
        ),
    ],
)
def test_help(command: list[str]) -> None:
    result = judder(*command, "--help")
    assert (result.exit_code, "Usage:" in result.output) == (0, True)


def test_wrong_usage_exits_with_two() -> None:
    assert judder("replay").exit_code == 2
    assert judder("nonsense").exit_code == 2


def test_the_installed_command() -> None:
    command = Path(sys.executable).with_name("judder")
    result = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("judder, version ")
