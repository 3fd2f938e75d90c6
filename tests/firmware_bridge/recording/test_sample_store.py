"""Recordings that are larger than memory should be."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording import Segment, csv_file, load_recording, sample_store
from firmware_bridge.recording.sample_store import SampleStore


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand bytes are much."""
    monkeypatch.setattr(sample_store, "MEMORY_BYTES", 1000)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(sizes=st.lists(st.integers(0, 200), max_size=8), width=st.integers(1, 4))
def test_pieces_come_back_as_one_array(little_memory: None, sizes: list[int], width: int) -> None:
    rows = np.arange(sum(sizes) * width, dtype=np.float32).reshape(-1, width)
    store = SampleStore(Path("x"), width)
    for end, size in zip(np.cumsum(sizes), sizes, strict=True):
        store.append(rows[end - size : end])
    found = store.finish()
    assert found.shape == rows.shape
    assert np.array_equal(found, rows)
    assert isinstance(found, np.memmap) == (rows.nbytes > 1000)


def test_the_temporary_file_has_no_name(
    little_memory: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = SampleStore(Path("x"), 1)
    store.append(np.zeros((5000, 1)))
    assert list(tmp_path.iterdir()) == []
    assert store.finish().shape == (5000, 1)


def test_no_room_for_temporary_files_is_told(little_memory: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    store = SampleStore(Path("big.csv"), 1)
    with pytest.raises(RecordingError, match=r"big.csv: is larger than memory should be, and /nowhere"):
        store.append(np.zeros((5000, 1)))


def test_a_large_csv_is_read_as_a_small_one(
    little_memory: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_file, "_BLOCK_ROWS", 7)
    path = tmp_path / "large.csv"
    times_s = np.concatenate((np.arange(500) / 100, 9.0 + np.arange(500) / 100))
    lines = [f"{time:.2f},{row},{-row}" for row, time in enumerate(times_s)]
    path.write_text("time (s),x,y\n" + "\n".join(lines))
    recording = load_recording(path)
    assert isinstance(recording.samples, np.memmap)
    assert recording.samples.dtype == np.float32
    assert np.array_equal(recording.samples[:, 0], np.arange(1000))
    assert np.array_equal(recording.samples[:, 1], -np.arange(1000))
    assert recording.rate_hz == pytest.approx(100.0)
    assert recording.segments == (Segment(0, 500), Segment(500, 1000))


@pytest.mark.parametrize(
    ("line", "content", "complaint"),
    [
        (40, "0.38,1", "line 40: too few cells: 2 instead of 3"),
        (40, "0.38,x,1", "line 40, column 'x': 'x' is not a number"),
        (9, "0.05,1,1", "line 9, column 'time (s)': time runs backwards here"),  # the first of a block
        (10, "0.05,1,1", "line 10, column 'time (s)': time runs backwards here"),
    ],
)
def test_a_fault_in_a_later_block_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: int, content: str, complaint: str
) -> None:
    monkeypatch.setattr(csv_file, "_BLOCK_ROWS", 7)
    lines = ["time (s),x,y", *(f"{row / 100:.2f},{row},1" for row in range(100))]
    lines[line - 1] = content
    path = tmp_path / "large.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(RecordingError) as caught:
        load_recording(path)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_a_large_npz_is_read_as_a_small_one(
    little_memory: None, tmp_path: Path, order: Literal["C", "F"], write: Callable[..., None]
) -> None:
    path = tmp_path / "large.npz"
    values = np.arange(6000.0)[::-1]
    samples = np.array(values.reshape(2, 1000, 3), order=order)
    write(path, acc=samples, sample_rate_hz=50.0)
    recording = load_recording(path)
    assert isinstance(recording.samples, np.memmap)
    assert np.array_equal(recording.samples, values.reshape(2000, 3))
    assert recording.segments == (Segment(0, 1000), Segment(1000, 2000))


def test_a_missing_number_far_inside_a_large_npz_is_told(tmp_path: Path) -> None:
    values = np.zeros(200_000)
    values[150_000] = np.nan
    np.savez(tmp_path / "large.npz", x=values)
    with pytest.raises(RecordingError, match=r"column 'x': sample 150000 \(counted from 0\) is nan"):
        load_recording(tmp_path / "large.npz")
