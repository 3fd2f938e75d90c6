"""Slow process values: where they stand and how they vary, without a network."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from agent.inference.arrays import FloatArray
from agent.inference.detector import open_detector
from agent.inference.scoring import Level
from agent.inference.window_numbers import WindowNumbers
from firmware_bridge.recording import save_recording
from trainer.errors import DataError
from trainer.parts.process import fit_process
from trainer.settings import is_process

Run = Callable[..., Any]

CHANNELS = ("flow", "temperature")


def values(n_rows: int, seed: int) -> FloatArray:
    """Return a flow of 32 that a coarse converter reads, and a temperature that wanders about 70."""
    random = np.random.default_rng(seed)
    flow = np.round(32.0 + 0.8 * random.standard_normal(n_rows))
    temperature = 70.0 + np.cumsum(0.01 * random.standard_normal(n_rows))
    return np.stack((flow, temperature + 0.05 * random.standard_normal(n_rows)), axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, make_source: Run) -> Path:
    path = tmp_path_factory.mktemp("process") / "healthy.npz"
    save_recording(path, make_source(values(1200, 0), rate_hz=1.0, columns=CHANNELS).recording)
    return path


@pytest.fixture(scope="module")
def bundle(recording: Path, judder_train: Run) -> Path:
    path = recording.with_name("pump-1.judder")
    result = judder_train("fit", recording, "--out", path)
    assert result.exit_code == 0, result.output
    assert "network     none: slow process values" in result.output
    return path


def judged(bundle: Path, rows: FloatArray) -> list[Level]:
    detector, _ = open_detector(bundle)
    windows = np.lib.stride_tricks.sliding_window_view(rows, 20, axis=0)[::5].transpose(0, 2, 1)
    return [verdict.level for verdict in detector.judge(windows)]


@pytest.mark.parametrize(("rate_hz", "process"), [(1.0, True), (4.9, True), (5.0, False), (None, False)])
def test_slow_values_are_process_values(rate_hz: float | None, process: bool) -> None:
    assert is_process(rate_hz) is process


def test_a_healthy_day_is_quiet_and_a_fallen_flow_is_not(bundle: Path) -> None:
    healthy = values(1200, 0)[-400:]
    assert judged(bundle, healthy).count(Level.ALARM) <= 2
    fallen = healthy - np.array([6.0, 0.0], np.float32)
    assert judged(bundle, fallen).count(Level.ALARM) == len(judged(bundle, fallen))


def test_what_drifts_may_go_on_to_drift(bundle: Path) -> None:
    # Two spreads of the flow are a fault, two of a temperature that wanders are weather.
    _, opened = open_detector(bundle)
    value = opened.manifest.parts[0]
    assert value.kind == "distance"
    assert value.columns.kind == "value"
    centre, spread = np.array(value.columns.median), np.array(value.columns.spread)
    rows = np.broadcast_to(centre, (2, 20, 2)).astype(np.float32).copy()
    rows[0, :, 0] += 2.0 * spread[0]
    rows[1, :, 1] += 2.0 * spread[1]
    flow, temperature = value.raw_scores(WindowNumbers(rows), {})[:, 0]
    assert flow > 2.0 * temperature


def test_a_hunting_flow_is_told_by_its_variation(bundle: Path) -> None:
    rows = values(1200, 0)[:400]
    rows[:, 0] = 32.0 + 16.0 * (-1.0) ** np.arange(400)
    detector, _ = open_detector(bundle)
    verdicts = detector.judge(rows[:200].reshape(10, 20, 2))
    assert all(verdict.level is Level.ALARM for verdict in verdicts)
    assert {verdict.part for verdict in verdicts} == {"variation"}


def test_the_bundle_holds_no_network_and_is_as_published(bundle: Path) -> None:
    schema = json.loads(
        (Path(__file__).parents[3] / "docs/bundle/manifest.schema.json").read_text(encoding="utf-8")
    )
    with zipfile.ZipFile(bundle) as archive:
        assert archive.namelist() == ["manifest.json", "golden.npz"]
        jsonschema.Draft202012Validator(schema).validate(json.loads(archive.read("manifest.json")))


def test_a_new_day_is_learnt_and_reported(
    bundle: Path, judder_train: Run, make_source: Run, tmp_path: Path
) -> None:
    day = tmp_path / "tuesday.npz"
    save_recording(day, make_source(values(1200, 1) + 1.0, rate_hz=1.0, columns=CHANNELS).recording)
    result = judder_train("calibrate", bundle, "--data", day, "--out", tmp_path / "pump-2.judder")
    assert result.exit_code == 0, result.output
    median = open_detector(tmp_path / "pump-2.judder")[1].manifest.parts[0].columns.median  # type: ignore[union-attr]
    assert median[0] == pytest.approx(33.0)
    result = judder_train("report", bundle, "--normal", day, "--out", tmp_path / "report.html")
    assert result.exit_code == 0, result.output


def test_a_dead_channel_is_refused() -> None:
    windows = np.ones((40, 20, 2), np.float32)
    windows[:, :, 0] += np.random.default_rng(0).standard_normal((40, 20)).astype(np.float32)
    with pytest.raises(DataError, match="channel 'temperature' has one value"):
        fit_process(windows, CHANNELS, 0.25, 5)


def test_an_architecture_is_for_vibration(recording: Path, judder_train: Run, tmp_path: Path) -> None:
    out = tmp_path / "pump-1.judder"
    refused = judder_train("fit", recording, "--out", out, "--kind", "process", "--arch", "dense")
    assert refused.exit_code == 2
    assert "process values need no network" in refused.output
    tiny = ("--arch", "dense", "--units", "4", "--epochs", "2", "--window", "32", "--folds", "3")
    assert judder_train("fit", recording, "--out", out, *tiny).exit_code == 0
    assert open_detector(out)[1].manifest.parts[-1].kind == "reconstruction"
