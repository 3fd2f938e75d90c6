"""What a network keeps of a window: found in graphs of every kind, and equal to what Keras computes there."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.inference.arrays import FloatArray
from agent.inference.features import PatchFeatures, RawFeatures
from trainer.conversion.quantization import convert
from trainer.networks.models import build_model, shipped_model
from trainer.networks.models.patches import convolutional, layer_sizes
from trainer.report.latent import bottleneck, latent_codes, principal_plane
from trainer.settings import NetworkSettings

STEPS, AXES = 8, 2
RAW = RawFeatures("raw", (1.0,) * AXES)


def operation(inputs: list[int], outputs: list[int], name: str = "ADD") -> dict[str, Any]:
    return {"op_name": name, "inputs": inputs, "outputs": outputs}


def test_the_narrowest_place_that_all_paths_pass_is_the_bottleneck() -> None:
    # 0 -> 1 -> 2 -> 3, and a way round 1: only 2 and 3 lie on every path.
    operations = [operation([0], [1]), operation([1, 0], [2]), operation([2], [3]), operation([3], [4])]
    shapes = {0: (1, 8), 1: (1, 1), 2: (1, 3), 3: (1, 5), 4: (1, 8)}
    assert bottleneck(operations, 0, 4, shapes) == 2


def test_weights_and_the_input_in_another_layout_are_no_bottleneck() -> None:
    operations = [
        operation([0], [1], "RESHAPE"),
        operation([1, 7], [2], "FULLY_CONNECTED"),
        operation([2, 7], [3]),
    ]
    shapes = {0: (1, 4, 1), 1: (1, 4), 2: (1, 6), 3: (1, 9), 7: (1,)}
    assert bottleneck(operations, 0, 3, shapes) == 2


def test_without_a_narrow_place_there_is_no_bottleneck() -> None:
    assert bottleneck([operation([0], [1]), operation([1], [2])], 0, 2, {0: (4,), 1: (9,), 2: (4,)}) is None


def test_paths_are_counted_however_many_there_are() -> None:
    # Each step doubles the paths: 2^400 of them.
    operations = [operation([step, step], [step + 1]) for step in range(400)]
    shapes = dict.fromkeys(range(401), (10,)) | {200: (2,)}
    assert bottleneck(operations, 0, 400, shapes) == 200


def windows(n: int = 12, length: int = STEPS) -> FloatArray:
    return np.random.default_rng(0).standard_normal((n, length, AXES)).astype(np.float32)


def codes(settings: NetworkSettings, quantization: Any) -> tuple[Any, Any, FloatArray]:
    import keras

    keras.utils.set_random_seed(3)
    model = shipped_model(settings, build_model(settings, (STEPS, AXES)))
    x = windows()
    return latent_codes(convert(model, quantization, x), RAW, x), model, x


@pytest.mark.parametrize(
    ("architecture", "units", "layer", "n_codes", "quantization"),
    [
        ("dense", (12, 3, 12), 3, 3, "float32"),
        ("dense", (12, 3, 12), 3, 3, "int8"),
        ("conv", (4, 2), 2, 4, "float32"),  # 8 steps halved twice, two filters
        ("lstm-bottleneck", (3,), 1, 3, "float32"),
        ("vae", (12, 3), "mean", 3, "float32"),
    ],
)
def test_the_code_is_what_keras_computes_there(
    architecture: str, units: tuple[int, ...], layer: int | str, n_codes: int, quantization: str
) -> None:
    import keras

    found, model, x = codes(NetworkSettings(architecture, units), quantization)
    assert found.description == f"the {n_codes} numbers of the bottleneck"
    inside = model.get_layer(layer) if isinstance(layer, str) else model.layers[layer]
    expected = np.asarray(keras.Model(model.input, inside.output)(x)).reshape(len(x), -1)
    assert found.values.shape == expected.shape == (len(x), n_codes)
    # The converter may nudge a bias by 1e-3.
    allowed = 2e-3 if quantization == "float32" else 0.1 * np.abs(expected).max()
    assert np.abs(found.values - expected).max() < allowed


def test_a_stack_without_a_bottleneck_shows_its_reconstruction() -> None:
    found, model, x = codes(NetworkSettings("lstm", (5,)), "float32")
    assert found.description.startswith("the network has no bottleneck")
    assert found.values == pytest.approx(np.asarray(model(x)).reshape(len(x), -1), abs=2e-3)


def test_the_codes_of_patches_are_told_by_mean_and_deviation() -> None:
    import keras

    features = PatchFeatures("patches", (1.0,) * AXES, 4, 2)
    sizes = layer_sizes(4, AXES)
    random = np.random.default_rng(1)
    weights: list[FloatArray] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        weights += [
            random.normal(0, 0.3, (fan_in, fan_out)).astype(np.float32),
            np.full(fan_out, 0.1, np.float32),
        ]
    x, model = windows(), convolutional(weights, features, STEPS)
    found = latent_codes(convert(model, "float32", x), features, x)
    assert "of the 5 numbers of the bottleneck over a window's patches" in found.description
    # The second layer is the narrow one: five numbers for each of three patches.
    inner = np.asarray(keras.Model(model.input, model.get_layer("layer1").output)(x))[0]
    assert inner.shape == (3, 5)
    assert found.values.shape == (12, 10)
    assert found.values[0] == pytest.approx(np.concatenate((inner.mean(0), inner.std(0))), abs=1e-4)


def test_the_plane_of_points_on_a_line_is_that_line() -> None:
    along = np.array([-3.0, -1.0, 0.0, 4.0])
    plane = principal_plane(np.outer(along, [0.6, 0.8, 0.0]) + 5.0)
    assert plane.shares == pytest.approx((1.0, 0.0))
    assert np.abs(plane.points[:, 0]) == pytest.approx(np.abs(along))
    assert plane.points[:, 1] == pytest.approx(np.zeros(4), abs=1e-9)


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 6)), elements=st.floats(-1e3, 1e3))
)
def test_the_plane_keeps_no_more_variance_than_there_is(values: npt.NDArray[np.float64]) -> None:
    plane = principal_plane(values)
    first, second = plane.shares
    assert 0.0 <= second <= first + 1e-9
    assert first + second <= 1.0 + 1e-9
    assert plane.points.shape == (len(values), 2)
    total = np.square(values - values.mean(axis=0)).sum()
    assert np.square(plane.points).sum() == pytest.approx((first + second) * total, abs=1e-6 * (1 + total))
