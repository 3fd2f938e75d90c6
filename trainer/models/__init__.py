"""The architectures, one file each; nothing here imports Keras before a model is built."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

# Name, as in the manifest, to the function that builds it; loaded only when chosen.
ARCHITECTURES: dict[str, str] = {
    "dense": "trainer.models.dense:build",
}

ACTIVATIONS = ("relu", "tanh")
"""Those that every TFLite runtime computes in full int8."""


@dataclass(frozen=True)
class NetworkSettings:
    """What the network looks like."""

    architecture: str = "dense"
    """A key of ``ARCHITECTURES``."""
    units: tuple[int, ...] = (64, 16, 64)
    """Sizes of the hidden layers."""
    activation: str = "relu"
    """One of ``ACTIVATIONS``."""


def build_model(settings: NetworkSettings, shape: tuple[int, int]) -> keras.Model:
    """Return an untrained Keras autoencoder.

    Args:
        settings: What it looks like; the architecture must be a known one.
        shape: Shape of one window's features, which is also that of the output.
    """
    module, _, name = ARCHITECTURES[settings.architecture].partition(":")
    model: keras.Model = getattr(importlib.import_module(module), name)(settings, shape)
    return model
