"""From what a file holds to a recording: channels, rates, times, and what is told of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording import Segment
from trainer.recordings.contents import Contents, assemble, holdings

HERE = Path("run.mat")


def ramp(n: int = 20, first: float = 0.0) -> Any:
    return first + np.arange(float(n))


def test_channels_are_what_is_no_time_counter_or_label() -> None:
    contents = Contents(vectors={"x": ramp(), "index": ramp(), "label": ramp(), "y (g)": ramp(20, 1.0)})
    recording = assemble(HERE, contents, None, 50.0)
    assert recording.columns == ("x", "y (g)")
    assert recording.samples.dtype == np.float32
    assert recording.samples[:2].tolist() == [[0.0, 1.0], [1.0, 2.0]]
    assert (recording.rate_hz, recording.segments) == (50.0, (Segment(0, 20),))
    assert recording.notes == ("left out: index, label",)


def test_channels_come_in_the_order_asked_for_and_by_other_names() -> None:
    contents = Contents(
        vectors={"X097_DE_time": ramp(), "X097_FE_time": ramp(20, 5.0)}, aliases={"DE": "X097_DE_time"}
    )
    assert assemble(HERE, contents, ("X097_FE_time", "DE"), None).samples[0].tolist() == [5.0, 0.0]


@pytest.mark.parametrize(
    ("name", "rate_hz"),
    [("fs", 8.0), ("FS_Hz", 8.0), ("data.Sampling Rate", 8.0), ("sample_rate (Hz)", 8.0), ("rpm", None)],
)
def test_a_number_may_be_the_rate(name: str, rate_hz: float | None) -> None:
    assert assemble(HERE, Contents(vectors={"x": ramp()}, scalars={name: 8.0}), None, None).rate_hz == rate_hz


def test_the_place_that_a_format_has_for_the_rate_goes_first() -> None:
    contents = Contents(vectors={"x": ramp()}, scalars={"fs": 8.0}, rate_hz=16.0)
    assert assemble(HERE, contents, None, None).rate_hz == 16.0
    with pytest.raises(RecordingError, match="given rate is 8 Hz, but the file says 16 Hz"):
        assemble(HERE, contents, None, 8.0)


@pytest.mark.parametrize("value", [0.0, -8.0, float("nan"), float("inf")])
def test_an_impossible_rate_names_its_place(value: float) -> None:
    with pytest.raises(RecordingError, match=r"run\.mat, column 'fs': a sample rate of .* is not possible"):
        assemble(HERE, Contents(vectors={"x": ramp()}, scalars={"fs": value}), None, None)


def test_times_give_rate_and_gaps() -> None:
    times_ms = ramp(200) * 10.0 + np.where(ramp(200) >= 120, 5000.0, 0.0) + 700.0
    recording = assemble(HERE, Contents(vectors={"t (ms)": times_ms, "x": np.sin(ramp(200))}), None, None)
    assert recording.rate_hz == pytest.approx(100.0)
    assert recording.segments == (Segment(0, 120), Segment(120, 200))
    assert recording.notes == ("left out: t (ms)", "1 gaps of more than 5 periods, longest 5.01 s")


def test_times_of_another_length_belong_to_others() -> None:
    contents = Contents(
        vectors={"time (s)": ramp(7), "x": ramp()}, times_s={"stamps": ramp(7), "clock": ramp() / 4.0}
    )
    assert assemble(HERE, contents, None, None).rate_hz == 4.0
    assert assemble(HERE, Contents(vectors={"time (s)": ramp(7), "x": ramp()}), None, None).rate_hz is None


@pytest.mark.parametrize(
    ("times", "complaint"),
    [
        (ramp()[::-1], r"column 'time \(s\)': time runs backwards at sample 1"),
        (np.where(ramp() == 3, np.nan, ramp()), r"time 3 \(counted from 0\) is missing"),
    ],
)
def test_times_that_make_no_sense_are_told(times: Any, complaint: str) -> None:
    with pytest.raises(RecordingError, match=complaint):
        assemble(HERE, Contents(vectors={"time (s)": times, "x": ramp()}), None, None)


@pytest.mark.parametrize(
    ("vectors", "columns", "complaint"),
    [
        ({}, None, "has no channel; it holds: nothing"),
        ({}, ("x",), "has no channel"),
        ({"time": ramp(3)}, None, r"has no channel; it holds: time \(3 samples\)"),
        (
            {"x": ramp(3), "y": ramp(4)},
            None,
            r"different lengths; choose with --columns from: x \(3 samples\), y",
        ),
        (
            {"x": ramp(3), "y": ramp(4)},
            ("x", "y"),
            "column 'y': has 4 samples, x has 3; choose one or the other",
        ),
        ({"x": ramp(0)}, None, "column 'x': holds no samples"),
        ({"x": ramp(3), "y": ramp(0)}, ("y",), "column 'y': holds no samples"),
        ({"flow": ramp(3)}, ("flwo",), "column 'flwo': not found; did you mean 'flow'"),
        ({"x": np.array([0.0, np.inf])}, None, r"column 'x': sample 1 \(counted from 0\) is inf"),
        ({"x": np.array([1e39, 0.0])}, None, r"column 'x': sample 0 \(counted from 0\) is 1e\+39"),
        (
            {f"c{i}": ramp(3) for i in range(33)},
            None,
            r"holds 33 channels, c0, c1, c2 \.\.\. c32; choose with",
        ),
    ],
)
def test_what_cannot_be_a_recording_is_told_in_one_line(
    vectors: dict[str, Any], columns: tuple[str, ...] | None, complaint: str
) -> None:
    with pytest.raises(RecordingError, match=complaint) as caught:
        assemble(HERE, Contents(vectors=vectors), columns, None)
    assert str(caught.value).startswith("run.mat")
    assert "\n" not in str(caught.value)


def test_thirty_two_channels_are_taken() -> None:
    assert (
        len(assemble(HERE, Contents(vectors={f"c{i}": ramp(3) for i in range(32)}), None, None).columns) == 32
    )


def test_all_that_a_file_holds_is_one_line() -> None:
    contents = Contents(
        vectors={"x": ramp(3)},
        times_s={"clock": ramp(2)},
        scalars={"rpm": 1796.0},
        others={"names": "text"},
    )
    assert holdings(contents) == "x (3 samples), clock (2 times), rpm = 1796, names (text)"
    notes = assemble(HERE, contents, None, None).notes
    assert notes == ("rpm = 1796", "left out: names")


def test_a_long_list_of_what_is_left_out_is_cut() -> None:
    vectors = {"x": ramp(3), **{f"c{i}": ramp(3) for i in range(40)}}
    (note,) = assemble(HERE, Contents(vectors=vectors), ("x",), None).notes
    assert note.startswith("left out: c0, c1")
    assert note.endswith("c31 and 8 more")
