"""Rate, gaps and jitter from times; names of columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.arrays import TimeArray
from firmware_bridge.errors import RecordingError
from firmware_bridge.recording import Segment
from firmware_bridge.recording.columns import (
    channel_names,
    find_columns,
    is_signal,
    seconds_per,
    split_unit,
    time_unit,
)
from firmware_bridge.recording.time_axis import (
    Times,
    Timing,
    check_rate,
    check_times,
    find_segments,
    first_step_back,
    timing,
)

HERE = Path("run.csv")


def told_by(times_s: Sequence[float] | TimeArray) -> Timing:
    return timing(HERE, Times("t", np.array(times_s), unit="s"), None)


@pytest.mark.parametrize(
    ("times_s", "rate_hz"),
    [
        ([0.0, 0.01, 0.02, 0.03], 100.0),
        ([0.0, 0.25], 4.0),
        # A clock of 10 ms under samples of 25 ms.
        ([0.0, 0.02, 0.05, 0.07, 0.1, 0.12, 0.15, 0.17, 0.2], 40.0),
        ([5.0], None),
        ([], None),
        ([5.0, 5.0, 5.0], None),
    ],
)
def test_the_rate_of_times(times_s: list[float], rate_hz: float | None) -> None:
    assert told_by(times_s).rate_hz == rate_hz


def test_gaps_do_not_slow_the_rate() -> None:
    times_s = np.arange(200) / 50.0
    times_s[60:] += 3600.0
    times_s[140:] += 86400.0
    assert told_by(times_s).rate_hz == 50.0
    assert told_by(times_s).segments == (Segment(0, 60), Segment(60, 140), Segment(140, 200))


def test_a_gap_is_more_than_five_periods() -> None:
    assert find_segments(np.array([0.0, 1.0, 6.0, 7.0]), 5.0) == (Segment(0, 4),)
    assert find_segments(np.array([0.0, 1.0, 6.5, 7.5]), 5.0) == (Segment(0, 2), Segment(2, 4))


@given(steps=st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.5, 5.0, 5.5, 60.0]), max_size=60))
def test_segments_cover_all_rows_and_part_at_long_steps_only(steps: list[float]) -> None:
    times_s = np.concatenate(([0.0], np.cumsum(steps)))
    segments = find_segments(times_s, 5.0)
    assert segments[0].start == 0
    assert segments[-1].end == len(times_s)
    assert all(one.end == other.start for one, other in pairwise(segments))
    assert all(segment.start < segment.end for segment in segments)
    assert [segment.start - 1 for segment in segments[1:]] == [
        number for number, step in enumerate(steps) if step > 5.0
    ]


def test_what_is_odd_about_times_is_noted() -> None:
    # Steps of one period but for one of nothing, one of a half, one of seven.
    steps = [1.0] * 20 + [0.0] + [1.0] * 20 + [0.5] + [1.0] * 20 + [7.0] + [1.0] * 20
    told = told_by(np.concatenate(([0.0], np.cumsum(steps))) / 10.0)
    assert told.rate_hz == pytest.approx(10.0, rel=0.02)
    assert told.notes == (
        "1 time stamps are the same as the one before",
        "1 gaps of more than 5 periods, longest 0.7 s",
        "2 of 83 steps differ from the period by more than 20%",
    )


def test_steps_of_an_hour_are_another_unit() -> None:
    with pytest.raises(RecordingError, match=r"column 't': its steps would be 3600 s; name the right unit"):
        told_by(np.arange(10.0) * 3600.0)
    assert told_by(np.arange(10.0) * 900.0).rate_hz == pytest.approx(1 / 900.0)


@pytest.mark.parametrize(
    ("given_hz", "found_hz", "rate_hz"),
    [
        (None, None, None),
        (None, 99.0, 99.0),
        (100.0, None, 100.0),
        (100.0, 104.9, 100.0),
        (100.0, 95.1, 100.0),
    ],
)
def test_the_given_rate_holds_if_the_file_agrees(
    given_hz: float | None, found_hz: float | None, rate_hz: float | None
) -> None:
    assert check_rate(HERE, given_hz, found_hz, "the file") == rate_hz


@pytest.mark.parametrize("found_hz", [94.9, 105.1])
def test_a_rate_that_the_file_contradicts_is_refused(found_hz: float) -> None:
    with pytest.raises(RecordingError, match="given rate is 100 Hz, but the file says"):
        check_rate(HERE, 100.0, found_hz, "the file")


@pytest.mark.parametrize("given_hz", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_rate_is_refused(given_hz: float) -> None:
    with pytest.raises(RecordingError, match="Hz is not possible"):
        check_rate(HERE, given_hz, None, "")


def test_times_are_checked_for_holes_and_steps_back() -> None:
    check_times(HERE, np.array([0.0, 0.0, 1.0]), "t")
    with pytest.raises(RecordingError, match=r"time 1 \(counted from 0\) is missing"):
        check_times(HERE, np.array([0.0, np.nan, 1.0]), "t")
    with pytest.raises(RecordingError, match=r"backwards at sample 2 \(counted from 0\)"):
        check_times(HERE, np.array([0.0, 2.0, 1.0]), "t")
    assert first_step_back(np.array([0.0, 2.0, 1.0, 0.0])) == 2
    assert first_step_back(np.array([3.0])) is None


@pytest.mark.parametrize(
    ("name", "base", "unit"),
    [
        ("LinAccX (g)", "LinAccX", "g"),
        ("AccX [m/s^2]", "AccX", "m/s^2"),
        (" flow ", "flow", None),
        ("a (b) c", "a (b) c", None),
        ("x ()", "x", ""),
    ],
)
def test_names_and_units(name: str, base: str, unit: str | None) -> None:
    assert split_unit(name) == (base, unit)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("time", ""),
        ("Time (ms)", "ms"),
        ("timestamp_us", "us"),
        ("t [s]", "s"),
        ("datetime", ""),
        ("temperature", None),
        ("time_to_live", None),
    ],
)
def test_columns_of_time(name: str, unit: str | None) -> None:
    assert time_unit(name) == unit
    assert not is_signal(name) if unit is not None else is_signal(name)


@pytest.mark.parametrize(
    ("name", "seconds"), [("time (ns)", 1e-9), ("t_us", 1e-6), ("time (ms)", 1e-3), ("Time/h", 3600.0)]
)
def test_units_of_time(name: str, seconds: float) -> None:
    assert seconds_per(HERE, name, time_unit(name) or "") == seconds


def test_an_unknown_unit_of_time_is_refused() -> None:
    with pytest.raises(RecordingError, match="unknown unit of time 'fortnights'; known are: s, sec, ms"):
        seconds_per(HERE, "time (fortnights)", "fortnights")


@pytest.mark.parametrize(
    "name", ["", "Unnamed: 0", "Index", "frame number", "anomaly", "changepoint", "Label"]
)
def test_counters_and_labels_are_no_signals(name: str) -> None:
    assert not is_signal(name)


def test_columns_of_a_table_are_axes_if_they_are_three() -> None:
    assert channel_names("acc", 3) == ["acc_x", "acc_y", "acc_z"]
    assert channel_names("acc", 2) == ["acc_0", "acc_1"]
    assert channel_names("acc", 1) == ["acc_0"]


def test_an_exact_name_goes_before_one_without_its_unit() -> None:
    names = ["x (g)", "x", "y (g)"]
    assert find_columns(HERE, names, ["y", "x", "x (g)"]) == [2, 1, 0]
    with pytest.raises(RecordingError, match=r"more than one column fits; name one of: x \(g\), x \(V\)"):
        find_columns(HERE, ["x (g)", "x (V)"], ["x"])
    with pytest.raises(
        RecordingError, match=r"column 'fow': not found; did you mean 'flow'\? \(there are: flow"
    ):
        find_columns(HERE, ["flow", "heat"], ["fow"])
