"""Any samples come back as they were; any damage is told in one line, or shortens the recording."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording import (
    Gap,
    Recording,
    Segment,
    WaveInfo,
    WavWriter,
    load_recording,
    save_recording,
)

FINITE = st.floats(-(2.0**100), 2.0**100, width=32)
SAMPLES = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 40), st.integers(1, 4)), elements=FINITE, fill=FINITE
)
# The folder is one for all examples: each writes its file anew.
ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
INFO = WaveInfo(
    axes=("x", "y"),
    scale_g=1 / 256,
    range_g=16.0,
    rate_hz=800.0,
    start=datetime(2026, 3, 1, 12, tzinfo=UTC),
    chip="adxl345",
    bus="/dev/i2c-1",
    address=0x53,
    simulated=False,
)


def read_or_refused(path: Path) -> Recording | None:
    """Return what is read; None if it is refused in one line that names the file or its side-car."""
    try:
        recording = load_recording(path)
    except RecordingError as error:
        told = str(error)
        recording = None
    else:
        told = str(path)
    assert told.startswith((str(path), str(path.with_suffix(".json"))))
    assert "\n" not in told
    if recording is None:
        return None
    assert np.isfinite(recording.samples).all()
    assert recording.samples.shape[1] == len(recording.columns) > 0
    return recording


@ONE_FOLDER
@given(samples=SAMPLES, rate_hz=st.none() | st.floats(0.1, 2e5), data=st.data())
def test_any_recording_comes_back_from_npz(
    tmp_path: Path, samples: npt.NDArray[np.float32], rate_hz: float | None, data: st.DataObject
) -> None:
    names = ("x (g)", "flow", "heat [C]", "axis 4")[: samples.shape[1]]
    cuts = sorted(data.draw(st.sets(st.integers(1, max(len(samples) - 1, 1)), max_size=4)) - {len(samples)})
    segments = tuple(Segment(first, end) for first, end in pairwise([0, *cuts, len(samples)]))
    path = tmp_path / "run.npz"
    save_recording(path, Recording(path, names, samples, rate_hz, segments, ()))
    back = load_recording(path)
    assert (back.columns, back.rate_hz, back.segments) == (names, rate_hz, segments)
    assert back.samples.tobytes() == samples.tobytes()


@ONE_FOLDER
@given(samples=SAMPLES, separator=st.sampled_from(",;\t"), end=st.sampled_from(["\n", "\r\n"]))
def test_any_numbers_come_back_from_csv(
    tmp_path: Path, samples: npt.NDArray[np.float32], separator: str, end: str
) -> None:
    names = ("x", "y", "z", "w")[: samples.shape[1]]
    rows = [names, *([repr(float(value)) for value in row] for row in samples)]
    path = tmp_path / "run.csv"
    path.write_bytes(end.join(separator.join(row) for row in rows).encode())
    back = load_recording(path)
    assert back.columns == names
    assert np.array_equal(back.samples, samples)


@ONE_FOLDER
@given(
    counts=arrays.arrays(
        np.int64, st.tuples(st.integers(1, 60), st.just(2)), elements=st.integers(-4096, 4095)
    ),
    cuts=st.lists(st.integers(0, 60), max_size=5),
    gaps=st.sets(st.integers(1, 59), max_size=4),
)
def test_any_counts_come_back_from_wav_however_they_came(
    tmp_path: Path, counts: npt.NDArray[np.int64], cuts: list[int], gaps: set[int]
) -> None:
    path = tmp_path / "run.wav"
    path.unlink(missing_ok=True)
    samples_g = (counts / 256.0).astype(np.float32)
    inside = sorted(gap for gap in gaps if gap < len(counts))
    borders = sorted({0, len(counts), *(cut for cut in cuts if cut < len(counts))})
    with WavWriter(path, INFO) as writer:
        for first, end in pairwise(borders):
            here = [Gap(gap - first, 3) for gap in inside if first <= gap < end]
            writer.append(samples_g[first:end], here)
    back = load_recording(path)
    assert back.samples.tobytes() == samples_g.tobytes()
    assert [segment.start for segment in back.segments] == [0, *inside]
    assert back.segments[-1].end == len(counts)


def csv_file(path: Path) -> Path:
    path = path / "run.csv"
    path.write_text("time (s),x (g),y\n0.00,0.25,-1\n0.01,0.5,2e3\n0.02,-0.75,3\n0.03,1,4\n")
    return path


def npz_file(path: Path) -> Path:
    path = path / "run.npz"
    samples = np.arange(8, dtype=np.float32).reshape(4, 2)
    save_recording(path, Recording(path, ("x", "y"), samples, 100.0, (Segment(0, 1), Segment(1, 4)), ()))
    return path


def wav_file(path: Path) -> Path:
    path = path / "run.wav"
    with WavWriter(path, INFO) as writer:
        writer.append(np.arange(8, dtype=np.float32).reshape(4, 2), [Gap(2, None)])
    return path


@pytest.mark.parametrize("write", [csv_file, npz_file, wav_file])
def test_a_file_that_ends_anywhere_is_shorter_or_refused(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    path = write(tmp_path)
    whole, content = load_recording(path), path.read_bytes()
    assert len(whole.samples) == 4
    for length in range(0, len(content), max(len(content) // 100, 1)):
        path.write_bytes(content[:length])
        shorter = read_or_refused(path)
        if write is npz_file:
            assert shorter is None
        elif write is wav_file and shorter is not None:
            # The header knows how long it should be.
            assert "is cut short" in shorter.notes[-1]
            assert np.array_equal(shorter.samples, whole.samples[: len(shorter.samples)])
        elif shorter is not None:
            full = len(shorter.samples) - 1  # the last cell may be cut, 2e3 to 2
            assert full < 4
            assert np.array_equal(shorter.samples[:full], whole.samples[:full, : shorter.samples.shape[1]])


@pytest.mark.parametrize("write", [csv_file, npz_file, wav_file])
@pytest.mark.parametrize("change", [0x01, 0x20, 0x80, 0xFF])
def test_a_wrong_byte_anywhere_breaks_no_reader(
    tmp_path: Path, write: Callable[[Path], Path], change: int
) -> None:
    path = write(tmp_path)
    content = path.read_bytes()
    for place in range(change % 5, len(content), 5):
        damaged = bytearray(content)
        damaged[place] ^= change
        path.write_bytes(damaged)
        read_or_refused(path)


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    return wav_file(tmp_path)


AWKWARD: tuple[Any, ...] = (
    *(None, True, 0, -1, 10**400, 1e308, float("inf"), float("nan"), "", "x", "0001-01-01T00:00:00+14:00"),
    *([], {}, [[]], [{}], [None], [{"at": float("inf"), "lost": 1}], [{"at": 1}], ["x", 10**400]),
)
KEYS = (
    *("format", "version", "axes", "scale_g_per_count", "range_g", "rate_hz", "start"),
    *("chip", "bus", "address", "simulated", "gaps", "note"),
)


@pytest.mark.parametrize("key", KEYS)
def test_any_value_in_a_side_car_is_read_or_refused(wav: Path, key: str) -> None:
    beside = wav.with_suffix(".json")
    document = json.loads(beside.read_text())
    for value in AWKWARD:
        beside.write_text(json.dumps({**document, key: value}))
        read_or_refused(wav)
