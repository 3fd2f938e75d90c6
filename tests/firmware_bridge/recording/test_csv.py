"""CSV recordings as found in the wild, and every way they are broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.errors import BridgeError, RecordingError
from firmware_bridge.recording import Recording, Segment, load_recording

Load = Callable[..., Recording]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write a text (or bytes) to a file and load it."""

    def write_and_load(
        content: str | bytes, columns: list[str] | None = None, rate_hz: float | None = None
    ) -> Recording:
        path = tmp_path / "run.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_recording(path, columns=columns, rate_hz=rate_hz)

    return write_and_load


def timed(times: Sequence[float | str], name: str = "time (s)") -> str:
    return f"{name},x\n" + "".join(f"{time},{index}\n" for index, time in enumerate(times))


def test_names_lose_their_blanks_and_keep_their_units(load: Load) -> None:
    recording = load("SensorId, AccX (g), AccY (g)\n1, 0.5, -1.0\n1, 0.25, 1.5\n")
    assert recording.columns == ("AccX (g)", "AccY (g)")
    assert recording.samples.dtype == np.float32
    assert recording.samples.tolist() == [[0.5, -1.0], [0.25, 1.5]]
    assert recording.rate_hz is None
    assert recording.segments == (Segment(0, 2),)
    assert recording.notes == ("left out: SensorId",)


def test_columns_are_found_by_name_with_or_without_unit_in_the_wanted_order(load: Load) -> None:
    text = "FrameNumber, AccX (g), LinAccX (g)\n0, 1, 2\n1, 3, 4\n"
    recording = load(text, ["LinAccX", "AccX (g)", "FrameNumber"])
    assert recording.columns == ("LinAccX (g)", "AccX (g)", "FrameNumber")
    assert recording.samples.tolist() == [[2, 1, 0], [4, 3, 1]]


@pytest.mark.parametrize(
    "text", ["x;y\n1;2\n", "x\ty\n1\t2\n", "x,y\r\n1,2\r\n", "\ufeffx,y\n1,2", "x,y\n\n1,2\n\n"]
)
def test_separators_and_line_ends(load: Load, text: str) -> None:
    recording = load(text)
    assert recording.columns == ("x", "y")
    assert recording.samples.tolist() == [[1, 2]]


def test_times_counters_and_labels_are_left_out(load: Load) -> None:
    recording = load("datetime;Index;x;anomaly;changepoint\n2020-03-09 10:34:33;0;1.5;0.0;0.0\n")
    assert recording.columns == ("x",)
    assert recording.notes == ("left out: datetime, Index, anomaly, changepoint",)


def test_an_unnamed_index_is_left_out(load: Load) -> None:
    assert load(",x\n0,1\n1,2\n").columns == ("x",)


def test_without_header_columns_are_numbered(load: Load) -> None:
    recording = load("1,2\n3,4\n")
    assert recording.columns == ("column1", "column2")
    assert recording.samples.tolist() == [[1, 2], [3, 4]]
    assert recording.notes == ("no header; the columns are named column1 to column2",)


@pytest.mark.parametrize(
    ("name", "step"),
    [("TimeStamp (s)", 0.02), ("t", 0.02), ("time_ms", 20), ("Time [ms]", 20), ("timestamp (us)", 20000)],
)
def test_the_rate_comes_from_the_time_column(load: Load, name: str, step: float) -> None:
    recording = load(timed([index * step for index in range(20)], name))
    assert recording.rate_hz == pytest.approx(50)
    assert recording.segments == (Segment(0, 20),)


def test_a_time_without_unit_is_seconds_and_says_so(load: Load) -> None:
    recording = load(timed([0, 0.5, 1.0, 1.5], "timestamp"))
    assert recording.rate_hz == pytest.approx(2)
    assert "column 'timestamp' states no unit; read as seconds" in recording.notes


@pytest.mark.parametrize(
    "form", ["2020-03-29 00:59:{:02}", "2020-03-29T00:59:{:02}Z", "2020-03-29T00:59:{:02}+01:00"]
)
def test_dates_are_times(load: Load, form: str) -> None:
    assert load(timed([form.format(second) for second in range(10)], "datetime")).rate_hz == 1


def test_dates_run_on_over_a_change_to_summer_time(load: Load) -> None:
    times = ["2020-03-29 01:59:58", "2020-03-29 01:59:59", "2020-03-29 02:00:00", "2020-03-29 02:00:01"]
    assert load(timed(times, "datetime")).segments == (Segment(0, 4),)


def test_a_coarse_time_stamp_gives_the_mean_rate(load: Load) -> None:
    # A logger that writes whole milliseconds at 800 Hz: steps of 1, 1, 1, 2 ms.
    recording = load(timed([index * 5 // 4 for index in range(100)], "time (ms)"))
    # Of 123 ms, one is 0.8 %.
    assert recording.rate_hz == pytest.approx(800, rel=0.01)


def test_a_gap_ends_a_segment(load: Load) -> None:
    times = [index * 0.01 for index in range(100)]
    times[40:] = [time + 0.045 for time in times[40:]]
    times[70:] = [time + 0.035 for time in times[70:]]
    recording = load(timed(times))
    # Steps of 5.5 and 4.5 periods: only the first is a gap.
    assert recording.segments == (Segment(0, 40), Segment(40, 100))
    assert "1 gaps of more than 5 periods, longest 0.055 s" in recording.notes
    assert "1 of 99 steps differ from the period by more than 20%" in recording.notes


def test_duplicated_times_are_noted(load: Load) -> None:
    recording = load(timed([0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]))
    assert "1 time stamps are the same as the one before" in recording.notes


def test_time_that_runs_backwards_is_an_error(load: Load) -> None:
    with pytest.raises(RecordingError, match=r"line 4, column 'time \(s\)': time runs backwards here"):
        load(timed([0, 1, 0.5, 2]))


def test_a_given_rate_within_five_percent_wins(load: Load) -> None:
    text = timed([index / 100 for index in range(50)])
    assert load(text, rate_hz=104).rate_hz == 104
    with pytest.raises(
        RecordingError, match=r"the given rate is 106 Hz, but the column 'time \(s\)' says 100 Hz"
    ):
        load(text, rate_hz=106)
    with pytest.raises(RecordingError, match="a sample rate of -1 Hz is not possible"):
        load(text, rate_hz=-1)


def test_without_a_time_column_the_given_rate_stands(load: Load) -> None:
    assert load("x\n1\n2\n", rate_hz=123).rate_hz == 123


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"run\.csv: is empty"),
        ("\n\n", r"run\.csv: is empty"),
        ("x,y\n", "has a header but no rows"),
        ("x,y\n1,2\n3\n5,6\n", r"line 3: too few cells: 1 instead of 2"),
        ("x,y\n1,2\n3,4,5\n", r"line 3: too many cells: 3 instead of 2"),
        ("x,y\n1,2\n\n3\n5,6\n", r"line 4: too few cells"),
        ("x,y\n1,2\n3,\n", r"line 3, column 'y': the value is missing"),
        ("x,y\n1,2\n3, \n", r"line 3, column 'y': the value is missing"),
        ("x,y\n1,2\n3,off\n", r"line 3, column 'y': 'off' is not a number"),
        ("x;y\n1.5;2\n3;4,5\n", r"line 3, column 'y': '4,5' is not a number; write a decimal point"),
        ("x,y\n1,nan\n3,4\n", r"line 2, column 'y': 'nan' is not finite or too large"),
        ("x,y\n1,2\n3,inf\n", r"line 3, column 'y': 'inf' is not finite or too large"),
        ("x,y\n1,2\n3,1e39\n", r"line 3, column 'y': '1e39' is not finite or too large"),
        ("x,x\n1,2\n", r"line 1, column 'x': this name occurs twice"),
        ("time,anomaly\n1,0\n", r"only times, counters and labels \(there are: time, anomaly\)"),
        (
            "datetime,x\n2020-01-01 00:00:00,1\nyesterday,2\n",
            r"line 3, column 'datetime': 'yesterday' is neither",
        ),
        ("time (s),x\n0,1\n?,2\n", r"line 3, column 'time \(s\)': '\?' is not a number"),
        (
            "time (weeks),x\n0,1\n1,2\n",
            r"column 'time \(weeks\)': unknown unit of time 'weeks'; known are: s, sec, ms",
        ),
        (b"x,\xb5\n1,2\n", "is not UTF-8 text; save it as UTF-8"),
        ('x,y\n1,"2\n', "is not CSV"),
    ],
)
def test_broken_files_are_explained(load: Load, content: str | bytes, message: str) -> None:
    with pytest.raises(RecordingError, match=message) as caught:
        load(content)
    assert isinstance(caught.value, BridgeError)
    assert isinstance(caught.value, ValueError)


def test_an_error_carries_its_place(load: Load, tmp_path: Path) -> None:
    with pytest.raises(RecordingError) as caught:
        load("x,y\n1,2\n3,off\n")
    assert (caught.value.path, caught.value.row, caught.value.column) == (tmp_path / "run.csv", 3, "y")


def test_only_the_wanted_columns_must_be_sound(load: Load) -> None:
    assert load("x,state\n1,on\n2,off\n", ["x"]).samples.tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            ["AcX"],
            r"column 'AcX': not found; did you mean 'AccX \(g\)'.*there are: AccX \(g\), AccX \(mg\), y",
        ),
        (["nothing"], r"column 'nothing': not found \(there are: AccX"),
        (["AccX"], r"column 'AccX': more than one column fits; name one of: AccX \(g\), AccX \(mg\)"),
        ([], "no columns were asked for"),
    ],
)
def test_columns_that_are_not_there(load: Load, wanted: list[str], message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        load("AccX (g),AccX (mg),y\n1,2,3\n", wanted)


def test_files_that_are_not_there_or_not_recordings(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"none\.csv: no such file; check the path"):
        load_recording(tmp_path / "none.csv")
    with pytest.raises(RecordingError, match=r"run\.mp3: not a recording; known are: \.csv, \.npz, \.wav"):
        load_recording(tmp_path / "run.mp3")


def test_the_robot_arm(data_folder: Path) -> None:
    recording = load_recording(
        data_folder / "robot_arm" / "normal_20170202_2229.csv", columns=["LinAccX"], rate_hz=50
    )
    assert recording.columns == ("LinAccX (g)",)
    assert recording.samples.shape == (6613, 1)
    # The pauses of 2.58, 1.06 and 6.66 s are among the gaps.
    ends = {segment.end for segment in recording.segments}
    assert {2499, 3082, 4743} <= ends
    assert sum(segment.end - segment.start for segment in recording.segments) == 6613


def test_skab_valve(data_folder: Path) -> None:
    recording = load_recording(data_folder / "skab" / "valve1" / "1.csv")
    assert recording.columns[0] == "Accelerometer1RMS"
    assert recording.columns[-1] == "Volume Flow RateRMS"
    # Whole seconds, one in twenty left out as evenly as by a clock of 0.953 Hz: 1144 steps in 1200 s.
    assert recording.rate_hz == pytest.approx(1144 / 1200)
