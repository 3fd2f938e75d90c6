"""CSV files as they come out of loggers: what stands before the numbers, how they are written and end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording import Recording, load_recording

Load = Callable[..., Recording]

NUMBERS = "0.00,0.5,-1\n0.01,0.25,1.5\n0.02,0.75,1\n"
VALUES = [[0.5, -1], [0.25, 1.5], [0.75, 1]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write a text (or bytes) to a file and load it."""

    def loaded(content: str | bytes) -> Recording:
        path = tmp_path / "run.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_recording(path)

    return loaded


@pytest.mark.parametrize(
    "text",
    [
        f"# made by a logger\n# rate, 100\nt (s),x,y\n{NUMBERS}",
        f"% comment\nt (s),x,y\n{NUMBERS}",
        f"// comment\n// and, another\nt (s),x,y\n{NUMBERS}",
        f"Device: A1\nSerial 17, made in 2020\n\nRate,100\n\nt (s),x,y\n{NUMBERS}",
        f"sep=,\nt (s),x,y\n{NUMBERS}",
        f"Logger,7\nRate,100\nChannel,1,2\nt (s),x,y\n{NUMBERS}",
        f"# t (s),x,y\n{NUMBERS}",
        f"t (s),x,y\n# started\n{NUMBERS}# stopped\n",
        f"t (s),x,y,\n{NUMBERS}".replace("5,-1\n", "5,-1,\n")
        .replace(",1.5\n", ",1.5,\n")
        .replace(",1\n", ",1,\n"),
        "t (s),x,y\n" + NUMBERS.replace("\n", ",\n"),
        "sep=;\nt (s);x;y\n" + NUMBERS.replace(",", ";").replace(".", ","),
        "t (s);x;y\n" + NUMBERS.replace(",", ";").replace(".", ","),
        "t (s)\tx\ty\n" + NUMBERS.replace(",", "\t").replace(".", ","),
        't (s),x,y\n"0,00","0,5",-1\n"0,01","0,25","1,5"\n"0,02","0,75",1\n',
        f"t (s),x,y\n{NUMBERS}0.03,0.1\n",
        f"t (s),x,y\n{NUMBERS}0.03,0.",
        f"t (s),x,y\n{NUMBERS}0.03,0.1\0\0\0\0",
        f"\ufefft (s),x,y\n{NUMBERS}",
    ],
)
def test_numbers_are_found_whatever_surrounds_them(load: Load, text: str) -> None:
    recording = load(text)
    assert recording.columns == ("x", "y")
    assert recording.samples.tolist() == VALUES
    assert recording.rate_hz == pytest.approx(100)


def test_text_of_spreadsheets_is_read(load: Load) -> None:
    assert load(f"t (s),x,y\n{NUMBERS}".replace(",", "\t").encode("utf-16")).samples.tolist() == VALUES


def test_a_row_of_units_belongs_to_the_names(load: Load) -> None:
    recording = load(f"Time,Acc,Speed\n(ms),m/s^2,rpm\n{NUMBERS}")
    assert recording.columns == ("Acc (g)", "Speed (rpm)")
    assert recording.rate_hz == pytest.approx(100_000)


def test_what_is_skipped_and_what_is_torn_is_told(load: Load) -> None:
    recording = load(f"Device: A1\nRate,100\nt (s),x,y\n{NUMBERS}0.03,0.1\n")
    assert "left out: 2 lines before line 3, as a header block" in recording.notes
    assert "line 7, the last one, is cut short; it is left out" in recording.notes


def test_one_column_of_decimal_commas_is_one_channel(load: Load) -> None:
    assert load("0,51\n1,05\n-2,25\n").samples.tolist() == [
        [pytest.approx(0.51)],
        [pytest.approx(1.05)],
        [-2.25],
    ]
    assert load("x\n0,5\n1,25\n").samples.tolist() == [[0.5], [1.25]]
    assert load("1,2\n3,-4\n").samples.tolist() == [[1, 2], [3, -4]]


def test_a_first_row_that_is_broken_is_none_of_names(load: Load) -> None:
    with pytest.raises(RecordingError, match="line 2, column 'y': 'err' is not a number"):
        load("x,y\n1,err\n1,2\n3,4\n")


def test_text_beside_numbers_is_left_out(load: Load) -> None:
    recording = load("x,state,y\n1,on,2\n3,off,4\n")
    assert recording.columns == ("x", "y")
    assert "left out: state" in recording.notes


def test_a_header_of_another_width_is_told(load: Load) -> None:
    with pytest.raises(RecordingError, match="line 1: has 2 names, and 3 numbers in line 2"):
        load("x,y\n1,2,3\n4,5,6\n")


@pytest.mark.parametrize(
    "times",
    [
        ["2026-03-01,23:59:59.990", "2026-03-02,00:00:00.000", "2026-03-02,00:00:00.010"],
        ["31.03.2026,23:59:59.990", "01.04.2026,00:00:00.000", "01.04.2026,00:00:00.010"],
        ["31/03/2026 23:59:59.990,0", "01/04/2026 00:00:00.000,0", "01/04/2026 00:00:00.010,0"],
        ["03/31/2026,11:59:59.990 PM", "04/01/2026,12:00:00.000 AM", "04/01/2026,12:00:00.010 AM"],
        ["0,23:59:59.990", "0,00:00:00.000", "0,00:00:00.010"],
        ["0,23:59:59:990", "0,00:00:00:000", "0,00:00:00:010"],
        ["0,2026-03-01T23:59:59.990+01:00", "0,2026-03-01T23:00:00Z", "0,2026-03-02 00:00:00.010 +0100"],
    ],
)
def test_dates_and_times_of_day(load: Load, times: list[str]) -> None:
    recording = load("Datum,Uhrzeit,x\n" + "".join(f"{time},{index}\n" for index, time in enumerate(times)))
    assert recording.rate_hz == pytest.approx(100)
    assert recording.columns[-1] == "x"


def test_a_day_that_does_not_exist_is_refused(load: Load) -> None:
    with pytest.raises(RecordingError, match=r"line 3, column 'day': '30\.02\.2026' is neither a number nor"):
        load("day,x\n28.02.2026,1\n30.02.2026,2\n")
