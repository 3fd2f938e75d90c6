"""The trainer on each of Keras' backends, in a process of its own; what is not installed is skipped."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agent.inference.detector import judge_recording, open_detector

_MODULES = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}


def judder_train(backend: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from trainer.cli.main import main; main()", *map(str, arguments)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )


def require(backend: str) -> None:
    if importlib.util.find_spec(_MODULES[backend]) is None:
        pytest.skip(f"{backend} is not installed: pip install {backend}")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize(
    "options",
    [
        "--arch dense --units 16,4,16 --dropout 0.1 --window 32",
        "--arch lstm-bottleneck --units 4 --window 8 --quantize float16",
        "--arch vae --units 16,4 --kl-weight 0.01 --window 32",
    ],
)
def test_a_bundle_trained_on_another_backend_judges_the_same_machine(
    recording_file: Path, tmp_path: Path, backend: str, options: str
) -> None:
    require(backend)
    path = tmp_path / "pump-1.judder"
    quick = ("--epochs", "3", "--batch-size", "256", "--learning-rate", "0.01")
    result = judder_train(backend, "fit", recording_file, "--out", path, *quick, *options.split())
    assert result.returncode == 0, result.stderr
    detector, _ = open_detector(path)
    with np.load(recording_file) as content:
        samples = np.column_stack([content["x"], content["y"]]).astype(np.float32)
    noisy = samples + np.random.default_rng(0).normal(0.0, 0.1, samples.shape).astype(np.float32)
    share = [
        np.mean([verdict.level > 0 for verdict in judge_recording(detector, given, [(0, 1000)])[1]])
        for given in (samples, noisy)
    ]
    assert share[0] < 0.05 < 0.5 < share[1]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_training_needs_no_other_backend(backend: str) -> None:
    require(backend)
    program = """
import json, os, sys
if os.environ["KERAS_BACKEND"] != "tensorflow":
    sys.modules["tensorflow"] = None  # as if it were not installed
import numpy as np
from agent.inference.features import PatchFeatures
from trainer.networks.models import NetworkSettings, patches
from trainer.networks.training import TrainingSettings, train

phase = np.random.default_rng(0).uniform(0.0, 6.28, (80, 1, 2))
waves = (1.4 * np.sin(np.pi * np.arange(16)[:, None] / 4 + phase)).astype(np.float32)
settings = TrainingSettings(epochs=20, batch_size=32, learning_rate=0.01)
losses = {}
for network in (NetworkSettings("dense", (16, 4, 16), activation="tanh"), NetworkSettings("vae", (16, 4))):
    trained, again = (train(waves[:60], waves[60:], network, settings, lambda loss: None) for _ in range(2))
    assert trained.history == again.history
    losses[network.architecture] = (trained.history.loss[0], trained.history.loss[-1])
features = PatchFeatures("patches", (1.0, 1.0), 8, 1)
chosen = [patches.choose_patches(waves[:count], 8) for count in (40, 80)]
weights, loss = patches.train_folds(chosen, features, 200, 0, lambda loss: None)
losses["patches"] = (1.0, loss)
print(json.dumps(losses))
"""
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    losses = json.loads(result.stdout.splitlines()[-1])
    assert sorted(losses) == ["dense", "patches", "vae"]
    for first, last in losses.values():
        assert last < 0.5 * first


def test_a_backend_that_is_not_there_is_one_line(recording_file: Path, tmp_path: Path) -> None:
    result = judder_train("abacus", "fit", recording_file, "--out", tmp_path / "x-1.judder")
    assert result.returncode == 1
    assert "Keras cannot run on the backend 'abacus'" in result.stderr
    assert "set KERAS_BACKEND to tensorflow, jax or torch" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []
