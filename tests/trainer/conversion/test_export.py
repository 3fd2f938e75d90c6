"""The network as files of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.inference.model import _runtime
from trainer.conversion.export import check_folder, export
from trainer.errors import OutputError
from trainer.networks.models import load_model
from trainer.networks.training import train
from trainer.settings import NetworkSettings, TrainingSettings

Run = Callable[..., Any]


def windows(count: int) -> np.ndarray:
    phase = np.random.default_rng(0).uniform(0.0, 2 * np.pi, (count, 1, 2))
    return (1.4 * np.sin(np.pi * np.arange(16)[:, None] / 4 + phase)).astype(np.float32)


def run(path: Path, batch: np.ndarray) -> list[np.ndarray]:
    """Run a graph on one window; outputs in the order of their sizes and names."""
    interpreter = _runtime()[0](str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], batch)
    interpreter.invoke()
    return [interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()]


def test_a_vae_comes_whole_and_in_halves_that_belong_together(tmp_path: Path) -> None:
    settings = TrainingSettings(epochs=20, learning_rate=0.01)
    network = NetworkSettings("vae", (16, 4), kl_weight=0.01, kl_warm_up_steps=10)
    model: Any = train(windows(200), None, network, settings, lambda loss: None).model
    files = export(model, "pump-1", windows(20), tmp_path / "networks")
    assert [path.name for path in files] == [
        "pump-1-decoder.keras",
        "pump-1-decoder.tflite",
        "pump-1-encoder.keras",
        "pump-1-encoder.tflite",
        "pump-1.keras",
        "pump-1.tflite",
    ]
    assert sorted(path.name for path in (tmp_path / "networks").iterdir()) == [path.name for path in files]
    one = windows(1)
    expected = np.asarray(model(one))
    folder = tmp_path / "networks"
    whole = load_model(folder / "pump-1.keras")
    assert np.array_equal(whole(one), expected)
    drawn = [np.asarray(whole(one, training=True)) for _ in range(2)]
    assert not np.array_equal(drawn[0], drawn[1])  # the full model still samples
    mean, log_variance = load_model(folder / "pump-1-encoder.keras")(one)
    assert mean.shape == log_variance.shape == (1, 4)
    assert np.allclose(load_model(folder / "pump-1-decoder.keras")(mean), expected, atol=1e-5)
    # And so in the gateway's runtime.
    assert np.allclose(run(folder / "pump-1.tflite", one)[0], expected, atol=1e-3)
    outputs = run(folder / "pump-1-encoder.tflite", one)
    distances = [np.abs(output - np.asarray(mean)).max() for output in outputs]
    assert len(outputs) == 2
    assert min(distances) < 1e-3
    latent = outputs[int(np.argmin(distances))]
    assert np.allclose(run(folder / "pump-1-decoder.tflite", latent)[0], expected, atol=5e-3)


@pytest.mark.slow
def test_fit_exports_beside_the_bundle(judder_train: Run, recording_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "networks"
    options = ("--arch", "dense", "--units", "8", "--epochs", 2, "--window", 32, "--folds", 3)
    arguments = ("fit", recording_file, "--out", tmp_path / "pump-2.judder", *options)
    result = judder_train(*arguments, "--export-dir", folder)
    assert result.exit_code == 0, result.output
    assert f"exported    {folder}/pump-2.keras, {folder}/pump-2.tflite" in result.stdout
    model = load_model(folder / "pump-2.keras")
    batch = np.random.default_rng(0).standard_normal((1, 32, 2)).astype(np.float32)
    assert np.allclose(run(folder / "pump-2.tflite", batch)[0], model(batch), atol=1e-3)


@pytest.mark.parametrize(
    ("name", "complaint"), [("file", "is no folder"), ("nowhere/x", "there is no folder")]
)
def test_a_folder_that_cannot_be_is_refused(tmp_path: Path, name: str, complaint: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=complaint):
        check_folder(tmp_path / name)
