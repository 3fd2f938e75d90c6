"""Mean and covariance of reconstruction errors in one pass, and the distance that they define."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from agent.inference.arrays import FloatArray
from agent.inference.error_distance import ErrorDistance, ErrorView, observations
from agent.inference.model import TFLiteModel
from agent.inference.reconstruction import ReconstructionPart
from agent.inference.window_numbers import WindowNumbers
from trainer.errors import DataError
from trainer.rounding import short

Array = npt.NDArray[np.float64]

BATCH = 256
"""Windows whose errors are held at once."""


class RunningCovariance:
    """Mean and covariance of observations that come in batches.

    Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
    COMPSTAT 1982: each batch is reduced around its own mean, so nothing is lost where the mean is large
    against the deviations.
    """

    def __init__(self, size: int) -> None:
        """Start with no observation.

        Args:
            size: Numbers per observation.
        """
        self.count = 0
        self.mean: Array = np.zeros(size)
        self._scatter: Array = np.zeros((size, size))

    def update(self, batch: FloatArray | Array) -> None:
        """Take observations, shape (n, size)."""
        n = len(batch)
        if n == 0:
            return
        values = batch.astype(np.float64)
        mean = values.mean(axis=0)
        centred_values = values - mean
        shift = mean - self.mean
        total = self.count + n
        self._scatter += centred_values.T @ centred_values + np.outer(shift, shift) * (self.count * n / total)
        self.mean += shift * (n / total)
        self.count = total

    @property
    def covariance(self) -> Array:
        """The covariance of what was taken so far, shape (size, size)."""
        return self._scatter / max(self.count, 1)


def fit_error_distance(
    part: ReconstructionPart, model: TFLiteModel, windows: FloatArray, view: ErrorView, eps: float
) -> ErrorDistance:
    """Return the distance of errors from those that a network leaves on healthy windows.

    Args:
        part: The network's part.
        model: Its graph.
        windows: Of a healthy machine, shape (n_windows, length, n_axes).
        view: What an observation is.
        eps: Added to each variance, as a share of their mean.

    Raises:
        DataError: If the covariance is singular.
    """
    running: RunningCovariance | None = None
    for start in range(0, len(windows), BATCH):
        features = part.features.of(WindowNumbers(windows[start : start + BATCH]))
        residual = part.residual(features, {part.model: model})
        seen = observations(residual, view)
        running = running or RunningCovariance(seen.shape[2])
        running.update(seen.reshape(-1, seen.shape[2]))
    assert running is not None
    return ErrorDistance(view, short(running.mean), _whitening(running, eps), eps)


def _whitening(running: RunningCovariance, eps: float) -> tuple[tuple[float, ...], ...]:
    covariance = running.covariance
    size = len(covariance)
    regularized = covariance + eps * np.trace(covariance) / size * np.eye(size)
    try:
        inverse = np.linalg.inv(np.linalg.cholesky(regularized))
    except np.linalg.LinAlgError as error:
        raise DataError(_singular(running.count, size)) from error
    if not np.isfinite(inverse).all() or np.linalg.cond(regularized) > 1.0 / np.finfo(np.float32).eps:
        raise DataError(_singular(running.count, size))
    return tuple(short(row) for row in inverse)


def _singular(count: int, size: int) -> str:
    return (
        f"the covariance of the reconstruction error is singular ({count} observations of {size} numbers); "
        "record longer, choose a larger --eps, or another --metric"
    )
