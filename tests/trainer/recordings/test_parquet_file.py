"""Parquet tables: numbers are channels, time stamps give rate and gaps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording import Recording, Segment
from trainer.recordings import load_recording

Load = Callable[..., Recording]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write a table, then read it."""

    def loaded(table: Any, columns: Any = None, rate_hz: float | None = None) -> Recording:
        content = table if isinstance(table, pyarrow.Table) else pyarrow.table(table)
        pyarrow.parquet.write_table(content, tmp_path / "run.parquet")
        return load_recording(tmp_path / "run.parquet", columns=columns, rate_hz=rate_hz)

    return loaded


def test_columns_of_numbers_are_channels(load: Load) -> None:
    table = {
        "x": np.array([1, 2, 3], np.int16),
        "y": np.array([4, 5, 6], np.float16),
        "z": [Decimal("7.5"), Decimal("8.5"), Decimal("9.5")],
        "sensor": ["a", "a", "b"],
        "index": np.arange(3),
    }
    recording = load(table, rate_hz=100)
    assert recording.columns == ("x", "y", "z")
    assert recording.samples.tolist() == [[1, 4, 7.5], [2, 5, 8.5], [3, 6, 9.5]]
    assert recording.samples.dtype == np.float32
    assert (recording.rate_hz, recording.segments) == (100, (Segment(0, 3),))
    assert recording.notes == ("left out: index, sensor",)
    assert load(table, ["z", "x"]).samples[0].tolist() == [7.5, 1]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_time_stamps_give_rate_and_gaps(load: Load, unit: str) -> None:
    start = datetime(2026, 5, 1, 12, tzinfo=UTC)
    at_s = [*range(50), *range(60, 80)]
    stamps = [start + timedelta(milliseconds=5 * step) for step in at_s]
    table = {"when": pyarrow.array(stamps, pyarrow.timestamp(unit, "UTC")), "x": np.arange(70.0)}
    recording = load(table)
    assert recording.columns == ("x",)
    assert recording.rate_hz == 200
    assert recording.segments == (Segment(0, 50), Segment(50, 70))
    assert recording.notes == ("1 gaps of more than 5 periods, longest 0.055 s",)
    with pytest.raises(RecordingError, match="the given rate is 100 Hz, but the column 'when' says 200 Hz"):
        load(table, rate_hz=100)


def test_times_as_numbers_say_their_unit(load: Load) -> None:
    assert load({"time_ms": np.arange(50) * 2, "x": np.arange(50.0)}).rate_hz == 500
    ticks = 1_700_000_000_000_000_000 + np.arange(50, dtype=np.int64) * 2_000_000
    recording = load({"timestamp": ticks, "x": np.arange(50.0)})
    assert recording.rate_hz == 500
    assert "column 'timestamp' states no unit; 19 digits are read as ns since 1970" in recording.notes


def test_the_rate_may_stand_in_the_metadata(load: Load) -> None:
    table = pyarrow.table({"x": [1.0, 2.0]}).replace_schema_metadata({"sample_rate_hz": "400", "by": "me"})
    recording = load(table)
    assert recording.rate_hz == 400
    assert recording.notes == ("sample_rate_hz = 400",)


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        ({"x": [1.0, None, 3.0]}, None, r"column 'x': sample 1 \(counted from 0\) is nan; cut it out"),
        ({"n": [1, None, 3]}, None, r"column 'n': sample 1 \(counted from 0\) is nan"),
        ({"x": [1.0, float("inf")]}, None, r"column 'x': sample 1 \(counted from 0\) is inf"),
        ({"x": pyarrow.array([], pyarrow.float64())}, None, r"column 'x': holds no samples"),
        (
            {"windows": [[1.0, 2.0], [3.0, 4.0]]},
            None,
            r"has no channel; it holds: windows \(list<.*double>\)",
        ),
        ({"x": [1.0]}, ["acc"], r"column 'acc': not found \(there are: x\)"),
        (
            {"t": pyarrow.array([2, 1], pyarrow.timestamp("s")), "x": [1.0, 2.0]},
            None,
            r"column 't': time runs backwards at sample 1",
        ),
        (
            {"t": pyarrow.array([2, None], pyarrow.timestamp("s")), "x": [1.0, 2.0]},
            None,
            r"column 't': a time is missing",
        ),
    ],
)
def test_what_cannot_be_used_is_explained(load: Load, table: Any, columns: Any, message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        load(table, columns)


def test_missing_values_elsewhere_do_not_matter(load: Load) -> None:
    assert load({"x": [1.0, 2.0], "y": [None, 1.0]}, ["x"]).samples.tolist() == [[1], [2]]


@given(data=st.data())
def test_damage_never_ends_in_a_traceback(
    check_damaged: Callable[[Path], None], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "run.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"x": np.arange(20.0)}), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    check_damaged(path)


def test_durations_are_times(load: Load) -> None:
    ticks = pyarrow.array(np.arange(50) * 2, pyarrow.duration("ms"))
    recording = load({"since": ticks, "x": np.arange(50.0)})
    assert (recording.columns, recording.rate_hz) == (("x",), 500)


@pytest.mark.parametrize("name", ["Dauer (s)", "elapsed", "foo"])
def test_what_climbs_evenly_is_no_channel(load: Load, name: str) -> None:
    values = np.random.default_rng(1).standard_normal(1000)
    recording = load({name: np.arange(1000) / 640, "x (m/s^2)": values}, rate_hz=640)
    assert (recording.columns, recording.rate_hz) == (("x (g)",), 640)
    assert np.allclose(recording.samples[:, 0], values / 9.80665)
