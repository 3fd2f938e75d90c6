"""Bands of a spectrum: neighbouring bins taken together; the one definition of where a band begins."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt


@cache
def band_edges(n_bins: int, count: int, *, nearest: bool = False) -> npt.NDArray[np.intp]:
    """Return the first bin of each band of equal width, and the end of the last, shape (n_bands + 1,).

    Args:
        n_bins: Bins of the spectrum.
        count: Bands; where there are fewer bins, each is a band.
        nearest: An edge between two bins goes to the nearest one, as for the numbers of ``BandColumns``, and
            else down, as for the rows of ``SpectrumFeatures``. The bundles that are out there were made so.
    """
    edges = np.linspace(0, n_bins, min(count, n_bins) + 1)
    whole: npt.NDArray[np.intp] = (edges.round() if nearest else edges).astype(np.intp)
    whole.flags.writeable = False  # shared by all callers
    return whole


def band_name(low: int, high: int, step_hz: float | None) -> str:
    """Return the band of bins [low, high) as text; without a sample rate the bins are named.

    Args:
        low: Its first bin.
        high: The first bin beyond it.
        step_hz: From bin to bin.
    """
    if step_hz is None:
        return f"bins {low}-{high - 1}"
    return f"{low * step_hz:.4g}-{high * step_hz:.4g} Hz"
