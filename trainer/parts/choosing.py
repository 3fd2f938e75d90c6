"""Choices that a signal makes by itself: how the spectrum is scaled, and in how many bands it is watched.

Healthy windows decide. Each candidate is fitted across the folds, its line is drawn at the score that one in
a hundred held-out windows reaches, and virtual defects are added to those windows: the candidate that finds
most of them is taken, if it finds clearly more than the usual one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.inference.arrays import FloatArray
from agent.inference.columns import BandScale
from agent.inference.features import centred
from agent.inference.window_numbers import WindowNumbers
from trainer.parts.distances import fit_bands
from trainer.parts.virtual_defects import KINDS, with_defect
from trainer.recordings.folds import FoldedWindows
from trainer.settings import USUAL_BANDS

MARGIN = 0.05
"""Virtual defects, as a share of all, that a candidate must find more than the usual choice."""

_LINE = 0.99
_MOST_WINDOWS = 2000
_SCALES: tuple[BandScale, ...] = ("linear", "root", "log")
_FEWEST_BANDS = 8


@dataclass(frozen=True)
class SpectrumChoice:
    """A way to watch the spectrum."""

    scale: BandScale
    bands: int
    found: float
    """Virtual defects that it finds, as a share of all."""


@dataclass(frozen=True)
class SpectrumChoices:
    """What was chosen, and what was tried."""

    chosen: SpectrumChoice
    tried: tuple[SpectrumChoice, ...]
    """The usual choice first."""


def choose_spectrum(
    folded: FoldedWindows, scale: BandScale | None, bands: int | None, seed: int
) -> SpectrumChoices:
    """Choose scale and bands of the spectrum's part; what is given stays.

    Args:
        folded: Healthy windows, shape (n_windows, length, n_axes), in g.
        scale: Given, or None.
        bands: Given, or None.
        seed: Of the virtual defects.
    """
    step = -(-len(folded.windows) // _MOST_WINDOWS)
    some, fold = folded.windows[::step], folded.fold[::step]
    independence = min(step * folded.independence, 1.0)
    usual = min(USUAL_BANDS, folded.windows.shape[1] // 2)
    counts = (bands,) if bands else tuple(n for n in (usual, usual // 2) if n >= _FEWEST_BANDS) or (usual,)
    scales = (scale,) if scale else _SCALES
    defects = {kind: with_defect(kind, some, np.random.default_rng(seed)) for kind in KINDS}
    tried = tuple(
        SpectrumChoice(
            one,
            count,
            _found(
                some,
                fold,
                folds=folded.count,
                independence=independence,
                defects=defects,
                scale=one,
                bands=count,
            ),
        )
        for one in scales
        for count in counts
    )
    best = max(tried, key=lambda choice: choice.found)
    return SpectrumChoices(best if best.found > tried[0].found + MARGIN else tried[0], tried)


def _found(
    windows: FloatArray,
    fold: npt.NDArray[np.int64],
    *,
    folds: int,
    independence: float,
    defects: dict[str, FloatArray],
    scale: BandScale,
    bands: int,
) -> float:
    """Return the share of virtual defects above the line of the healthy windows that they were added to.

    Windows, with and without the defects, have the shape (n_windows, length, n_axes); ``fold`` is the fold of
    each.
    """
    healthy = np.empty(len(windows))
    abnormal = {kind: np.empty(len(windows)) for kind in defects}
    for number in range(folds):
        inside = fold == number
        part = fit_bands(centred(windows[~inside]), 1.0, independence, scale, bands)
        healthy[inside] = part.raw_scores(WindowNumbers(windows[inside]), {})[:, 0]
        for kind, changed in defects.items():
            abnormal[kind][inside] = part.raw_scores(WindowNumbers(changed[inside]), {})[:, 0]
    line = float(np.quantile(healthy, _LINE))
    return float(f"{np.mean([np.mean(scores > line) for scores in abnormal.values()]):.4g}")
