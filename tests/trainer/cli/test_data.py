"""``judder-train data show``, and the recordings of other programs in the other commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from matplotlib.image import imread
from scipy.io import savemat

from trainer.recordings.png_chart import HEAD_HEIGHT, ROW_HEIGHT, WIDTH
from trainer.recordings.terminal_chart import bars, curve, scale

Run = Callable[..., Any]

CURVE_BLUE = np.array([0x1F, 0x5F, 0xA8]) / 255


@pytest.fixture
def shaking(tmp_path: Path) -> Path:
    """Ten seconds at 800 Hz: 50 Hz of 0.5 g on x, noise on y."""
    times_s = np.arange(8000) / 800
    noise = np.random.default_rng(1).standard_normal(8000)
    path = tmp_path / "run.mat"
    savemat(path, {"x": 0.5 * np.sin(2 * np.pi * 50 * times_s), "y": 0.1 * noise, "fs": 800.0})
    return path


def test_a_recording_is_summarized_and_plotted(judder_train: Run, shaking: Path) -> None:
    result = judder_train("data", "show", shaking)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "run.mat: 8000 samples at 800 Hz, 10.0 s, 2 axes, no gap"
    assert lines[1] == "  fs = 800"
    assert lines[2].split()[:6] == ["axis", "mean", "rms", "peak", "crest", "kurtosis"]
    assert lines[3].split()[2:] == ["0.3536", "0.5", "1.41", "1.50", "50", "(0.5)"]
    assert lines[4].split()[-1] == "none"
    assert "x: waveform" in lines
    assert "y: spectrum" in lines
    assert any("⣿" in line for line in lines)
    assert lines[-1].split() == ["0", "400", "Hz"]


def test_programs_get_json(judder_train: Run, shaking: Path) -> None:
    result = judder_train("data", "show", shaking, "--columns", "x", "--json")
    found = json.loads(result.output)
    assert (found["samples"], found["rate_hz"], found["gaps"]) == (8000, 800, 0)
    assert [axis["name"] for axis in found["axes"]] == ["x"]
    assert found["axes"][0]["rms"] == pytest.approx(0.35355, rel=1e-4)
    assert found["axes"][0]["lines"][0]["frequency"] == pytest.approx(50, abs=0.01)


def test_a_picture_is_drawn(judder_train: Run, shaking: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.png"
    result = judder_train("data", "show", shaking, "--png", out)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1].startswith(f"drawn: {out}, ")
    assert "waveform" not in result.output
    assert out.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels = imread(out)[:, :, :3]
    assert pixels.shape == (HEAD_HEIGHT + 2 * ROW_HEIGHT, WIDTH, 3)
    blue = np.abs(pixels - CURVE_BLUE).sum(axis=2) < 0.2
    waveform, spectrum = blue[HEAD_HEIGHT:285, :570], blue[HEAD_HEIGHT:285, 600:1115]
    # The sine fills its panel; its line is thin.
    assert waveform.sum() > 40_000
    assert 50 < spectrum.sum() < 1000


def test_pictures_have_an_ending_and_a_place(judder_train: Run, shaking: Path, tmp_path: Path) -> None:
    result = judder_train("data", "show", shaking, "--png", tmp_path / "run.jpg")
    assert result.exit_code == 2
    assert "a picture's name ends in .png" in result.stderr
    result = judder_train("data", "show", shaking, "--png", tmp_path / "none" / "run.png")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "cannot be written: No such file or directory" in result.stderr


def test_what_is_no_recording_is_one_line(judder_train: Run, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    result = judder_train("data", "show", path)
    assert result.exit_code == 1
    known = ".csv, .npz, .wav, .mat, .parquet, .uff, .unv"
    assert result.stderr == f"Error: {path}: not a recording; known are: {known}\n"


def test_too_few_samples_for_a_spectrum_are_shown_without(judder_train: Run, tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("x\n1\n2\n3\n")
    result = judder_train("data", "show", path)
    assert result.exit_code == 0, result.output
    assert "spectrum" not in result.output
    assert "! the file does not say its rate: give it with --rate" in result.output
    assert judder_train("data", "show", path, "--png", tmp_path / "short.png").exit_code == 0


def test_other_commands_take_such_recordings(
    judder_train: Run, fitted: Any, healthy_samples: Run, tmp_path: Path
) -> None:
    quiet, loud = healthy_samples(2000, seed=5), 2 * healthy_samples(2000, seed=6)
    savemat(tmp_path / "quiet.mat", {"x": quiet[:, 0], "y": quiet[:, 1], "fs": 100.0})
    stamps = pyarrow.array(np.arange(2000) * 10, pyarrow.timestamp("ms"))
    table = pyarrow.table({"when": stamps, "x": loud[:, 0], "y": loud[:, 1]})
    pyarrow.parquet.write_table(table, tmp_path / "loud.parquet")
    result = judder_train(
        *("evaluate", fitted.path, "--normal", tmp_path / "quiet.mat"),
        *("--anomalous", tmp_path / "loud.parquet", "--json"),
    )
    assert result.exit_code == 0, result.output
    result = judder_train(
        "calibrate", fitted.path, "--data", tmp_path / "quiet.mat", "--out", tmp_path / "pump-3.judder"
    )
    assert result.exit_code == 0, result.output


def test_a_curve_goes_from_its_lowest_to_its_highest() -> None:
    rising = curve(np.arange(8.0), 4, 1)
    assert rising == ["         7 ⡀⠄⠂⠁"] or rising == ["         7 ⣀⠤⠒⠉"]
    flat = curve(np.zeros(8), 4, 2)
    assert [line[11:] for line in flat] == ["⠀⠀⠀⠀", "⣀⣀⣀⣀"]
    assert flat[0].startswith("         0 ")


def test_many_values_share_a_column() -> None:
    swinging = np.tile([1.0, -1.0], 500)
    assert [line[11:] for line in curve(swinging, 3, 2)] == ["⣿⣿⣿", "⣿⣿⣿"]


def test_bars_stand_on_zero() -> None:
    assert [line[11:] for line in bars(np.array([0.0, 1.0, 0.0, 0.0]), 2, 1)] == ["⣸⣀"]


def test_the_ends_of_the_axis_are_told() -> None:
    assert scale(0, 12.5, "s", 20) == " " * 11 + "0" + "12.5 s".rjust(19)
