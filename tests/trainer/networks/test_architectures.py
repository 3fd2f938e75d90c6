"""Every architecture from recording to verdict, the figures of published networks, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.inference.detector import judge_recording, open_detector
from agent.inference.model import TFLiteModel
from trainer.conversion.quantization import convert
from trainer.errors import ChoiceError
from trainer.networks.models import ARCHITECTURES, build_model, check_network, with_layers
from trainer.networks.training import Trained, train
from trainer.settings import NetworkSettings, Quantization, TrainingSettings
from trainer.system.quiet import load_keras

Run = Callable[..., Any]
_QUICK = (
    *("--no-compare-modes", "--no-auto", "--folds", "3"),
    *("--window", "16", "--epochs", "3", "--batch-size", "256", "--learning-rate", "0.01"),
)


def waves(n_windows: int, seed: int, length: int = 16) -> np.ndarray:
    """Two axes, a sine of eight samples each with a phase of its own and an RMS of 1: four dimensions."""
    phase = np.random.default_rng(seed).uniform(0.0, 2 * np.pi, (n_windows, 1, 2))
    return (np.sqrt(2) * np.sin(np.pi * np.arange(length)[:, None] / 4 + phase)).astype(np.float32)


def trained(network: NetworkSettings, epochs: int = 30, length: int = 16, **settings: Any) -> Trained:
    features = waves(300, seed=0, length=length)
    quick = TrainingSettings(epochs=epochs, learning_rate=0.01, **settings)
    return train(features[:200], features[200:], network, quick, lambda loss: None)


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("dense", "--units 16,8,16 --activation tanh --dropout 0.25 --quantize dynamic"),
        ("spectral", "--units 4 --bands 8 --features amplitude"),
        ("conv", "--units 8,4 --kernel 3"),
        ("lstm", "--units 2x4 --features minmax --loss mae --window 8"),
        ("lstm-bottleneck", "--units 4 --dropout 0.1 --quantize float16 --window 8"),
        ("vae", "--units 16,4 --kl-weight 0.01 --kl-warm-up 20"),
        ("pca", "--view feature --components 1"),
    ],
)
def test_each_architecture_judges_a_recording(
    judder_train: Run,
    recording_file: Path,
    healthy_samples: Run,
    tmp_path: Path,
    architecture: str,
    options: str,
) -> None:
    path = tmp_path / "pump-1.judder"
    arguments = ("--arch", architecture, *options.split())
    result = judder_train("fit", recording_file, "--out", path, *_QUICK, *arguments)
    assert result.exit_code == 0, result.output
    assert "us per window for the network here, on tflite-runtime" in result.output
    detector, bundle = open_detector(path)
    part = next(part for part in bundle.manifest.parts if part.kind == "reconstruction")
    assert part.architecture == architecture
    healthy = healthy_samples(1000, seed=5)
    noisy = healthy + np.random.default_rng(0).normal(0.0, 0.1, healthy.shape).astype(np.float32)
    share = [
        np.mean([verdict.level > 0 for verdict in judge_recording(detector, samples, [(0, 1000)])[1]])
        for samples in (healthy, noisy)
    ]
    assert share[0] < 0.05 < 0.5 < share[1]
    explained = detector.explain(noisy[: bundle.manifest.window.length], "reconstruction").contributions
    assert {contribution.where[0] for contribution in explained} == {"x", "y"}


def test_sampling_is_drawn_from_the_seed() -> None:
    # The others draw nothing but first weights and order, as dense does, of which test_cli.py asks the same.
    windows = waves(20, seed=1)
    first, again = (trained(NetworkSettings("vae", (16, 4)), epochs=2).model for _ in range(2))
    assert convert(first, "int8", windows) == convert(again, "int8", windows)


def test_every_architecture_is_tested_above() -> None:
    # patches, the default, is that of test_fit.py.
    others = {name for name, known in ARCHITECTURES.items() if not known.fixed}
    assert sorted(others) == ["conv", "dense", "lstm", "lstm-bottleneck", "pca", "spectral", "vae"]


@pytest.mark.parametrize(
    ("network", "shape", "parameters"),
    [
        # 25 inputs: 25x16+16, 16x8+8, 8x16+16, 16x25+25
        (NetworkSettings("dense", (16, 8, 16), activation="tanh", dropout=0.25), (25, 1), 1121),
        # 75 inputs: 75x64+64, 64x32+32, 32x16+16, 16x8+8, and the mirror with 8x16+16 ... 64x75+75
        (NetworkSettings("dense", (64, 32, 16, 8, 16, 32, 64)), (25, 3), 15283),
        # 3 x 3001 bins: 9003x100+100, 100x9003+9003
        (NetworkSettings("spectral", (100,)), (3001, 3), 1809703),
        # 4x50x(3+50+1), ten times 4x50x(50+50+1), 50x3+3
        (NetworkSettings("lstm", (50,) * 11), (10, 3), 212953),
        # 4u(i+u+1) of 3-64, 64-32, 32-16, 16-16, 16-32, 32-64, and 64x3+3
        (NetworkSettings("lstm-bottleneck", (64, 32, 16)), (10, 3), 66371),
    ],
)
def test_the_published_networks_have_their_size(
    network: NetworkSettings, shape: tuple[int, int], parameters: int
) -> None:
    load_keras()
    model = build_model(network, shape)
    assert model.output_shape == (None, *shape)
    assert model.count_params() == parameters


@pytest.mark.parametrize(
    ("network", "shape", "units"),
    [
        (NetworkSettings("spectral", ()), (3001, 3), (100,)),
        (NetworkSettings("spectral", ()), (17, 3), (12,)),  # a quarter of 51 bands
        (NetworkSettings("spectral", ()), (2, 1), (1,)),
        (NetworkSettings("dense", ()), (17, 3), (64, 16, 64)),
        (NetworkSettings("spectral", (8,)), (3001, 3), (8,)),
    ],
)
def test_layers_that_nobody_asked_for_fit_the_features(
    network: NetworkSettings, shape: tuple[int, int], units: tuple[int, ...]
) -> None:
    assert with_layers(network, shape).units == units


@pytest.mark.parametrize("steps", [12, 13, 15])
def test_conv_takes_lengths_that_cannot_be_halved(steps: int) -> None:
    load_keras()
    model = build_model(NetworkSettings("conv", (4, 2)), (steps, 3))
    assert model.output_shape == (None, steps, 3)


def test_dropout_is_for_training_only() -> None:
    network = NetworkSettings("dense", (32,), dropout=0.5)
    model = trained(network, epochs=2).model
    windows = waves(5, seed=1)
    assert np.array_equal(model(windows), model(windows))
    assert not np.array_equal(model(windows, training=True), model(windows, training=True))


def test_the_loss_may_be_the_mean_absolute_error() -> None:
    result = trained(NetworkSettings("dense", (8,)), epochs=5, loss="mae")
    error = np.abs(np.asarray(result.model(waves(300, seed=0)[200:])) - waves(300, seed=0)[200:])
    assert result.validation_loss == pytest.approx(error.mean(), rel=1e-4)


# --- LSTM


@pytest.fixture(scope="module")
def recurrent() -> Trained:
    return trained(NetworkSettings("lstm-bottleneck", (6, 3)), epochs=2)


def test_the_unrolled_network_computes_what_the_loop_does(recurrent: Trained) -> None:
    loop = build_model(NetworkSettings("lstm-bottleneck", (6, 3)), (16, 2))
    loop.set_weights(recurrent.model.get_weights())
    windows = waves(20, seed=1)
    graph = TFLiteModel(convert(recurrent.model, "float32", windows))
    assert np.abs(graph.reconstruct(windows) - np.asarray(loop(windows))).max() < 1e-5


def test_dropout_does_not_keep_an_lstm_from_int8() -> None:
    network = NetworkSettings("lstm-bottleneck", (64, 32), dropout=0.1)
    model = trained(network, epochs=1, length=10).model
    windows = waves(50, seed=1, length=10)
    graph = TFLiteModel(convert(model, "int8", windows))
    assert np.abs(graph.reconstruct(windows) - np.asarray(model(windows))).max() < 0.05


@pytest.mark.parametrize(("quantization", "deviation"), [("float16", 1e-3), ("dynamic", 0.02)])
def test_a_long_network_stays_a_loop(quantization: Quantization, deviation: float) -> None:
    long = NetworkSettings("lstm", (2, 2))
    model = trained(long, epochs=1, length=256).model
    windows = waves(5, seed=1, length=256)
    graph = convert(model, quantization, windows)
    assert len(graph) < 50_000
    assert np.abs(TFLiteModel(graph).reconstruct(windows) - np.asarray(model(windows))).max() < deviation


# --- VAE


def test_the_two_halves_are_the_deterministic_path() -> None:
    from trainer.networks.models.vae import halves

    model = trained(NetworkSettings("vae", (16, 4), kl_weight=0.01)).model
    windows = waves(10, seed=1)
    two = halves(model)
    mean, log_variance = two.encoder(windows)
    assert mean.shape == log_variance.shape == (10, 4)
    assert np.allclose(two.decoder(mean), model(windows), atol=1e-5)


def test_a_heavy_divergence_presses_the_latent_space_to_the_standard_normal_distribution() -> None:
    from trainer.networks.models.vae import halves

    network = NetworkSettings("vae", (16, 4), kl_weight=100.0, kl_warm_up_steps=1)
    mean, log_variance = halves(trained(network, epochs=60).model).encoder(waves(50, seed=1))
    assert np.abs(mean).max() < 0.2
    assert np.abs(log_variance).max() < 0.2


def test_the_divergence_grows_from_nothing() -> None:
    load_keras()
    model = build_model(NetworkSettings("vae", (8, 2), kl_warm_up_steps=4), (16, 2))
    windows = waves(10, seed=1)
    # Without noise of the sampling: the divergence depends on the encoder alone.
    losses = [float(_penalty(model, windows)) for _ in range(6)]
    assert losses[1:4] == pytest.approx([2 * losses[0], 3 * losses[0], 4 * losses[0]], rel=1e-5)
    assert losses[5] == losses[4] == losses[3] > 0.0


def _penalty(model: Any, windows: np.ndarray) -> Any:
    model(windows, training=True)
    return model.losses[0]


# --- Principal components


def _components(network: NetworkSettings, size: int) -> int:
    """Number of components, from size x k + k + k x size + size parameters."""
    return (trained(network).parameters - size) // (2 * size + 1)


def test_the_number_of_components_is_that_of_the_dimensions() -> None:
    # Each axis is a sum of a sine and a cosine, with the same variance.
    assert _components(NetworkSettings("pca", components=0.9), size=32) == 4
    assert _components(NetworkSettings("pca", components=0.7), size=32) == 3
    assert _components(NetworkSettings("pca", components=5), size=32) == 5
    assert _components(NetworkSettings("pca", view="feature", components=0.99), size=16) == 2


def test_held_out_data_choose_the_dimensions_in_noise() -> None:
    random = np.random.default_rng(0)
    noisy = waves(1200, seed=0) + 0.3 * random.standard_normal((1200, 16, 2)).astype(np.float32)
    settings = NetworkSettings("pca")
    result = train(noisy[:800], noisy[800:], settings, TrainingSettings(), lambda loss: None)
    assert (result.parameters - 32) // 65 == 4
    # 28 of 32 dimensions of noise with the variance 0.09 are left over.
    assert result.validation_loss == pytest.approx(0.0788, rel=0.05)


def test_time_steps_over_axes_are_a_view_of_their_own() -> None:
    result = trained(NetworkSettings("pca", view="time", components=1))
    # Two independent axes of variance 1, one direction kept.
    assert result.loss == pytest.approx(0.5, abs=0.06)
    assert result.parameters == 7


# --- Refused before training


@pytest.mark.parametrize(
    ("network", "shape", "features", "quantization", "complaint"),
    [
        (NetworkSettings("spectral"), (32, 2), "raw", "int8", "choose --features spectrum or amplitude"),
        (NetworkSettings("spectral", (100,)), (17, 2), "spectrum", "int8", "must be 8 or less for 17 x 2"),
        (NetworkSettings("lstm"), (17, 2), "spectrum", "int8", "choose --features raw or minmax"),
        (
            NetworkSettings("lstm", (8, 8)),
            (193, 3),
            "raw",
            "int8",
            "cannot be made int8; choose --quantize float16, float32 or dynamic, or --window 192 or less",
        ),
        (NetworkSettings("lstm-bottleneck", (8, 4)), (97, 3), "raw", "int8", "--window 96 or less"),
    ],
)
def test_what_cannot_work_is_refused_with_what_can(
    network: NetworkSettings, shape: tuple[int, int], features: str, quantization: str, complaint: str
) -> None:
    with pytest.raises(ChoiceError) as caught:
        check_network(network, shape, features, quantization)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("quantization", ["float16", "float32", "dynamic"])
def test_a_loop_may_stay_in_floating_point(quantization: str) -> None:
    check_network(NetworkSettings("lstm", (8, 8)), (193, 3), "raw", quantization)
    check_network(NetworkSettings("lstm", (8, 8)), (192, 3), "raw", "int8")


@pytest.mark.parametrize(
    ("network", "complaint"),
    [
        (NetworkSettings("conv", (4,) * 5), "halves 16 steps to nothing"),
        (NetworkSettings("vae", (8,)), "needs a hidden layer and the latent size"),
        (NetworkSettings("pca", components=32), "choose --components 31 or less"),
    ],
)
def test_what_cannot_be_built_is_told(network: NetworkSettings, complaint: str) -> None:
    with pytest.raises(ChoiceError, match=complaint):
        trained(network)


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        ("--arch conv --view time", 2, "--view is of --arch pca; conv takes none"),
        ("--arch lstm --activation tanh", 2, "--activation is of --arch dense, spectral, conv, vae"),
        ("--arch pca --components 0", 2, "a number of components, a share of variance such as 0.95"),
        ("--arch lstm --units 99x50", 2, "such as 64,16,64 or 11x50"),
        ("--arch conv --bands 8", 1, "--bands sums up a spectrum; with --features raw there is none"),
        ("--arch spectral --bands 99", 1, "99 bands: a window of 64 samples has 2 to 33"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(
    judder_train: Run, recording_file: Path, tmp_path: Path, options: str, code: int, complaint: str
) -> None:
    result = judder_train("fit", recording_file, "--out", tmp_path / "x-1.judder", *options.split())
    assert result.exit_code == code
    assert complaint in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []
