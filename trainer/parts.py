"""The parts of a detector, fitted to healthy windows: level, time features, spectrum, and the network's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from agent.inference.distance import DistancePart, TimeColumns
from agent.inference.features import centred
from agent.inference.model import TFLiteModel
from agent.inference.parts import LevelPart, ReconstructionPart
from trainer.calibration import AnyPart
from trainer.distances import fit_bands, fit_time
from trainer.error_covariance import fit_error_distance
from trainer.scaling import fit_level
from trainer.settings import FitSettings, PartName

FloatArray = npt.NDArray[np.float32]

_SHARES: dict[PartName, float] = {"level": 1 / 6, "time": 1 / 6, "spectrum": 2 / 6, "network": 2 / 6}
"""Level and time features are one family: together they weigh as much as the spectrum or the network."""


def weight(name: PartName, names: Sequence[PartName]) -> float:
    """Return the weight of a part among those that are chosen."""
    return _SHARES[name] / sum(_SHARES[other] for other in names)


def fit_parts(
    settings: FitSettings, windows: FloatArray, axes: Sequence[str], network: ReconstructionPart
) -> tuple[AnyPart, ...]:
    """Return the chosen parts in their order, without tails; the network is fitted already.

    Args:
        settings: Which parts, and how the spectrum is watched.
        windows: Of a healthy machine, shape (n_windows, length, n_axes).
        axes: Names of the axes.
        network: The part of the network.

    Raises:
        DataError: If an axis is silent in half of the windows.
    """
    x = centred(windows)
    parts: list[AnyPart] = []
    for name in settings.parts:
        share = weight(name, settings.parts)
        if name == "level":
            parts.append(replace(fit_level(windows, axes), weight=share))
        elif name == "time":
            parts.append(fit_time(x, share))
        elif name == "spectrum":
            parts.append(fit_bands(x, share, settings.spectrum_scale or "linear", settings.spectrum_bands))
        else:
            parts.append(replace(network, weight=share))
    return tuple(parts)


def refit_parts(
    parts: Sequence[AnyPart], windows: FloatArray, axes: Sequence[str], models: Mapping[str, TFLiteModel]
) -> tuple[AnyPart, ...]:
    """Return the same parts as other windows teach them, without tails; a network stays as it is.

    Args:
        parts: Of a finished detector.
        windows: Of a healthy machine, shape (n_windows, length, n_axes).
        axes: Names of the axes.
        models: Its graphs.

    Raises:
        DataError: If an axis is silent in half of the windows.
    """
    return tuple(_refit(part, windows, axes, models) for part in parts)


def _refit(
    part: AnyPart, windows: FloatArray, axes: Sequence[str], models: Mapping[str, TFLiteModel]
) -> AnyPart:
    if isinstance(part, LevelPart):
        return replace(fit_level(windows, axes), name=part.name, weight=part.weight)
    if isinstance(part, DistancePart):
        return replace(_refit_distance(part, centred(windows)), name=part.name)
    bare = replace(part, tails=())
    if part.distance is None:
        return bare
    distance = part.distance
    fitted = fit_error_distance(bare, models[part.model], windows, distance.view, distance.eps)
    return replace(bare, distance=fitted)


def _refit_distance(part: DistancePart, x: FloatArray) -> DistancePart:
    if isinstance(part.columns, TimeColumns):
        return fit_time(x, part.weight)
    return fit_bands(x, part.weight, part.columns.scale, part.columns.count)
