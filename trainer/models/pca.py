"""Principal components as an autoencoder: two linear layers, solved and not trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from trainer.errors import ChoiceError

if TYPE_CHECKING:
    from trainer.models import NetworkSettings, View

FloatArray = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]


def solve(settings: NetworkSettings, features: FloatArray, validation: FloatArray) -> keras.Model:
    """Return a model that projects onto the principal components of the training windows and back.

    Args:
        settings: View and number of components.
        features: Of the training windows, shape (n_windows, n_steps, n_axes).
        validation: Of the validation windows, likewise.

    Raises:
        ChoiceError: If more components are asked for than there are.
    """
    seen = _observations(features, settings.view)
    mean = seen.mean(axis=0)
    variances, vectors = np.linalg.eigh(np.atleast_2d(np.cov(seen, rowvar=False, bias=True)))
    variances, vectors = np.maximum(variances[::-1], 0.0), vectors[:, ::-1]
    unseen = _observations(validation, settings.view) - mean
    count = _count(settings.components, variances, unseen @ vectors)
    return _network(settings.view, (features.shape[1], features.shape[2]), mean, vectors[:, :count])


def _observations(features: FloatArray, view: View) -> Array:
    """Return observations in rows: windows, time steps of all windows, or axes of all windows."""
    n_windows, n_steps, n_axes = features.shape
    if view == "time":
        return features.reshape(-1, n_axes).astype(np.float64)
    if view == "feature":
        return features.transpose(0, 2, 1).reshape(-1, n_steps).astype(np.float64)
    return features.reshape(n_windows, -1).astype(np.float64)


def _count(wanted: int | float | None, variances: Array, unseen: Array) -> int:
    most = len(variances) - 1
    if most < 1:
        raise ChoiceError(
            "principal components need two numbers or more per observation; choose another --view"
        )
    if wanted is None:
        return _most_likely(variances, unseen)
    if isinstance(wanted, float):
        explained = np.cumsum(variances) / variances.sum()
        return min(int(np.searchsorted(explained, wanted)) + 1, most)
    if wanted > most:
        raise ChoiceError(f"{wanted} components reproduce everything; choose --components {most} or less")
    return wanted


def _most_likely(variances: Array, unseen: Array) -> int:
    """Return the number of components under which unseen observations are most likely.

    Probabilistic principal components: k directions with their own variance, the same noise in all others
    (Tipping and Bishop, Journal of the Royal Statistical Society B 61, 1999).

    Args:
        variances: Of the training observations along each component, descending.
        unseen: Held-out observations along the components, shape (n, n_components).
    """
    floor = max(float(variances[0]), 1.0) * np.finfo(np.float32).eps
    safe = np.maximum(variances, floor)
    energy = np.mean(unseen**2, axis=0)
    after = np.arange(len(safe) - 1, 0, -1)
    noise = np.maximum(_rest(variances) / after, floor)
    inside = np.cumsum(np.log(safe) + energy / safe)[:-1]
    outside = after * np.log(noise) + _rest(energy) / noise
    return int(np.argmin(inside + outside)) + 1


def _rest(values: Array) -> Array:
    """Return the sum of all values after each but the last."""
    rest: Array = np.cumsum(values[::-1])[::-1][1:]
    return rest


def _network(view: View, shape: tuple[int, int], mean: Array, vectors: Array) -> keras.Model:
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
