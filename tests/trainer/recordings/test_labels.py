"""Labels of rows and windows, and every way in which they do not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer.errors import DataError, MethodError
from trainer.recordings.labels import (
    Label,
    Labels,
    anomalies,
    label_sources,
    load_labels,
    parse_assumption,
    whole,
    window_labels,
)

Run = Callable[..., Any]
HEADER = "file,first_row,last_row,kind,label,note\n"


@pytest.fixture
def source(make_source: Run) -> Any:
    """Ten rows at 2 Hz."""
    return make_source(np.zeros((10, 1), np.float32), "a.csv", rate_hz=2.0)


def read(tmp_path: Path, text: str) -> Labels:
    (tmp_path / "labels.csv").write_text(text)
    return load_labels(tmp_path / "labels.csv")


def rows(source: Any, labels: Labels, *assumptions: str, base: Label = Label.NORMAL) -> list[int]:
    parsed = [parse_assumption(text) for text in assumptions]
    found: list[int] = label_sources([source], labels, parsed, base)[0].rows.tolist()
    return found


def test_both_ends_of_a_stretch_are_included_and_the_later_line_holds(tmp_path: Path, source: Any) -> None:
    text = HEADER + 'a.csv,2,5,x,anomaly,"one, two"\na.csv,5,6,x,ignore,\nother.csv,0,99,x,anomaly,\n'
    assert rows(source, read(tmp_path, text)) == [0, 0, 1, 1, 1, -1, -1, 0, 0, 0]


def test_labels_may_be_given_in_seconds(tmp_path: Path, source: Any) -> None:
    labels = read(tmp_path, "label,file,first_s,last_s\nanomaly,a.csv,1.0,2.5\n")
    assert rows(source, labels) == [0, 0, 1, 1, 1, 1, 0, 0, 0, 0]


def test_assumptions_are_of_the_first_and_last_time_and_labels_overrule_them(
    tmp_path: Path, source: Any
) -> None:
    assumed = ("normal:first:2s", "anomaly:last:1.5s")
    assert rows(source, {}, *assumed, base=Label.IGNORE) == [0, 0, 0, 0, -1, -1, -1, 1, 1, 1]
    labels = read(tmp_path, HEADER + "a.csv,0,1,x,ignore,\n")
    assert rows(source, labels, *assumed, base=Label.IGNORE) == [-1, -1, 0, 0, -1, -1, -1, 1, 1, 1]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("normal:first:1h", 3600.0), ("anomaly:last:10min", 600.0), ("ignore:last:1d", 86400.0)],
)
def test_the_units_of_assumptions(text: str, seconds: float) -> None:
    assert parse_assumption(text).seconds == seconds


@pytest.mark.parametrize(
    "text", ["", "healthy:first:1h", "normal:middle:1h", "normal:first:1", "normal:first:0s"]
)
def test_an_assumption_that_stands_for_nothing_is_told(text: str) -> None:
    with pytest.raises(MethodError, match="write normal:first:1h"):
        parse_assumption(text)


def test_blanks_around_names_and_words_do_not_matter(tmp_path: Path) -> None:
    labels = read(tmp_path, "file , first_row, last_row ,label \n a.csv , 1, 2 , anomaly \n")
    (stretch,) = labels["a.csv"]
    assert (stretch.first, stretch.last, stretch.label) == (1, 2, Label.ANOMALY)


@pytest.mark.parametrize("last", ["inf", "nan", "-1"])
def test_a_time_that_is_none_is_told(tmp_path: Path, last: str) -> None:
    with pytest.raises(DataError, match="is no stretch"):
        read(tmp_path, f"file,first_s,last_s,label\na.csv,0,{last},anomaly\n")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("file,label\na,normal\n", "needs the columns file, label and first_row, last_row"),
        ("", "needs the columns"),
        (HEADER, "holds no labels"),
        (HEADER + "a.csv,x,5,,anomaly,\n", "line 2: first_row and last_row must be whole numbers"),
        (HEADER + "a.csv,1.5,5,,anomaly,\n", "line 2: first_row and last_row must be whole numbers"),
        (HEADER + "a.csv,nan,5,,anomaly,\n", "line 2: first_row and last_row must be whole numbers"),
        (HEADER + "a.csv,1,5,,broken,\n", "line 2: 'broken' is no label; write anomaly"),
        (HEADER + "a.csv,1,5\n", "line 2: 'None' is no label"),
        (HEADER + "a.csv,5,1,,anomaly,\n", "line 2: 5 to 1 is no stretch"),
        (HEADER + "a.csv,-1,1,,anomaly,\n", "line 2: -1 to 1 is no stretch"),
    ],
)
def test_a_file_that_makes_no_sense_is_told(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        read(tmp_path, text)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        load_labels(tmp_path)
    (tmp_path / "labels.csv").write_bytes(b"file,\xff\n")
    with pytest.raises(DataError, match="is not CSV"):
        load_labels(tmp_path / "labels.csv")


def test_labels_that_do_not_fit_the_recordings_are_told(
    tmp_path: Path, source: Any, make_source: Run
) -> None:
    beyond = read(tmp_path, HEADER + "a.csv,8,10,,anomaly,\n")
    with pytest.raises(DataError, match=r"labels\.csv, line 2: ends at row 10, a\.csv ends at row 9"):
        rows(source, beyond)
    with pytest.raises(DataError, match=r"none of the labels is of a\.csv; they are of b\.csv"):
        rows(source, read(tmp_path, HEADER + "b.csv,0,1,,anomaly,\n"))
    with pytest.raises(DataError, match="two recordings have this name"):
        label_sources([source, source], beyond, [], Label.NORMAL)
    with pytest.raises(DataError, match=r"a\.csv: is shorter than 'normal:first:1h' says"):
        rows(source, {}, "normal:first:1h")
    timeless = make_source(np.zeros((10, 1), np.float32), "a.csv", rate_hz=None)
    with pytest.raises(DataError, match="has no sample rate, which normal:first:1s needs"):
        rows(timeless, {}, "normal:first:1s")


def test_a_window_is_anomalous_from_half_of_its_rows_and_normal_only_if_all_are() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, -1, 0, 0, 0, 0], np.int8)
    starts = np.array([0, 1, 2, 4, 6, 8, 9])
    assert window_labels(labels, starts, 4).tolist() == [0, -1, 1, 1, 1, -1, 0]


def test_anomalies_are_runs_of_rows(source: Any) -> None:
    assert anomalies(np.array([1, 1, 0, -1, 1, 0, 1], np.int8)) == [(0, 1), (4, 4), (6, 6)]
    assert anomalies(whole(source, Label.ANOMALY).rows) == [(0, 9)]
    assert anomalies(whole(source, Label.NORMAL).rows) == []
