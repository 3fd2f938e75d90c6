"""The architectures, one file each; nothing here imports Keras before a model is built."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from agent.inference.arrays import FloatArray
from trainer.errors import ChoiceError
from trainer.settings import FeatureKind, NetworkSettings

if TYPE_CHECKING:
    import keras


MAX_UNROLLED_CELLS = 384
"""LSTM cells (layers x time steps) that are laid out one by one in the graph, some 4 to 10 kB each."""

_WIDEST_BOTTLENECK = 0.25


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What is known of an architecture before Keras is loaded."""

    module: str
    """Holds ``build(settings, shape)``, and ``shipped(settings, model)`` if the gateway gets a twin."""
    units: tuple[int, ...]
    """Sizes of the layers if none are asked for."""
    time_order: bool = False
    """True if it takes a sequence in time, not a spectrum."""
    spectrum: bool = False
    """True if it takes a spectrum only."""
    closed_form: bool = False
    """True if ``module`` holds ``solve(settings, features, validation)`` instead of an untrained network."""
    recurrent: bool = False
    fixed: bool = False
    """True if its layers, features and training are not for choice."""


# By name, as in the manifest.
ARCHITECTURES: dict[str, Architecture] = {
    "patches": Architecture(module="trainer.networks.models.patches", units=(), time_order=True, fixed=True),
    "dense": Architecture(module="trainer.networks.models.dense", units=(64, 16, 64)),
    "spectral": Architecture(module="trainer.networks.models.dense", units=(100,), spectrum=True),
    "conv": Architecture(module="trainer.networks.models.conv", units=(32, 16, 8)),
    "lstm": Architecture(
        module="trainer.networks.models.lstm", units=(50, 50), time_order=True, recurrent=True
    ),
    "lstm-bottleneck": Architecture(
        module="trainer.networks.models.lstm", units=(64, 32, 16), time_order=True, recurrent=True
    ),
    "vae": Architecture(module="trainer.networks.models.vae", units=(64, 8)),
    "pca": Architecture(module="trainer.networks.models.pca", units=(), closed_form=True),
}


def build_model(settings: NetworkSettings, shape: tuple[int, int]) -> keras.Model:
    """Return an untrained Keras autoencoder.

    Args:
        settings: What it looks like; the architecture must be a known one, not in closed form.
        shape: Shape of one window's features, which is also that of the output.

    Raises:
        ChoiceError: If the window is too short for the layers.
    """
    model: keras.Model = _module(settings).build(settings, shape)
    return model


def shipped_model(settings: NetworkSettings, model: keras.Model) -> keras.Model:
    """Return the network that goes to the gateway: the trained one, or its twin made for TFLite.

    Args:
        settings: What it looks like.
        model: The trained model.
    """
    module = _module(settings)
    twin: keras.Model = module.shipped(settings, model) if hasattr(module, "shipped") else model
    return twin


def solve_model(
    settings: NetworkSettings, features: FloatArray, validation: FloatArray | None
) -> keras.Model:
    """Return the model of an architecture in closed form.

    Args:
        settings: What it looks like.
        features: Of the training windows, in the order of time, shape (n_windows, *shape).
        validation: Of the validation windows, likewise; None if there are none.

    Raises:
        ChoiceError: If more components are asked for than there are.
    """
    model: keras.Model = _module(settings).solve(settings, features, validation)
    return model


def load_model(path: Path) -> keras.Model:
    """Read a model that Keras saved, on whatever backend it was made.

    Args:
        path: A ``.keras`` file of our own: it may hold code.
    """
    import keras

    for architecture in ARCHITECTURES.values():
        importlib.import_module(architecture.module)  # so that Keras knows their layers
    return keras.saving.load_model(path, compile=False, safe_mode=False)


def with_layers(settings: NetworkSettings, shape: tuple[int, int]) -> NetworkSettings:
    """Return the settings with the architecture's layers if none were asked for.

    A spectrum's bottleneck is a quarter of its bands at most.

    Args:
        settings: What the network looks like.
        shape: Shape of one window's features.
    """
    if settings.units:
        return settings
    units = ARCHITECTURES[settings.architecture].units
    if settings.architecture == "spectral":
        units = tuple(min(size, max(_widest(shape), 1)) for size in units)
    return replace(settings, units=units)


def check_network(
    settings: NetworkSettings, shape: tuple[int, int], features: str, quantization: str
) -> None:
    """Refuse before training what could not be trained, converted or run.

    Args:
        settings: What the network looks like.
        shape: Shape of one window's features.
        features: Kind of the features.
        quantization: Of the graph.

    Raises:
        ChoiceError: With the reason and what works.
    """
    architecture = ARCHITECTURES[settings.architecture]
    spectrum = features in ("spectrum", "amplitude")
    if architecture.spectrum and not spectrum:
        raise ChoiceError(
            f"{settings.architecture} takes frequency bands; choose --features spectrum or amplitude"
        )
    if architecture.time_order and spectrum:
        raise ChoiceError(
            f"{settings.architecture} takes samples in the order of time; choose --features raw or minmax"
        )
    if settings.architecture == "spectral":
        _check_bottleneck(settings, shape)
    if architecture.recurrent and not unrolled(settings, shape[0]):
        _check_loop(settings, shape[0], quantization)


def unrolled(settings: NetworkSettings, steps: int) -> bool:
    """Return whether a recurrent network is laid out step by step in the graph."""
    return _layers(settings) * steps <= MAX_UNROLLED_CELLS


def _layers(settings: NetworkSettings) -> int:
    return len(settings.units) * (2 if settings.architecture == "lstm-bottleneck" else 1)


def _widest(shape: tuple[int, int]) -> int:
    return int(_WIDEST_BOTTLENECK * shape[0] * shape[1])


def _check_bottleneck(settings: NetworkSettings, shape: tuple[int, int]) -> None:
    widest = _widest(shape)
    if min(settings.units) > widest:
        raise ChoiceError(
            f"spectral needs a bottleneck: the smallest of --units must be {widest} or less for "
            f"{shape[0]} x {shape[1]} bands"
        )


def _check_loop(settings: NetworkSettings, steps: int, quantization: str) -> None:
    # TensorFlow 2.19's converter has no int8 for a loop.
    if quantization != "int8":
        return
    longest = MAX_UNROLLED_CELLS // _layers(settings)
    raise ChoiceError(
        f"{settings.architecture} with {_layers(settings)} layers over {steps} steps is too long to unroll, "
        "and a loop cannot be made int8; choose --quantize float16, float32 or dynamic, or --window "
        f"{longest} or less"
    )


def _module(settings: NetworkSettings) -> ModuleType:
    return importlib.import_module(ARCHITECTURES[settings.architecture].module)


def default_features(architecture: str) -> FeatureKind:
    """Return the features of an architecture if none are asked for."""
    known = ARCHITECTURES.get(architecture)
    return "spectrum" if known and known.spectrum else "raw"
