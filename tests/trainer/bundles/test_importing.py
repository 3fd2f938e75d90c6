"""A network made elsewhere becomes a bundle, or is refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.inference.bundle import read_bundle
from agent.inference.detector import judge_recording, open_detector

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def model_file(fitted: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network of a bundle, as if it came from somebody else; windows of 32 x 2 over their RMS."""
    path = tmp_path_factory.mktemp("model") / "model.tflite"
    path.write_bytes(read_bundle(fitted.path).models["model.tflite"])
    return path


def test_an_imported_network_judges_recordings(
    judder_train: Run, model_file: Path, recording_file: Path, healthy_samples: Run, tmp_path: Path
) -> None:
    out = tmp_path / "own-1.judder"
    result = judder_train("import", model_file, "--data", recording_file, "--scale", "rms", "--out", out)
    assert result.exit_code == 0, result.output
    assert "import, as it came" in result.output
    assert "as imported; there is no float32 network to compare with" in result.output
    detector, bundle = open_detector(out)
    assert bundle.models["model.tflite"] == model_file.read_bytes()
    assert bundle.manifest.window.length == 32
    assert "fidelity" not in bundle.manifest.provenance
    quiet, loud = (
        [
            verdict.level
            for verdict in judge_recording(detector, gain * healthy_samples(1000, seed=5), [(0, 1000)])[1]
        ]
        for gain in (np.float32(1.0), np.float32(2.0))
    )
    assert np.mean(np.array(quiet) > 0) < 0.05
    assert min(loud) > 0


def test_other_channels_than_the_networks_are_refused(
    judder_train: Run, model_file: Path, recording_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "own-1.judder"
    result = judder_train("import", model_file, "--data", recording_file, "--columns", "x", "--out", out)
    assert result.exit_code == 1
    assert "the network maps (32, 2) to (32, 2), the recordings need (window, 1)" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_network_is_refused(judder_train: Run, recording_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "own-1.judder"
    result = judder_train("import", recording_file, "--data", recording_file, "--out", out)
    assert result.exit_code == 1
    assert "refuses the model" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not out.exists()
