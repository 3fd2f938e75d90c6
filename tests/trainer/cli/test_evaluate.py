"""``judder-train evaluate``, on a detector that anybody can follow: it watches the level of three axes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.config.alarm import AlarmPolicy
from firmware_bridge.recording import save_recording

Run = Callable[..., Any]

# Healthy noise of 1 g at 800 Hz, three times as loud from row 3200 to 4799: windows 100 to 148 of 64, hop 32.
FIRST, LAST, ROWS = 3200, 4799, 8000


@pytest.fixture
def bundle(make_bundle: Run) -> Path:
    path: Path = make_bundle()
    return path


@pytest.fixture
def folder(tmp_path: Path, make_source: Run) -> Path:
    """A mixed recording, a healthy one, and labels."""
    noise = np.random.default_rng(1).standard_normal((ROWS, 3)).astype(np.float32)
    save_recording(tmp_path / "healthy.npz", make_source(noise[:2000], rate_hz=800.0).recording)
    noise[FIRST : LAST + 1] *= 3.0
    save_recording(tmp_path / "mixed.npz", make_source(noise, rate_hz=800.0).recording)
    text = f"file,first_row,last_row,label\nmixed.npz,{FIRST},{LAST},anomaly\n"
    (tmp_path / "labels.csv").write_text(text)
    return tmp_path


def test_a_loud_stretch_is_found_and_nothing_else(judder_train: Run, bundle: Path, folder: Path) -> None:
    options = ("--data", folder / "mixed.npz", "--labels", folder / "labels.csv", "--json")
    result = judder_train("evaluate", bundle, *options)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["bundle"], told["files"]) == ("easy-1", ["mixed.npz"])
    assert told["roc_auc"] == pytest.approx(1.0)
    assert told["alarm"]["windows"]["recall"] == 1.0
    (detection,) = told["alarm"]["events"]["detections"]
    assert (detection["first_row"], detection["last_row"], detection["found"]) == (FIRST, LAST, True)
    assert 0 <= detection["delay_s"] <= 0.12  # two windows: 96 samples
    assert told["alarm"]["events"]["false_alerts"] == 0


def test_the_table_names_each_figure(judder_train: Run, bundle: Path, folder: Path) -> None:
    arguments = (
        "--data",
        folder / "mixed.npz",
        "--labels",
        folder / "labels.csv",
        "--beta",
        2,
        "--rule",
        "1/1",
    )
    result = judder_train("evaluate", bundle, *arguments, "--normal", folder / "healthy.npz")
    assert result.exit_code == 0, result.output
    assert "easy-1 on mixed.npz, healthy.npz" in result.stdout
    for name in (
        "accuracy",
        "precision",
        "recall",
        "balanced F1",
        "F-beta, beta 2",
        "Cohen's kappa",
        "false alerts a day",
    ):
        assert name in result.stdout
    assert "anomalies found                     1 of 1          1 of 1" in result.stdout
    assert "alerts by 1 of 1 windows, or by persistence (a false warning in 720 h)" in result.stdout
    assert "mixed.npz rows 3200-4799: warning after 0.0" in result.stdout


def test_the_rules_are_the_gateways_unless_others_are_given(
    judder_train: Run, bundle: Path, folder: Path
) -> None:
    healthy = ("evaluate", bundle, "--normal", folder / "healthy.npz", "--json")
    assert AlarmPolicy(**json.loads(judder_train(*healthy).stdout)["rule"]) == AlarmPolicy()
    other = judder_train(*healthy, "--rule", "3/5", "--persistence-hours", 0)
    assert json.loads(other.stdout)["rule"] == {"k": 3, "n": 5, "hysteresis": 0.1, "persistence_hours": 0.0}
    refused = judder_train(*healthy, "--persistence-hours", 0.5)
    assert (refused.exit_code, "1 h or more, or 0" in refused.output) == (2, True)


def test_one_option_takes_several_files(judder_train: Run, bundle: Path, folder: Path) -> None:
    files = (folder / "healthy.npz", folder / "mixed.npz")
    result = judder_train("evaluate", bundle, "--normal", *files, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["files"] == ["healthy.npz", "mixed.npz"]
    assert told["anomalous_windows"] == 0
    assert "roc_auc" not in told
    assert told["warning"]["windows"]["false_alarm_rate"] > 0.1


def test_labels_in_time_leave_the_rest_out(judder_train: Run, bundle: Path, folder: Path) -> None:
    options = ("--assume", "normal:first:4s", "--assume", "anomaly:last:1s", "--json")
    result = judder_train("evaluate", bundle, "--data", folder / "mixed.npz", *options)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    # 3200 rows are (3200 - 64) / 32 + 1 windows; of 800 rows those that lie in them by half or more.
    assert (told["normal_windows"], told["anomalous_windows"]) == (99, 25)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "no recordings: give --data"),
        (["--data", "mixed.npz"], "--data needs --labels or --assume"),
        (["--normal", "mixed.npz", "--labels", "labels.csv"], "--labels and --assume are about --data"),
        (["--normal", "mixed.npz", "--columns", "x,y"], "--columns names 2 channels, the model takes 3"),
        (["--normal", "absent.npz"], "'absent.npz' does not exist"),
        (["--data", "mixed.npz", "--assume", "soon"], "'soon' is no label in time"),
        (["--normal", "mixed.npz", "--rule", "3/2"], "write K/N with K not above N"),
        (["--normal", "mixed.npz", "--beta", "0"], "0.0 is not in the range"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    judder_train: Run,
    bundle: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    complaint: str,
) -> None:
    monkeypatch.chdir(folder)
    result = judder_train("evaluate", bundle, *options)
    assert result.exit_code == 2
    assert complaint in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--normal", "other_rate.npz"], "sampled at 100 Hz, the model was trained at 800 Hz"),
        (["--normal", "short.npz"], "no recording holds a window of 64 samples"),
        (["--normal", "two_axes.npz"], "two_axes.npz, column 'z'"),
        (["--data", "mixed.npz", "--labels", "beyond.csv"], "ends at row 8000, mixed.npz ends at row 7999"),
        (["--data", "mixed.npz", "--labels", "other.csv"], "none of the labels is of mixed.npz"),
        (["--data", "short.npz", "--assume", "normal:first:1h"], "short.npz: is shorter than"),
        (["--data", "mixed.npz", "--labels", "ignored.csv"], "no window is labelled normal or anomalous"),
        (["--data", "mixed.npz", "--labels", "none.csv"], "none.csv: holds no labels"),
        (["--normal", "nan.csv"], "nan.csv, line 3, column 'y': 'nan' is not finite"),
        (["--normal", "infinite.csv"], "infinite.csv, line 3, column 'y': 'inf' is not finite"),
        (["--normal", "huge.npz"], "huge.npz: a window holds a sample that is not finite, or too large"),
        (["--normal", "empty.csv"], "empty.csv: is empty"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(
    judder_train: Run,
    bundle: Path,
    folder: Path,
    make_source: Run,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    complaint: str,
) -> None:
    noise = np.random.default_rng(1).standard_normal((200, 3)).astype(np.float32)
    save_recording(folder / "other_rate.npz", make_source(noise).recording)
    save_recording(folder / "short.npz", make_source(noise[:50], rate_hz=800.0).recording)
    save_recording(folder / "two_axes.npz", make_source(noise[:, :2], rate_hz=800.0).recording)
    save_recording(folder / "huge.npz", make_source(noise * np.float32(3e37), rate_hz=800.0).recording)
    for name, value in (("nan.csv", "nan"), ("infinite.csv", "inf")):
        (folder / name).write_text(f"x,y,z\n0,1,2\n0,{value},2\n")
    (folder / "empty.csv").write_text("")
    header = "file,first_row,last_row,label\n"
    (folder / "ignored.csv").write_text(f"{header}mixed.npz,0,{ROWS - 1},ignore\n")
    (folder / "none.csv").write_text(header)
    (folder / "beyond.csv").write_text(f"{header}mixed.npz,0,{ROWS},anomaly\n")
    (folder / "other.csv").write_text(f"{header}unknown.npz,0,1,anomaly\n")
    monkeypatch.chdir(folder)
    result = judder_train("evaluate", bundle, *options)
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert complaint in result.stderr


def test_a_bundle_that_is_none_is_one_line(judder_train: Run, folder: Path) -> None:
    result = judder_train("evaluate", folder / "labels.csv", "--normal", folder / "healthy.npz")
    assert result.exit_code == 1
    assert "not a judder bundle" in result.stderr


def test_several_recordings_are_told_one_by_one(judder_train: Run, bundle: Path, folder: Path) -> None:
    files = ("--normal", folder / "healthy.npz", "--anomalous", folder / "mixed.npz")
    result = judder_train("evaluate", bundle, *files)
    assert result.exit_code == 0, result.output
    head, healthy, mixed = result.stdout.splitlines()[-3:]
    assert head.split() == ["alarm", "/", "warning", "/", "windows", "normal", "anomalous", "spoke"]
    assert healthy.split()[-2:] == ["-", "level"] or healthy.split()[-2:] == ["-", "-"]
    assert "/ 61" in healthy  # (2000 - 64) / 32 + 1
    assert mixed.split()[1] == "-"
    told = json.loads(judder_train("evaluate", bundle, *files, "--json").stdout)
    assert [one["file"] for one in told["by_file"]] == ["healthy.npz", "mixed.npz"]
    assert told["by_file"][1]["anomalous"]["windows"] == 249
