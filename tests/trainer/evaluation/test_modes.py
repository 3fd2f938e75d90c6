"""What quantization costs, mode by mode, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agent.inference.features import RawFeatures
from agent.inference.reconstruction import ReconstructionPart
from trainer.conversion.quantization import convert
from trainer.errors import ConversionError
from trainer.evaluation.modes import ModeFigures, choose_mode, compare_modes
from trainer.networks.training import train
from trainer.settings import NetworkSettings, Quantization, TrainingSettings

SCALED = RawFeatures("raw", (1.0, 1.0))
PART = ReconstructionPart(
    kind="reconstruction",
    name="reconstruction",
    weight=1.0,
    features=SCALED,
    model="model.tflite",
    architecture="dense",
    quantization="int8",
    metric="mae",
)
FIGURES = (
    ModeFigures(
        mode="int8",
        size_bytes=5000,
        correlation=0.71,
        largest_difference=2.0,
        roc_auc_difference=-0.1,
        per_window_us=3.0,
    ),
    ModeFigures(
        mode="float16",
        size_bytes=9000,
        correlation=0.99,
        largest_difference=0.1,
        roc_auc_difference=0.0,
        per_window_us=4.0,
    ),
    ModeFigures(
        mode="float32",
        size_bytes=18000,
        correlation=1.0,
        largest_difference=0.0,
        roc_auc_difference=0.0,
        per_window_us=4.0,
    ),
    ModeFigures(mode="dynamic", impossible="the runtime refuses it"),
)


def waves(n_windows: int) -> np.ndarray:
    random = np.random.default_rng(0)
    phase = random.uniform(0.0, 2 * np.pi, (n_windows, 1, 2))
    windows = np.sqrt(2) * np.sin(np.pi * np.arange(16)[:, None] / 4 + phase)
    return (windows + 0.2 * random.standard_normal(windows.shape)).astype(np.float32)


@pytest.mark.parametrize(
    "network",
    [
        NetworkSettings("dense", (16, 4, 16)),
        NetworkSettings("conv", (8, 4), kernel=3),
        NetworkSettings("lstm-bottleneck", (8,)),
        NetworkSettings("vae", (16, 4), kl_weight=0.01),
        NetworkSettings("pca", components=4),
    ],
)
def test_every_mode_of_every_network_is_measured(network: NetworkSettings) -> None:
    windows = waves(300)
    settings = TrainingSettings(epochs=20, learning_rate=0.01)
    model: Any = train(windows, None, network, settings, lambda loss: None).model
    graphs: dict[str, bytes] = {}

    def graph(mode: Quantization) -> bytes:
        graphs[mode] = convert(model, mode, windows)
        return graphs[mode]

    figures = {one.mode: one for one in compare_modes(PART, graph, windows, seed=0)}
    assert list(figures) == ["int8", "float16", "float32", "dynamic"]
    assert figures["float32"].correlation == pytest.approx(1.0)
    assert figures["float32"].largest_difference == figures["float32"].roc_auc_difference == 0.0
    for mode, one in figures.items():
        assert one.impossible is None
        assert one.size_bytes == len(graphs[mode])
        assert one.correlation is not None
        assert one.correlation > 0.9
        assert one.roc_auc_difference is not None
        assert abs(one.roc_auc_difference) < 0.05
        assert one.per_window_us is not None
        assert 0.0 < one.per_window_us < 1e5
        assert one.kept() == replace(one, per_window_us=None)
    sizes = figures["float16"].size_bytes, figures["float32"].size_bytes
    assert sizes[0] is not None
    assert sizes[1] is not None
    assert sizes[0] < 1.2 * sizes[1]


def test_the_mode_asked_for_is_taken_if_it_is_faithful() -> None:
    assert choose_mode(FIGURES, "float16", None).mode == "float16"


def test_one_that_loses_too_much_may_be_left() -> None:
    assert choose_mode(FIGURES, "int8", "float16").mode == "float16"


def test_one_that_loses_too_much_is_refused_with_those_that_pass() -> None:
    with pytest.raises(ConversionError) as caught:
        choose_mode(FIGURES, "int8", None)
    assert str(caught.value) == (
        "int8 loses too much: its scores correlate with those of float32 by 0.71 only; choose --quantize "
        "float16 or float32"
    )


def test_one_that_is_impossible_is_refused_with_its_reason() -> None:
    with pytest.raises(ConversionError, match="the runtime refuses it"):
        choose_mode(FIGURES, "dynamic", None)


def test_a_graph_that_cannot_be_made_is_told_and_the_others_are_measured() -> None:
    windows = waves(60)
    settings = TrainingSettings(epochs=1)
    model: Any = train(windows, None, NetworkSettings("dense", (4,)), settings, lambda loss: None).model
    exact = convert(model, "float32", windows)

    def graph(mode: Quantization) -> bytes:
        if mode == "int8":
            raise ConversionError("the converter crashed")
        return exact

    figures = compare_modes(PART, graph, windows, seed=0)
    assert figures[0] == ModeFigures(mode="int8", impossible="the converter crashed")
    assert all(one.correlation == pytest.approx(1.0) for one in figures[1:])
