"""Conversion in all modes, run by the gateway's runtime; graphs that would crash a gateway are refused."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.inference.model import STACK, TFLiteModel
from tests.waiting import DEADLINE_S
from trainer import conversion
from trainer.conversion import check_graph
from trainer.converter import Converter
from trainer.errors import ConversionError
from trainer.models import NetworkSettings, build_model, load_model
from trainer.quantization import QUANTIZATIONS, Quantization, convert
from trainer.quiet import load_keras, load_tensorflow
from trainer.training import TrainingSettings, train

SHAPE = (16, 2)
# BuiltinOperator in the TFLite schema
FULLY_CONNECTED = 9


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
    # Several rows would crash tflite-runtime on ARM, were the weights int8 per channel.
    assert not network.stacks
    assert np.abs(network.reconstruct(features) - features).max() < 1e-6


def test_all_modes_are_offered() -> None:
    assert QUANTIZATIONS == ("int8", "float16", "float32", "dynamic")


@pytest.mark.parametrize("quantization", ["int8", "float16", "float32"])
def test_an_all_zero_bias_is_kept_in_the_graph(features: np.ndarray, quantization: Quantization) -> None:
    untrained = build_model(NetworkSettings(units=(4,)), SHAPE)
    assert not any(weights.any() for weights in untrained.get_weights()[1::2])
    check_graph(convert(untrained, quantization, features))  # would raise


def test_a_layer_without_a_bias_gets_one_scale_and_is_refused_with_several(
    features: np.ndarray, tmp_path: Path
) -> None:
    load_tensorflow()
    import keras

    inputs = keras.Input(SHAPE, name="features")
    model = keras.Model(inputs, keras.layers.Dense(2, use_bias=False)(inputs))
    check_graph(convert(model, "int8", features))  # would raise
    model.save(tmp_path / conversion.MODEL)
    np.save(tmp_path / conversion.REPRESENTATIVES, features)
    per_channel = conversion._converted(tmp_path, "int8", per_channel=True)
    with pytest.raises(ConversionError, match="without a bias, which crashes tflite-runtime on ARM"):
        check_graph(per_channel)


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


def test_a_crash_of_the_converter_is_one_line_and_the_next_conversion_works(model: Any) -> None:
    # A loop of LSTM steps ends the converter with a segmentation fault when it makes it int8.
    windows = np.random.default_rng(0).standard_normal((20, 16, 2)).astype(np.float32)
    loop = build_model(NetworkSettings("lstm", (4,)), SHAPE)
    with pytest.raises(ConversionError) as caught:
        convert(loop, "int8", windows)
    assert str(caught.value) == (
        "the converter crashed (ended by SIGSEGV) making the model int8; choose another --quantize"
    )
    assert TFLiteModel(convert(model, "int8", windows)).shape == SHAPE


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
