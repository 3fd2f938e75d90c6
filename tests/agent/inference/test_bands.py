"""Where a band of a spectrum begins: numbers that bundles already in the field were made with."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inference.bands import band_edges, band_name


@pytest.mark.parametrize(
    ("n_bins", "count", "down", "nearest"),
    [
        (8, 4, [0, 2, 4, 6, 8], [0, 2, 4, 6, 8]),
        (257, 4, [0, 64, 128, 192, 257], [0, 64, 128, 193, 257]),
        (10, 4, [0, 2, 5, 7, 10], [0, 2, 5, 8, 10]),
        (3, 16, [0, 1, 2, 3], [0, 1, 2, 3]),
    ],
)
def test_edges(n_bins: int, count: int, down: list[int], nearest: list[int]) -> None:
    assert band_edges(n_bins, count).tolist() == down
    assert band_edges(n_bins, count, nearest=True).tolist() == nearest


@given(st.integers(1, 5000), st.integers(1, 5000), st.booleans())
def test_bands_cover_the_spectrum_without_gap_or_overlap(n_bins: int, count: int, nearest: bool) -> None:
    edges = band_edges(n_bins, count, nearest=nearest).tolist()
    assert (edges[0], edges[-1], len(edges)) == (0, n_bins, min(n_bins, count) + 1)
    widths = [high - low for low, high in pairwise(edges)]
    assert min(widths) >= 1
    assert max(widths) - min(widths) <= 1


def test_names() -> None:
    assert band_name(76, 92, 1.5625) == "118.8-143.8 Hz"
    assert band_name(4, 8, None) == "bins 4-7"
