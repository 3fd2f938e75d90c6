"""NPZ recordings: which arrays are channels, what else is in the file, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording import Recording, Segment, load_recording, save_recording


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.npz"


def test_arrays_are_channels_and_scalars_are_not(path: Path) -> None:
    np.savez(path, DE=np.array([1.0, 2, 3]), FE=np.array([4.0, 5, 6]), rpm=1796.0, sample_rate_hz=12000.0)
    recording = load_recording(path)
    assert recording.columns == ("DE", "FE")
    assert recording.samples.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert recording.samples.dtype == np.float32
    assert recording.rate_hz == 12000
    assert recording.segments == (Segment(0, 3),)
    assert recording.notes == ("left out: rpm",)


def test_a_table_gives_a_channel_a_column(path: Path) -> None:
    np.savez(path, acc=np.arange(6).reshape(2, 3), strain=np.arange(4).reshape(2, 2), rate_hz=100)
    recording = load_recording(path)
    assert recording.columns == ("acc_x", "acc_y", "acc_z", "strain_0", "strain_1")
    assert recording.samples.tolist() == [[0, 1, 2, 0, 1], [3, 4, 5, 2, 3]]
    assert recording.rate_hz == 100


def test_a_stack_gives_a_segment_a_file(path: Path) -> None:
    np.savez(path, acc_g=np.arange(24.0).reshape(4, 2, 3), file_index=np.arange(4, dtype=np.int16))
    recording = load_recording(path, columns=["acc_g_z", "acc_g_x"])
    assert recording.columns == ("acc_g_z", "acc_g_x")
    assert recording.samples.tolist() == [[2 + 3 * row, 3 * row] for row in range(8)]
    assert recording.segments == (Segment(0, 2), Segment(2, 4), Segment(4, 6), Segment(6, 8))
    assert recording.notes == ("left out: file_index",)


def test_times_give_rate_and_gaps(path: Path) -> None:
    times_ms = np.array([*range(40), *range(60, 80)]) * 5
    np.savez(path, time_ms=times_ms, x=np.arange(60.0))
    recording = load_recording(path)
    assert recording.columns == ("x",)
    assert recording.rate_hz == 200
    assert recording.segments == (Segment(0, 40), Segment(40, 60))
    assert recording.notes == (
        "left out: time_ms",
        "1 gaps of more than 5 periods, longest 0.105 s",
    )
    with pytest.raises(
        RecordingError, match="the given rate is 100 Hz, but the column 'time_ms' says 200 Hz"
    ):
        load_recording(path, rate_hz=100)
    np.savez(path, time_ms=times_ms[::-1], x=np.arange(60.0))
    with pytest.raises(RecordingError, match=r"column 'time_ms': time runs backwards at sample 1"):
        load_recording(path)


def test_dates_give_rate_and_gaps(path: Path) -> None:
    at = np.datetime64("2026-03-01") + np.array([*range(40), *range(60, 80)]) * np.timedelta64(5, "ms")
    np.savez(path, when=at, x=np.zeros(60))
    recording = load_recording(path)
    assert (recording.columns, recording.rate_hz) == (("x",), 200)
    assert recording.segments == (Segment(0, 40), Segment(40, 60))


def test_channels_first_are_turned_and_told(path: Path) -> None:
    samples = np.random.default_rng(1).standard_normal((2, 500))
    np.savez(path, acc=samples, stack=samples.reshape(2, 250, 2).transpose(0, 2, 1), fs=800)
    recording = load_recording(path, columns=["acc_1", "stack_0"])
    assert np.allclose(recording.samples[:, 0], samples[1])
    assert recording.rate_hz == 800
    assert "acc is 2 x 500: its rows are channels" in recording.notes
    np.savez(path, acc=np.zeros((3, 20)), t_s=np.arange(20) / 800)
    assert load_recording(path).samples.shape == (20, 3)


def test_a_table_of_windows_is_a_question(path: Path) -> None:
    np.savez(path, x=np.zeros((4, 40, 50)))
    with pytest.raises(
        RecordingError, match=r"holds 50 channels, x_0, x_1, x_2 \.\.\. x_49; choose with --columns"
    ):
        load_recording(path)


def test_the_given_rate_must_agree(path: Path) -> None:
    np.savez(path, x=np.zeros(3), sample_rate_hz=200.0)
    assert load_recording(path, rate_hz=209).rate_hz == 209
    with pytest.raises(RecordingError, match="the given rate is 400 Hz, but the file says 200 Hz"):
        load_recording(path, rate_hz=400)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.array([0.0, np.nan])}, r"column 'x': sample 1 \(counted from 0\) is nan"),
        ({"x": np.array([[0.0, 1, np.inf]])}, r"column 'x_z': sample 0 \(counted from 0\) is inf"),
        (
            {"x": np.zeros(3), "y": np.zeros(4)},
            r"column 'x': has shape \(3,\), the other arrays have 4 samples",
        ),
        ({"rpm": 1796.0}, r"holds no array of samples \(there are: rpm\)"),
        ({}, r"holds no array of samples \(there are: none\)"),
        ({"x": np.zeros(3), "rate_hz": 0.0}, "column 'rate_hz': a sample rate of 0 Hz is not possible"),
        ({"x": np.array([{}], object)}, "cannot be read as NPZ of plain numbers"),
        ({"x": np.zeros(3), "segments": np.array([[0, 4]])}, "column 'segments': must be rows"),
        (
            {"x": np.zeros(3), "segments": np.array([[2, 1]])},
            "column 'segments': must be .* one after the other",
        ),
        ({"x": np.zeros(9), "segments": np.array([[0, 5], [4, 9]])}, "column 'segments': must be rows"),
        ({"x": np.zeros(3), "segments": np.array([[0, np.nan]])}, "column 'segments': must be rows"),
        ({"x": np.zeros(3), "segments": np.array([["a", "b"]])}, "column 'segments': must be rows"),
        ({"x": np.zeros(3), "segments": np.array([0, 3])}, "column 'segments': must be rows"),
        ({"x": np.zeros(3), "rate_hz": "fast"}, "column 'rate_hz': 'fast' is no sample rate; store a number"),
        ({"x": np.zeros(3), "rate_hz": 1j}, "column 'rate_hz': '1j' is no sample rate"),
        ({"time": np.arange(3.0)}, r"holds no array of samples \(there are: time\)"),
        ({"x": np.zeros((3, 0))}, r"holds no array of samples \(there are: x\)"),
        ({"x": np.zeros(0)}, "holds no samples"),
        ({"x": np.array(["a", "b"])}, "holds no array of samples"),
    ],
)
def test_broken_files_are_explained(path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(path, **arrays)
    with pytest.raises(RecordingError, match=message):
        load_recording(path)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut short"])
def test_what_is_not_npz_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="cannot be read as NPZ of plain numbers"):
        load_recording(path)


def test_a_single_array_is_not_an_archive(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(RecordingError) as caught:
        load_recording(path)
    assert str(caught.value) == (f"{path}: is a single array, not an NPZ archive; write it with numpy.savez")


# Bytes of the central directory, APPNOTE.TXT 4.3.12.
@pytest.mark.parametrize(
    ("place", "value"),
    [(6, 0xFF), (8, 0x01), (8, 0x20), (10, 0x01)],
    ids=["version", "encrypted", "patched", "shrunk"],
)
def test_an_archive_that_zipfile_cannot_unpack_is_refused(path: Path, place: int, value: int) -> None:
    np.savez(path, x=np.zeros(3))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + place] = value
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"run\.npz: cannot be read as NPZ of plain numbers") as caught:
        load_recording(path)
    assert "\n" not in str(caught.value)


def test_what_is_saved_is_loaded(path: Path) -> None:
    samples = np.arange(12, dtype=np.float32).reshape(6, 2)
    segments = (Segment(0, 2), Segment(3, 6))
    saved = Recording(path, ("AccX (g)", "AccY (g)"), samples, 400.0, segments, ("a note",))
    save_recording(path, saved)
    loaded = load_recording(path, columns=["AccX", "AccY"])
    assert loaded.columns == saved.columns
    assert np.array_equal(loaded.samples, samples)
    assert (loaded.rate_hz, loaded.segments) == (400, segments)


def test_recordings_are_not_saved_anywhere(tmp_path: Path) -> None:
    recording = Recording(
        tmp_path / "a.npz", ("x",), np.zeros((1, 1), np.float32), None, (Segment(0, 1),), ()
    )
    with pytest.raises(RecordingError, match=r"recordings are written as \.npz"):
        save_recording(tmp_path / "a.csv", recording)
    with pytest.raises(RecordingError, match="cannot be written: No such file or directory"):
        save_recording(tmp_path / "none" / "a.npz", recording)


def test_the_ceiling_fan(data_folder: Path) -> None:
    recording = load_recording(data_folder / "ceiling_fan" / "fan_0_low_0_weight.npz")
    assert recording.columns == ("acc_g_x", "acc_g_y", "acc_g_z")
    assert recording.samples.shape == (585 * 200, 3)
    assert len(recording.segments) == 585
    assert recording.rate_hz == 200


def test_the_bearing(data_folder: Path) -> None:
    recording = load_recording(data_folder / "cwru" / "normal_0_48k.npz")
    assert recording.samples.shape == (243_938, 2)
    assert recording.rate_hz == 48_000
    assert load_recording(data_folder / "cwru" / "B028_0.npz").columns == ("DE",)
