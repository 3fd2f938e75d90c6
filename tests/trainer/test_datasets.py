"""From recordings to windows: nothing straddles a gap or a border, and what cannot be learnt is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.recording import Segment
from trainer.datasets import build_dataset, choose_window, common_rate, load_source
from trainer.errors import DataError

Make = Callable[..., Any]


@given(
    n_samples=st.integers(1500, 4000),
    gap=st.integers(1, 3999),
    length=st.sampled_from([16, 25, 32]),
    share=st.integers(1, 4),
)
def test_no_window_straddles_a_gap_or_a_border_between_the_parts(
    make_source: Make, n_samples: int, gap: int, length: int, share: int
) -> None:
    gap = min(gap, n_samples - 1)
    ramp = np.arange(n_samples, dtype=np.float32)[:, np.newaxis]
    source = make_source(ramp, segments=(Segment(0, gap), Segment(gap, n_samples)))
    try:
        dataset = build_dataset([source], length, max(length // share, 1))
    except DataError:
        return  # the gap left too little
    for part, low, high in (
        (dataset.train, 0.0, 0.6),
        (dataset.validation, 0.6, 0.8),
        (dataset.test, 0.8, 1),
    ):
        first, last = part.windows[:, 0, 0], part.windows[:, -1, 0]
        assert (last - first == length - 1).all()
        assert not ((first < gap) & (last >= gap)).any()
        assert first.min() >= low * n_samples - 0.5
        assert last.max() <= high * n_samples - 0.5


def test_the_split_is_60_20_20_in_samples_and_training_windows_are_four_times_as_dense(
    make_source: Make, healthy_samples: Make
) -> None:
    dataset = build_dataset([make_source(healthy_samples(10_000))], 64, 16)
    # (6000 - 64) / 4 + 1, (2000 - 64) / 16 + 1
    assert len(dataset.train.windows) == 1485
    assert len(dataset.validation.windows) == len(dataset.test.windows) == 122
    assert dataset.test.independent == 30.5
    assert dataset.train.windows.shape[1:] == (64, 2)


def test_long_recordings_are_thinned_evenly(make_source: Make) -> None:
    samples = np.arange(200_000, dtype=np.float32)[:, np.newaxis]
    windows = build_dataset([make_source(samples)], 32, 4).train.windows
    # 119,969 windows, every sixth is kept
    assert len(windows) == 19_995
    assert np.unique(np.diff(windows[:, 0, 0])).tolist() == [6.0]


@pytest.mark.parametrize(
    ("rate_hz", "length"),
    [(50, 32), (100, 64), (200, 128), (800, 512), (3200, 512), (10, 32), (0.5, 32), (None, 64)],
)
def test_the_default_window_is_that_of_the_recipe(rate_hz: float | None, length: int) -> None:
    window = choose_window(rate_hz)
    assert (window.length, window.hop) == (length, length // 4)


def test_a_chosen_window_is_kept() -> None:
    assert choose_window(50.0, 25).hop == 6
    assert choose_window(50.0, 25, 25).hop == 25


def test_a_hop_longer_than_the_window_is_refused() -> None:
    with pytest.raises(DataError, match="choose a smaller --hop"):
        choose_window(50.0, 25, 26)


def test_a_constant_channel_is_named(make_source: Make, healthy_samples: Make) -> None:
    samples = healthy_samples(4000)
    samples[:, 1] = 0.25
    with pytest.raises(DataError, match=r"pump\.csv, column 'y': is constant.*--columns"):
        build_dataset([make_source(samples, name="pump.csv")])


def test_a_short_recording_says_what_is_needed_and_what_is_there(
    make_source: Make, healthy_samples: Make
) -> None:
    # Five windows end to end, four to a window: 64 + 19 x 16 = 368 samples in 20 % of 1,840.
    with pytest.raises(
        DataError, match="windows of 64 samples need 1840 samples without a gap, there are 1800;"
    ):
        build_dataset([make_source(healthy_samples(1800))], 64)
    assert build_dataset([make_source(healthy_samples(1840))], 64).test.independent == 5.0


def test_gaps_are_blamed_when_they_leave_too_little(make_source: Make, healthy_samples: Make) -> None:
    stretches = tuple(Segment(start, start + 40) for start in range(0, 4000, 40))
    with pytest.raises(DataError, match="there are 4000 with 99 gaps"):
        build_dataset([make_source(healthy_samples(4000), segments=stretches)], 64)


def test_an_empty_recording_is_refused(make_source: Make) -> None:
    with pytest.raises(DataError, match="healthy: holds no samples"):
        build_dataset([make_source(np.empty((0, 2), np.float32))])


def test_recordings_with_other_columns_are_refused(make_source: Make, healthy_samples: Make) -> None:
    sources = [
        make_source(healthy_samples(4000), name="a.csv"),
        make_source(healthy_samples(4000, 3), name="b.csv"),
    ]
    with pytest.raises(DataError, match=r"b\.csv: has columns x, y, z, a\.csv has x, y; choose"):
        build_dataset(sources)


def test_recordings_with_other_rates_are_refused(make_source: Make, healthy_samples: Make) -> None:
    samples = healthy_samples(4000)
    sources = [make_source(samples, name=f"{rate}.csv", rate_hz=rate) for rate in (100.0, 101.0, 200.0)]
    with pytest.raises(DataError, match=r"200\.0\.csv: sampled at 200 Hz, the others at 101 Hz"):
        build_dataset(sources)


def test_a_rate_that_only_some_recordings_know_is_asked_for(make_source: Make, healthy_samples: Make) -> None:
    sources = [make_source(healthy_samples(4000), name=f"{rate}", rate_hz=rate) for rate in (100.0, None)]
    with pytest.raises(
        DataError, match="None: has no sample rate, other recordings have; state it with --rate"
    ):
        common_rate(sources)


def test_rates_of_a_few_percent_are_one_rate(make_source: Make, healthy_samples: Make) -> None:
    samples = healthy_samples(4000)
    rates = (99.0, 100.004, 101.0)
    assert common_rate([make_source(samples, rate_hz=rate) for rate in rates]) == 100.0
    assert common_rate([make_source(samples, rate_hz=None)] * 2) is None


def test_files_are_known_by_their_hash(recording_file: Path) -> None:
    source = load_source(recording_file, ["y"], None)
    assert source.name == "healthy.npz"
    assert source.sha256 == hashlib.sha256(recording_file.read_bytes()).hexdigest()
    assert source.recording.columns == ("y",)
