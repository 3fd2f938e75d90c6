"""Recordings that go together, and those that cannot be learnt from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_bridge.recording import save_recording
from trainer.errors import DataError
from trainer.recordings.datasets import check_sources, choose_window, common_rate, load_source

Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("rate_hz", "length", "hop"),
    [
        (50, 32, 2),
        (100, 64, 4),
        (200, 128, 8),
        (800, 512, 32),
        (1600, 512, 64),
        (3200, 512, 128),
        (10, 32, 2),
        (0.5, 32, 2),
        (None, 64, 16),
    ],
)
def test_the_default_window_is_the_power_of_two_next_to_0_64_s(
    rate_hz: float | None, length: int, hop: int
) -> None:
    window = choose_window(rate_hz)
    assert (window.length, window.hop) == (length, hop)


def test_a_chosen_window_is_kept() -> None:
    assert choose_window(50.0, 25).hop == 2
    assert choose_window(50.0, 4).hop == 1
    assert choose_window(50.0, 25, 25).hop == 25


def test_a_hop_longer_than_the_window_is_refused() -> None:
    with pytest.raises(DataError, match="choose a smaller --hop"):
        choose_window(50.0, 25, 26)


def test_a_constant_channel_is_named(make_source: Make, healthy_samples: Make) -> None:
    samples = healthy_samples(4000)
    samples[:, 1] = 0.25
    with pytest.raises(DataError, match=r"pump\.csv, column 'y': is constant.*--columns"):
        check_sources([make_source(samples, name="pump.csv")])


def test_an_empty_recording_is_refused(make_source: Make) -> None:
    with pytest.raises(DataError, match="healthy: holds no samples"):
        check_sources([make_source(np.empty((0, 2), np.float32))])


def test_recordings_with_other_columns_are_refused(make_source: Make, healthy_samples: Make) -> None:
    sources = [
        make_source(healthy_samples(4000), name="a.csv"),
        make_source(healthy_samples(4000, 3), name="b.csv"),
    ]
    with pytest.raises(DataError, match=r"b\.csv: has columns x, y, z, a\.csv has x, y; choose"):
        check_sources(sources)


def test_recordings_with_other_rates_are_refused(make_source: Make, healthy_samples: Make) -> None:
    samples = healthy_samples(4000)
    sources = [make_source(samples, name=f"{rate}.csv", rate_hz=rate) for rate in (100.0, 101.0, 200.0)]
    with pytest.raises(DataError, match=r"200\.0\.csv: sampled at 200 Hz, the others at 101 Hz"):
        common_rate(sources)


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


@pytest.mark.parametrize(("every", "told"), [(2, True), (500, False)])
def test_rows_that_repeat_are_told(make_source: Make, tmp_path: Path, every: int, told: bool) -> None:
    samples = np.random.default_rng(0).standard_normal((2000, 2)).astype(np.float32)
    samples[every - 1 :: every] = samples[every - 2 :: every][: len(samples) // every]
    save_recording(tmp_path / "a.npz", make_source(samples).recording)
    notes = load_source(tmp_path / "a.npz", None, None).recording.notes
    expected = ["1000 of 2000 rows repeat the row before: sensor read too often, or held"] if told else []
    assert [note for note in notes if "repeat" in note] == expected
