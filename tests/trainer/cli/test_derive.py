"""``judder-train threshold`` and ``calibrate``: new versions that a gateway takes, and no half ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.inference.bundle import read_bundle
from agent.inference.detector import judge_recording, open_detector
from agent.inference.scoring import Level
from firmware_bridge.recording import save_recording

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_source: Run, healthy_samples: Run) -> Path:
    """Forty seconds with a louder stretch, labels of it, and another mounting: half as loud."""
    path = tmp_path_factory.mktemp("derive")
    samples = healthy_samples(4000, seed=7)
    save_recording(path / "quieter.npz", make_source(0.5 * samples).recording)
    samples[2000:2400] *= 1.5
    save_recording(path / "mixed.npz", make_source(samples).recording)
    save_recording(path / "short.npz", make_source(samples[:300]).recording)
    (path / "labels.csv").write_text("file,first_row,last_row,label\nmixed.npz,2000,2399,anomaly\n")
    return path


def test_lines_tuned_to_labels_make_a_new_version(
    fitted: Any, judder_train: Run, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pump-3.judder"
    labelled = ("--data", folder / "mixed.npz", "--labels", folder / "labels.csv")
    methods = ("--method", "fbeta:1", "--alarm", "pot:1/month")
    result = judder_train(
        "threshold", fitted.path, *methods, *labelled, "--out", out, "--sign", fitted.key_file
    )
    assert result.exit_code == 0, result.output
    assert "pump-3, derived from pump-2" in result.stdout
    assert f"signed by {fitted.public_key}" in result.stdout
    before, (detector, after) = read_bundle(fitted.path), open_detector(out, [fitted.public_key])
    assert after.models == before.models
    assert after.manifest.parts == before.manifest.parts
    assert after.manifest.thresholds.warning.method == "fbeta:1"
    assert after.manifest.thresholds.alarm.method.startswith("pot:1/month")
    (step,) = after.manifest.provenance["derived"]
    assert (step["step"], step["bundle"], step["data"][0]["name"]) == ("threshold", "pump-2", "mixed.npz")
    assert len(step["sha256"]) == 64
    assert "false_alarms" not in after.manifest.provenance
    assert detector.manifest.title == "pump-3"


def test_a_rate_needs_no_data_and_leaves_the_other_line(
    fitted: Any, judder_train: Run, tmp_path: Path
) -> None:
    out = tmp_path / "pump-2b.judder"
    options = ("--alarm", "rate:0.0001", "--name", "pump", "--version", "2b", "--out", out, "--json")
    result = judder_train("threshold", fitted.path, *options)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["derived_from"], told["name"], told["version"]) == ("pump-2", "pump", "2b")
    assert told["signed_by"] is None
    assert told["thresholds"]["warning"]["method"] == "rate:0.005"
    assert told["thresholds"]["alarm"]["method"] == "rate:0.0001"
    assert told["thresholds"]["alarm"]["score"] == pytest.approx(3.719, abs=1e-3)
    assert told["bytes"] == out.stat().st_size


def test_steps_are_remembered_in_order(fitted: Any, judder_train: Run, folder: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "pump-3.judder", tmp_path / "pump-4.judder"
    assert judder_train("threshold", fitted.path, "--method", "rate:0.01", "--out", first).exit_code == 0
    assert judder_train("calibrate", first, "--data", folder / "quieter.npz", "--out", second).exit_code == 0
    steps = read_bundle(second).manifest.provenance["derived"]
    assert [(step["step"], step["bundle"]) for step in steps] == [
        ("threshold", "pump-2"),
        ("calibrate", "pump-3"),
    ]


def test_a_new_mounting_is_healthy_after_calibration_and_the_network_stays(
    fitted: Any, judder_train: Run, folder: Path, healthy_samples: Run, tmp_path: Path
) -> None:
    out = tmp_path / "pump-3.judder"
    result = judder_train("calibrate", fitted.path, "--data", folder / "quieter.npz", "--out", out)
    assert result.exit_code == 0, result.output
    assert "windows at warning or above; 95 % upper limit of the rate" in result.stdout
    quieter = 0.5 * healthy_samples(2000, seed=9)
    (old, before), (new, after) = open_detector(fitted.path), open_detector(out)
    assert after.models == before.models
    assert after.manifest.thresholds == before.manifest.thresholds
    _, cried = judge_recording(old, quieter, [(0, 2000)])
    _, calm = judge_recording(new, quieter, [(0, 2000)])
    assert all(verdict.level is Level.ALARM for verdict in cried)
    assert sum(verdict.level > Level.NORMAL for verdict in calm) <= 0.05 * len(calm)
    _, loud = judge_recording(new, 2.0 * quieter, [(0, 2000)])
    assert all(verdict.level is Level.ALARM for verdict in loud)


def test_the_same_calibration_is_the_same_bytes(
    fitted: Any, judder_train: Run, folder: Path, tmp_path: Path
) -> None:
    contents = []
    for name in ("a", "b"):
        out = tmp_path / name / "pump-3.judder"
        out.parent.mkdir()
        arguments = ("calibrate", fitted.path, "--data", folder / "quieter.npz", "--out", out)
        assert judder_train(*arguments).exit_code == 0
        contents.append(out.read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["threshold", "--out", "x-3.judder"], "which line? give --method, --alarm or both"),
        (["threshold", "--method", "sigma:3", "--out", "x-3.judder"], "'sigma:3' needs recordings"),
        (["threshold", "--method", "pot:1", "--out", "x-3.judder"], "'pot:1' is no rate"),
        (["threshold", "--method", "rate:0.01", "--out", "pump-2.judder"], "pump-2 is there already"),
        (["calibrate", "--out", "x-3.judder"], "no recordings of the healthy machine: give --data"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    fitted: Any,
    judder_train: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = judder_train(arguments[0], fitted.path, *arguments[1:])
    assert result.exit_code == 2
    assert complaint in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["threshold", "--method", "fbeta:1", "--data", "mixed.npz"], "'fbeta:1' needs anomalous windows"),
        (["threshold", "--method", "fbeta:1", "--anomalous", "mixed.npz"], "'fbeta:1' needs normal windows"),
        (["threshold", "--method", "pot:1/month", "--data", "short.npz"], "too few to extrapolate"),
        (["calibrate", "--data", "short.npz"], "too short: windows of 32 samples need 480 samples"),
        (["calibrate", "--data", "mixed.npz", "--rate", "50"], "100"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    fitted: Any,
    judder_train: Run,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    complaint: str,
) -> None:
    monkeypatch.chdir(folder)
    result = judder_train(arguments[0], fitted.path, *arguments[1:], "--out", tmp_path / "x-3.judder")
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert complaint in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_without_a_network_takes_other_lines_too(
    judder_train: Run, make_bundle: Run, tmp_path: Path
) -> None:
    out = tmp_path / "easy-2.judder"
    result = judder_train("threshold", make_bundle(), "--method", "rate:0.01", "--out", out)
    assert result.exit_code == 0, result.output
    manifest = read_bundle(out).manifest
    assert manifest.thresholds.warning.method == "rate:0.01"
    assert [part.kind for part in manifest.parts] == ["level"]


def test_what_the_network_has_learnt_from_cannot_calibrate_it_and_is_noted(
    fitted: Any, judder_train: Run, recording_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pump-3.judder"
    result = judder_train("calibrate", fitted.path, "--data", recording_file, "--out", out)
    assert result.exit_code == 1
    assert "healthy.npz: the network has learnt from it" in result.stderr
    assert not out.exists()
    note = "Note: the network has learnt from healthy.npz; scores are lower there."
    options = ("--normal", recording_file)
    assert note in judder_train("evaluate", fitted.path, *options).stderr
    placed = judder_train("threshold", fitted.path, "--method", "sigma:3", *options, "--out", out)
    assert placed.exit_code == 0, placed.output
    assert note in placed.stderr
