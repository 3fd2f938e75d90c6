"""Accelerations in other units than g, in every format that the gateway reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording import load_recording
from firmware_bridge.recording.columns import g_per, split_unit


@pytest.mark.parametrize(
    ("name", "base", "unit"),
    [
        ("Acc x (m/s^2)", "Acc x", "m/s^2"),
        ("a/(m/s²)", "a", "m/s²"),
        ("a (m/(s^2))", "a", "m/(s^2)"),
        ("X/g", "X", "g"),
        ("Acc x/m/s^2", "Acc x", "m/s^2"),
        ("Weg in mm", "Weg", "mm"),
        ("left/right", "left/right", None),
        ("x", "x", None),
    ],
)
def test_names_and_their_units(name: str, base: str, unit: str | None) -> None:
    assert split_unit(name) == (base, unit)


@pytest.mark.parametrize(
    ("unit", "g"),
    [
        ("g", 1),
        ("mg", 1e-3),
        ("mG", None),
        ("m/s^2", 1 / 9.80665),
        ("m/s²", 1 / 9.80665),
        ("M/S**2", 1 / 9.80665),
        ("m/s/s", 1 / 9.80665),
        ("mm/s2", 1e-3 / 9.80665),
        ("mm/s", None),
        ("deg/s", None),
    ],
)
def test_units_of_acceleration(unit: str, g: float | None) -> None:
    assert g_per(unit) == (pytest.approx(g) if g else None)


@pytest.mark.parametrize("ending", [".csv", ".npz"])
def test_accelerations_are_converted_and_it_is_told(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"run{ending}"
    if ending == ".csv":
        path.write_text("a (m/s^2),b (mg),c (deg/s)\n9.80665,500,3\n19.6133,250,4\n")
    else:
        columns = {"a (m/s^2)": [9.80665, 19.6133], "b (mg)": [500, 250], "c (deg/s)": [3.0, 4.0]}
        np.savez(path, **{name: np.array(values) for name, values in columns.items()})
    recording = load_recording(path)
    assert recording.columns == ("a (g)", "b (g)", "c (deg/s)")
    assert recording.samples == pytest.approx(np.array([[1, 0.5, 3], [2, 0.25, 4]]))
    assert recording.notes[-2:] == (
        "converted from m/s^2 to g: times 0.101972",
        "converted from mg to g: times 0.001",
    )
    assert load_recording(path, columns=["b (g)", "a"]).columns == ("b (g)", "a (g)")


def test_names_are_found_with_a_unit_that_the_file_lacks(tmp_path: Path) -> None:
    (tmp_path / "run.csv").write_text("x,y (rpm)\n1,2\n")
    assert load_recording(tmp_path / "run.csv", columns=["x (g)"]).columns == ("x",)
    with pytest.raises(RecordingError, match=r"column 'y \(g\)': not found"):
        load_recording(tmp_path / "run.csv", columns=["y (g)"])


def test_one_channel_in_two_units_is_a_question(tmp_path: Path) -> None:
    (tmp_path / "run.csv").write_text("x (g),x (mg)\n1,1000\n")
    with pytest.raises(RecordingError, match=r"column 'x \(g\)': is there in two units; choose one"):
        load_recording(tmp_path / "run.csv")
