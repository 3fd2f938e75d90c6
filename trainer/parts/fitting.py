"""The parts of a detector, fitted to healthy windows: level, time features, spectrum, and the network's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.inference.arrays import FloatArray
from agent.inference.columns import TimeColumns, ValueColumns, VariationColumns
from agent.inference.distance import DistancePart
from agent.inference.features import centred
from agent.inference.level import LevelPart
from agent.inference.manifest import AnyPart
from agent.inference.model import TFLiteModel
from agent.inference.reconstruction import ReconstructionPart
from trainer.parts.distances import fit_bands, fit_time
from trainer.parts.error_covariance import fit_error_distance
from trainer.parts.level import fit_level
from trainer.parts.process import fit_process
from trainer.recordings.folds import FoldedWindows
from trainer.settings import FitSettings, PartName

_SHARES: dict[PartName, float] = {"level": 0.01, "time": 0.01, "spectrum": 0.39, "network": 0.59}
_POWERS: dict[PartName, float] = {"level": 1.0, "time": 1.0, "spectrum": 0.5, "network": 0.5}
"""Level and time features are guards: they keep still until they are sure, so that the noise of their usual
scores does not drown what spectrum and network see together; but a machine that is clearly too loud or too
quiet is found by them alone."""


def weight(name: PartName, names: Sequence[PartName]) -> float:
    """Return the weight of a part among those that are chosen."""
    return float(f"{_SHARES[name] / sum(_SHARES[other] for other in names):.6g}")


def fit_parts(
    settings: FitSettings,
    windows: FloatArray,
    axes: Sequence[str],
    network: ReconstructionPart,
    independence: float,
) -> tuple[AnyPart, ...]:
    """Return the chosen parts in their order, without tails; the network is fitted already.

    Args:
        settings: Which parts, and how the spectrum is watched.
        windows: Of a healthy machine, shape (n_windows, length, n_axes).
        axes: Names of the axes.
        network: The part of the network.
        independence: Independent windows per window; see ``distances``.

    Raises:
        DataError: If an axis is silent in half of the windows.
    """
    x = centred(windows)
    parts: list[AnyPart] = []
    for name in settings.parts:
        share = weight(name, settings.parts)
        part: AnyPart
        if name == "level":
            part = replace(fit_level(windows, axes), weight=share)
        elif name == "time":
            part = fit_time(x, share, independence)
        elif name == "spectrum":
            scale, bands = settings.spectrum_scale or "linear", settings.spectrum_bands
            part = fit_bands(x, share, independence, scale, bands)
        else:
            part = replace(network, weight=share)
        parts.append(replace(part, power=_POWERS[name]))
    return tuple(parts)


def refit_parts(
    parts: Sequence[AnyPart],
    windows: FloatArray,
    axes: Sequence[str],
    models: Mapping[str, TFLiteModel],
    folded: FoldedWindows,
) -> tuple[AnyPart, ...]:
    """Return the same parts as other windows teach them, without tails; a network stays as it is.

    Args:
        parts: Of a finished detector.
        windows: Of a healthy machine, shape (n_windows, length, n_axes).
        axes: Names of the axes.
        models: Its graphs.
        folded: All windows, of which these are some.

    Raises:
        DataError: If an axis is silent in half of the windows.
    """
    refitted = (_refit(part, windows, axes, models, folded) for part in parts)
    return tuple(
        replace(new, name=old.name, weight=old.weight, power=old.power)
        for old, new in zip(parts, refitted, strict=True)
    )


def _refit(
    part: AnyPart,
    windows: FloatArray,
    axes: Sequence[str],
    models: Mapping[str, TFLiteModel],
    folded: FoldedWindows,
) -> AnyPart:
    if isinstance(part, LevelPart):
        return fit_level(windows, axes)
    if isinstance(part, DistancePart):
        return _refit_distance(part, windows, axes, folded)
    bare = replace(part, tails=())
    if part.distance is None:
        return bare
    distance = part.distance
    fitted = fit_error_distance(bare, models[part.model], windows, distance.view, distance.eps)
    return replace(bare, distance=fitted)


def _refit_distance(
    part: DistancePart, windows: FloatArray, axes: Sequence[str], folded: FoldedWindows
) -> DistancePart:
    columns = part.columns
    if isinstance(columns, ValueColumns | VariationColumns):
        value, variation = fit_process(windows, axes, folded.independence, folded.stretches(windows))
        return value if isinstance(columns, ValueColumns) else variation
    x = centred(windows)
    if isinstance(columns, TimeColumns):
        return fit_time(x, part.weight, folded.independence)
    return fit_bands(x, part.weight, folded.independence, columns.scale, columns.count)
