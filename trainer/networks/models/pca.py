"""Principal components as an autoencoder: two linear layers, solved and not trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from agent.inference.arrays import FloatArray
from trainer.errors import ChoiceError

if TYPE_CHECKING:
    from trainer.settings import NetworkSettings, View

Array = npt.NDArray[np.float64]


_HELD_OUT = 5
"""Without validation windows the last fifth decides on the number of components."""


@dataclass(frozen=True)
class _Axes:
    """Where observations lie, and the directions in which they spread, widest first."""

    mean: Array
    variances: Array
    vectors: Array


def solve(settings: NetworkSettings, features: FloatArray, validation: FloatArray | None) -> keras.Model:
    """Return a model that projects onto the principal components of the training windows and back.

    Args:
        settings: View and number of components.
        features: Of the training windows, in the order of time, shape (n_windows, n_steps, n_axes).
        validation: Of the validation windows, likewise; they decide on the number of components if it is
            left open. None for the last fifth of the training windows, which then teach all the same.

    Raises:
        ChoiceError: If more components are asked for than there are.
    """
    axes = _principal(features, settings.view)
    count = _count(settings.components, axes.variances)
    if count is None and validation is not None:
        count = _most_likely(axes, validation, settings.view)
    elif count is None:
        border = len(features) - max(len(features) // _HELD_OUT, 1)
        count = _most_likely(_principal(features[:border], settings.view), features[border:], settings.view)
    return _network(settings.view, features.shape[1:], axes.mean, axes.vectors[:, :count])


def _principal(features: FloatArray, view: View) -> _Axes:
    seen = _observations(features, view)
    variances, vectors = np.linalg.eigh(np.atleast_2d(np.cov(seen, rowvar=False, bias=True)))
    return _Axes(seen.mean(axis=0), np.maximum(variances[::-1], 0.0), vectors[:, ::-1])


def _observations(features: FloatArray, view: View) -> Array:
    """Return observations, shape (n_observations, size): windows, or all their time steps, or their axes."""
    n_windows, n_steps, n_axes = features.shape
    if view == "time":
        return features.reshape(-1, n_axes).astype(np.float64)
    if view == "feature":
        return features.transpose(0, 2, 1).reshape(-1, n_steps).astype(np.float64)
    return features.reshape(n_windows, -1).astype(np.float64)


def _count(wanted: int | float | None, variances: Array) -> int | None:
    """Return the number of components, or None if the data are to choose it."""
    most = len(variances) - 1
    if most < 1:
        raise ChoiceError(
            "principal components need two numbers or more per observation; choose another --view"
        )
    if isinstance(wanted, float):
        explained = np.cumsum(variances) / variances.sum()
        return min(int(np.searchsorted(explained, wanted)) + 1, most)
    if wanted is not None and wanted > most:
        raise ChoiceError(f"{wanted} components reproduce everything; choose --components {most} or less")
    return wanted


def _most_likely(axes: _Axes, held_out: FloatArray, view: View) -> int:
    """Return the number of components under which held-out windows are most likely.

    Probabilistic principal components: k directions with their own variance, the same noise in all others
    (Tipping and Bishop, Journal of the Royal Statistical Society B 61, 1999).
    """
    variances = axes.variances
    floor = max(float(variances[0]), 1.0) * np.finfo(np.float32).eps
    safe = np.maximum(variances, floor)
    energy = np.mean(((_observations(held_out, view) - axes.mean) @ axes.vectors) ** 2, axis=0)
    after = np.arange(len(safe) - 1, 0, -1)
    noise = np.maximum(_rest(variances) / after, floor)
    inside = np.cumsum(np.log(safe) + energy / safe)[:-1]
    outside = after * np.log(noise) + _rest(energy) / noise
    return int(np.argmin(inside + outside)) + 1


def _rest(values: Array) -> Array:
    """Return the sum of all values after each but the last."""
    rest: Array = np.cumsum(values[::-1])[::-1][1:]
    return rest


def _network(view: View, shape: tuple[int, ...], mean: Array, vectors: Array) -> keras.Model:
    size, count = vectors.shape
    window = keras.Input(shape, name="features")
    turned = {"window": (1, size), "time": shape, "feature": shape[::-1]}[view]
    x = layers.Permute((2, 1), name="by_axis")(window) if view == "feature" else window
    x = layers.Reshape(turned, name="observations")(x)
    # A convolution over one step is a dense layer for each observation, and TFLite always gives it a bias.
    x = layers.Conv1D(count, 1, name="components")(x)
    x = layers.Conv1D(size, 1, name="output")(x)
    x = layers.Permute((2, 1), name="by_time")(x) if view == "feature" else x
    model = keras.Model(window, layers.Reshape(shape, name="reconstruction")(x), name="pca")
    weights = (vectors[np.newaxis], -mean @ vectors, vectors.T[np.newaxis], mean)
    model.set_weights([weight.astype(np.float32) for weight in weights])
    return model
