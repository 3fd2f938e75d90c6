"""Conversion in all modes, run by the gateway's runtime; graphs that would crash a gateway are refused."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.inference.model import STACK, TFLiteModel
from tests.waiting import DEADLINE_S
from trainer.conversion import worker as conversion
from trainer.conversion.converter import Converter
from trainer.conversion.quantization import convert
from trainer.conversion.worker import DenseLayer, check_graph, crash_on_arm, dense_layers
from trainer.errors import ConversionError
from trainer.networks.models import build_model, load_model
from trainer.networks.training import train
from trainer.settings import QUANTIZATIONS, NetworkSettings, Quantization, TrainingSettings
from trainer.system.child import Child
from trainer.system.quiet import load_keras

SHAPE = (16, 2)

DIES_ONCE = """
import os, pathlib, sys
from trainer.conversion import worker as conversion

died = pathlib.Path(__file__).with_name("died")
if not died.exists():
    died.touch()
    sys.stdin.readline()
    os.kill(os.getpid(), {number})
conversion.main()
"""
"""A converter that ends itself by a signal at its first request."""


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    phase = np.random.default_rng(0).uniform(0.0, 2 * np.pi, (200, 1, 2))
    waves = np.sin(2 * np.pi * np.arange(16)[None, :, None] / 8 + phase)
    return (1.4 * waves).astype(np.float32)


@pytest.fixture(scope="module")
def model(features: np.ndarray) -> Any:
    settings = TrainingSettings(epochs=60, learning_rate=0.01)
    return train(
        features[:160], features[160:], NetworkSettings(units=(16,)), settings, lambda loss: None
    ).model


@pytest.mark.parametrize(
    ("quantization", "deviation"),
    # int8 has 127 steps for the largest value, about 1.4; float16 has 11 significant bits. Dynamic leaves the
    # few weights of this network alone.
    [("int8", 0.06), ("dynamic", 0.06), ("float16", 0.003), ("float32", 1e-5)],
)
def test_the_gateway_computes_what_keras_computes(
    model: Any, features: np.ndarray, quantization: Quantization, deviation: float
) -> None:
    content = convert(model, quantization, features)
    network = TFLiteModel(content)
    assert network.shape == network.output_shape == SHAPE
    assert network.quantized == (quantization == "int8")
    expected = np.asarray(model(features, training=False))
    assert np.abs(expected).max() > 1.0
    assert np.abs(network.reconstruct(features) - expected).max() < deviation


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_many_windows_at_once_give_what_each_gives_alone(
    model: Any, features: np.ndarray, quantization: Quantization
) -> None:
    network = TFLiteModel(convert(model, quantization, features))
    assert network.stacks
    assert len(features) % STACK  # some are left over
    together = network.reconstruct(features)
    alone = [network.reconstruct(window[np.newaxis])[0] for window in features]
    assert np.abs(together - np.array(alone)).max() < 1e-5


def test_a_layer_without_a_bias_gets_one_window_at_a_time(features: np.ndarray) -> None:
    load_keras()
    import keras

    inputs = keras.Input(SHAPE, name="features")
    flat = keras.layers.Reshape((32,))(inputs)
    bare = keras.layers.Dense(32, use_bias=False, kernel_initializer="identity")(flat)
    model = keras.Model(inputs, keras.layers.Reshape(SHAPE)(bare))
    network = TFLiteModel(convert(model, "float32", features))
    # The layer itself is harmless; the gateway's guard goes by the bias alone.
    assert not network.stacks
    assert np.abs(network.reconstruct(features) - features).max() < 1e-6


def test_all_modes_are_offered() -> None:
    assert QUANTIZATIONS == ("int8", "float16", "float32", "dynamic")


@pytest.mark.parametrize("quantization", ["int8", "float16", "float32"])
def test_an_all_zero_bias_is_kept_in_the_graph(features: np.ndarray, quantization: Quantization) -> None:
    untrained = build_model(NetworkSettings(units=(4,)), SHAPE)
    assert not any(weights.any() for weights in untrained.get_weights()[1::2])
    check_graph(convert(untrained, quantization, features))  # would raise


def test_the_guard_knows_biases_and_scales(model: Any, features: np.ndarray) -> None:
    # 16 units, then 16 x 2 values, each with a scale of its own.
    layers = list(dense_layers(convert(model, "int8", features)))
    assert layers == [
        DenseLayer(has_bias=True, weight_scales=16),
        DenseLayer(has_bias=True, weight_scales=32),
    ]
    assert not crash_on_arm(layers)
    floats = list(dense_layers(convert(model, "float32", features)))
    assert floats == [DenseLayer(has_bias=True, weight_scales=0)] * 2


@pytest.mark.parametrize(
    ("layer", "refused"),
    [
        (DenseLayer(has_bias=False, weight_scales=0), False),
        (DenseLayer(has_bias=False, weight_scales=1), False),
        (DenseLayer(has_bias=True, weight_scales=2), False),
        (DenseLayer(has_bias=False, weight_scales=2), True),
    ],
)
def test_a_graph_is_refused_for_a_single_layer(
    monkeypatch: pytest.MonkeyPatch, layer: DenseLayer, refused: bool
) -> None:
    layers = [DenseLayer(has_bias=True, weight_scales=16), layer]
    monkeypatch.setattr(conversion, "dense_layers", lambda content: iter(layers))
    assert crash_on_arm(layers) == refused
    if not refused:
        check_graph(b"")  # would raise
        return
    with pytest.raises(ConversionError, match="without a bias, which crashes tflite-runtime on ARM"):
        check_graph(b"")


@pytest.mark.parametrize(
    ("quantization", "tries"), [("int8", [True, False]), ("float32", [True]), ("dynamic", [False])]
)
def test_int8_that_the_guard_refuses_is_made_with_one_scale(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quantization: Quantization, tries: list[bool]
) -> None:
    tried: list[bool] = []

    def converted(folder: Path, quantization: str, *, per_channel: bool) -> bytes:
        tried.append(per_channel)
        return b"several scales" if per_channel and quantization == "int8" else b"one scale"

    def described(content: bytes) -> Iterator[DenseLayer]:
        yield DenseLayer(has_bias=False, weight_scales=2 if content == b"several scales" else 1)

    monkeypatch.setattr(conversion, "_converted", converted)
    monkeypatch.setattr(conversion, "dense_layers", described)
    monkeypatch.setattr(conversion, "open_batch", lambda content: content)
    conversion._convert(tmp_path, quantization)
    assert tried == tries
    assert (tmp_path / conversion.GRAPH).read_bytes() == b"one scale"


def test_a_network_without_a_bias_becomes_int8(features: np.ndarray) -> None:
    load_keras()
    import keras

    inputs = keras.Input(SHAPE, name="features")
    model = keras.Model(inputs, keras.layers.Dense(2, use_bias=False)(inputs))
    layers = list(dense_layers(convert(model, "int8", features)))
    assert layers == [DenseLayer(has_bias=False, weight_scales=1)]


def test_dynamic_weights_are_a_quarter_of_their_size_and_run_in_the_oldest_runtime() -> None:
    windows = np.random.default_rng(0).standard_normal((20, 16, 2)).astype(np.float32)
    load_keras()
    wide = build_model(NetworkSettings(units=(512,)), SHAPE)
    # 32 x 512 + 512 x 32 weights of one byte in place of four.
    sizes = {mode: len(convert(wide, mode, windows)) for mode in ("dynamic", "float32")}
    assert sizes["float32"] - sizes["dynamic"] == pytest.approx(3 * 32_768, rel=0.05)
    expected = np.asarray(wide(windows))
    difference = TFLiteModel(convert(wide, "dynamic", windows)).reconstruct(windows) - expected
    assert 0.0 < np.abs(difference).max() < 0.05


def test_what_the_converter_cannot_do_is_one_line(features: np.ndarray) -> None:
    load_keras()
    import keras

    inputs = keras.Input(SHAPE, name="features")
    exotic = keras.layers.Lambda(keras.ops.erfinv)(inputs)
    with pytest.raises(ConversionError) as caught:
        convert(keras.Model(inputs, exotic), "float32", features)
    assert str(caught.value).startswith("the converter cannot make the model float32: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (signal.SIGABRT, "(ended by SIGABRT) making the model int8; choose another --quantize"),
        (signal.SIGKILL, "(ended by SIGKILL) making the model int8; is there enough memory?"),
    ],
)
def test_a_crash_of_the_converter_is_one_line_and_the_next_conversion_works(
    model: Any, features: np.ndarray, tmp_path: Path, number: signal.Signals, told: str
) -> None:
    (tmp_path / "dies_once.py").write_text(DIES_ONCE.format(number=int(number)))
    converter = Converter()
    converter.child = Child("dies_once", {"PYTHONPATH": str(tmp_path), "KERAS_BACKEND": "tensorflow"})
    try:
        with pytest.raises(ConversionError) as caught:
            converter.convert(model, "int8", features)
        assert str(caught.value) == f"the converter crashed {told}"
        assert TFLiteModel(converter.convert(model, "int8", features)).shape == SHAPE
    finally:
        converter.close()


def test_the_converter_is_started_once_and_ends_when_nobody_can_ask_it_any_more() -> None:
    with closing(Converter()) as converter:
        converter.start()
        process = converter.child._process
        assert process is not None
        assert process.stdin is not None
        converter.start()
        assert converter.child._process is process
        process.stdin.close()  # as the kernel does when this process dies
        assert process.wait(DEADLINE_S) == 0
        converter.close()


@pytest.mark.parametrize("architecture", ["lstm-bottleneck", "vae"])
def test_a_model_with_layers_of_our_own_comes_back_from_its_file(tmp_path: Path, architecture: str) -> None:
    load_keras()
    saved = build_model(NetworkSettings(architecture, (8, 4)), SHAPE)
    saved.save(tmp_path / "model.keras")
    windows = np.random.default_rng(0).standard_normal((5, 16, 2)).astype(np.float32)
    assert np.array_equal(load_model(tmp_path / "model.keras")(windows), saved(windows))
