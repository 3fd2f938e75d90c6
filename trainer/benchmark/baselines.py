"""Simple detectors to be beaten: fitted to healthy windows, threshold from them too, no labels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA

from agent.inference.arrays import FloatArray
from trainer.benchmark.figures import Score

Scores = npt.NDArray[np.float64]


def _centred(windows: FloatArray) -> Scores:
    x = windows.astype(np.float64)
    centred: Scores = x - x.mean(axis=1, keepdims=True)
    return centred


def _rms(windows: FloatArray) -> Scores:
    return np.asarray(np.sqrt(np.mean(_centred(windows) ** 2, axis=(1, 2))))


def rms(healthy: FloatArray) -> Score:
    """Return the plain level switch: the larger the RMS in g, the worse."""
    return _rms


def two_sided_rms(healthy: FloatArray) -> Score:
    """Return the distance of log-RMS from its median over windows of shape (n_windows, length, n_axes)."""
    middle = float(np.median(np.log(_rms(healthy))))
    return lambda windows: np.abs(np.log(_rms(windows) + 1e-12) - middle)


def time_features(windows: FloatArray) -> Scores:
    """Return median absolute deviation, RMS, kurtosis and crest factor an axis.

    Args:
        windows: In g, shape (n_windows, length, n_axes).

    Returns:
        Of shape (n_windows, 4 n_axes).
    """
    x = _centred(windows)
    deviation = np.median(np.abs(x - np.median(x, axis=1, keepdims=True)), axis=1)
    root = np.sqrt(np.mean(x**2, axis=1)) + 1e-12
    kurtosis = np.mean(x**4, axis=1) / root**4
    crest = np.abs(x).max(axis=1) / root
    return np.hstack([deviation, root, kurtosis, crest])


def mahalanobis(healthy: FloatArray) -> Score:
    """Return the Mahalanobis distance of the time features, Ledoit-Wolf covariance.

    Args:
        healthy: Windows to learn from, shape (n_windows, length, n_axes).
    """
    learnt = time_features(healthy)
    spread = learnt.std(axis=0)
    model = LedoitWolf().fit(learnt / spread)
    return lambda windows: np.asarray(model.mahalanobis(time_features(windows) / spread))


def outliers(healthy: FloatArray, name: str) -> Score:
    """Return a detector of PyOD on the standardised time features, asked about one window at a time.

    Window by window, because some of its detectors rank a batch together with what they learnt from.

    Args:
        healthy: Windows to learn from, shape (n_windows, length, n_axes).
        name: ``iforest`` or ``knn``.
    """
    from pyod.models.iforest import IForest
    from pyod.models.knn import KNN

    learnt = time_features(healthy)
    mean, spread = learnt.mean(axis=0), learnt.std(axis=0) + 1e-12
    model = IForest(random_state=0) if name == "iforest" else KNN()
    model.fit((learnt - mean) / spread)
    return lambda windows: np.asarray(model.decision_function((time_features(windows) - mean) / spread))


def pca_waveform(healthy: FloatArray) -> Score:
    """Return the residual of the waveform after its principal components (95 % of the variance).

    Args:
        healthy: Windows to learn from, shape (n_windows, length, n_axes).
    """
    learnt = _centred(healthy).reshape(len(healthy), -1)
    model = PCA(0.95, svd_solver="full").fit(learnt)

    def score(windows: FloatArray) -> Scores:
        x = _centred(windows).reshape(len(windows), -1)
        return np.asarray(np.mean((x - model.inverse_transform(model.transform(x))) ** 2, axis=1))

    return score


def pca_log_spectrum(healthy: FloatArray) -> Score:
    """Return the residual of the log spectrum after its principal components (95 % of the variance).

    Args:
        healthy: Windows to learn from, shape (n_windows, length, n_axes).
    """

    def features(windows: FloatArray) -> Scores:
        spectrum = np.abs(np.fft.rfft(_centred(windows) * np.hanning(windows.shape[1])[:, None], axis=1))
        logarithm: Scores = np.log(spectrum[:, 1:] + 1e-4).reshape(len(windows), -1)
        return logarithm

    learnt = features(healthy)
    mean, spread = learnt.mean(axis=0), learnt.std(axis=0) + 1e-9
    model = PCA(0.95, svd_solver="full").fit((learnt - mean) / spread)

    def score(windows: FloatArray) -> Scores:
        x = (features(windows) - mean) / spread
        return np.asarray(np.mean((x - model.inverse_transform(model.transform(x))) ** 2, axis=1))

    return score


BASELINES: dict[str, Callable[[FloatArray], Score]] = {
    "RMS": rms,
    "two-sided log-RMS": two_sided_rms,
    "Mahalanobis, time": mahalanobis,
    "PCA, waveform": pca_waveform,
    "PCA, log spectrum": pca_log_spectrum,
    "PyOD IForest, time": partial(outliers, name="iforest"),
    "PyOD KNN, time": partial(outliers, name="knn"),
}
