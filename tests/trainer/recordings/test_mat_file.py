"""MATLAB files of both kinds: the same variables give the same recording, and what is unclear is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording import Recording, Segment
from trainer.recordings import load_recording

Write = Callable[[Path, dict[str, Any]], None]


def write_plain(path: Path, variables: dict[str, Any]) -> None:
    savemat(path, variables)


def write_compressed(path: Path, variables: dict[str, Any]) -> None:
    """Write as MATLAB does since version 7: checksums tell of damage, which SciPy may not survive."""
    savemat(path, variables, do_compression=True)


def write_hdf5(path: Path, variables: dict[str, Any]) -> None:
    """Write as MATLAB does with -v7.3: a text of 512 bytes, then HDF5 with columns first."""
    with h5py.File(path, "w", userblock_size=512) as file:
        _fill(file, variables)
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")


def _fill(group: Any, variables: dict[str, Any]) -> None:
    for name, value in variables.items():
        if isinstance(value, dict):
            inner = group.create_group(name)
            inner.attrs["MATLAB_class"] = np.bytes_("struct")
            _fill(inner, value)
        elif isinstance(value, str):
            item = group.create_dataset(name, data=np.array([[ord(letter)] for letter in value], np.uint16))
            item.attrs["MATLAB_class"] = np.bytes_("char")
        else:
            item = group.create_dataset(name, data=np.atleast_2d(np.asarray(value, np.float64)).T)
            item.attrs["MATLAB_class"] = np.bytes_("double")


@pytest.fixture(params=[write_plain, write_hdf5], ids=["v5", "v7.3"])
def load(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Recording]:
    """Write variables as a MAT file, then read it."""

    def loaded(variables: dict[str, Any], columns: Any = None, rate_hz: float | None = None) -> Recording:
        request.param(tmp_path / "run.mat", variables)
        return load_recording(tmp_path / "run.mat", columns=columns, rate_hz=rate_hz)

    return loaded


Load = Callable[..., Recording]


def column(*values: float) -> np.ndarray[Any, Any]:
    return np.array(values)[:, None]


def test_the_bearing_data_of_case_western(load: Load) -> None:
    variables = {
        "X097_DE_time": column(0.1, 0.2, 0.3),
        "X097_FE_time": column(4, 5, 6),
        "X097RPM": np.array([[1796.0]]),
    }
    recording = load(variables, rate_hz=12000)
    assert recording.columns == ("DE", "FE")
    assert recording.samples.tolist() == np.array([[0.1, 4], [0.2, 5], [0.3, 6]], np.float32).tolist()
    assert recording.samples.dtype == np.float32
    assert recording.rate_hz == 12000
    assert recording.segments == (Segment(0, 3),)
    assert recording.notes == ("X097RPM = 1796",)
    for names in (["FE"], ["X097_FE_time"]):
        assert load(variables, names).samples.tolist() == [[4], [5], [6]]


def test_two_recordings_in_one_file_must_be_chosen_from(load: Load) -> None:
    variables = {
        "X098_DE_time": column(*range(4)),
        "X099_DE_time": column(*range(3)),
        "X098RPM": np.array([[1772.0]]),
    }
    message = (
        r"run\.mat: its channels are of different lengths; choose with --columns from: "
        r"X098_DE_time \(4 samples\), X099_DE_time \(3 samples\), X098RPM = 1772"
    )
    with pytest.raises(RecordingError, match=message):
        load(variables)
    recording = load(variables, ["X099_DE_time"])
    assert recording.samples.tolist() == [[0], [1], [2]]
    assert recording.notes == ("X098RPM = 1772", "left out: X098_DE_time")
    with pytest.raises(RecordingError, match="column 'X099_DE_time': has 3 samples, X098_DE_time has 4"):
        load(variables, ["X098_DE_time", "X099_DE_time"])


def test_a_table_gives_a_channel_a_column_and_fs_is_the_rate(load: Load) -> None:
    recording = load({"acc": np.arange(12.0).reshape(4, 3), "Fs": np.array([[800.0]])})
    assert recording.columns == ("acc_x", "acc_y", "acc_z")
    assert recording.samples[1].tolist() == [3, 4, 5]
    assert recording.rate_hz == 800
    with pytest.raises(RecordingError, match="the given rate is 400 Hz, but the file says 800 Hz"):
        load({"acc": np.arange(12.0).reshape(4, 3), "Fs": np.array([[800.0]])}, rate_hz=400)


def test_a_table_that_lies_down_is_turned_and_told(load: Load) -> None:
    recording = load({"acc": np.arange(8.0).reshape(2, 4)})
    assert recording.samples.tolist() == [[0, 4], [1, 5], [2, 6], [3, 7]]
    assert recording.notes == ("acc is 2 x 4: its rows are channels",)


def test_fields_of_structures_are_channels(load: Load) -> None:
    variables = {"run": {"acc": {"de": column(1, 2, 3)}, "fs": np.array([[50.0]]), "machine": "pump"}}
    recording = load(variables)
    assert recording.columns == ("run.acc.de",)
    assert recording.rate_hz == 50
    assert recording.notes == ("run.fs = 50", "left out: run.machine")


def test_times_give_rate_and_gaps(load: Load) -> None:
    times_s = [*np.arange(40) / 100, 1.0, 1.01, 1.02]
    recording = load({"t": column(*times_s), "x": column(*range(43))})
    assert recording.columns == ("x",)
    assert recording.rate_hz == 100
    assert recording.segments == (Segment(0, 40), Segment(40, 43))
    assert recording.notes == (
        "left out: t",
        "column 't' states no unit; read as seconds",
        "1 gaps of more than 5 periods, longest 0.61 s",
    )


def test_times_must_agree_with_a_stored_rate(load: Load) -> None:
    variables = {"time": column(0, 0.01, 0.02), "x": column(1, 2, 3), "fs": np.array([[200.0]])}
    with pytest.raises(RecordingError, match="the given rate is 200 Hz, but the column 'time' says 100 Hz"):
        load(variables)


def test_times_of_another_length_are_no_times(load: Load) -> None:
    recording = load({"time": column(0, 0.01), "x": column(1, 2, 3)}, ["x"])
    assert recording.rate_hz is None
    assert recording.notes == ("left out: time",)


@pytest.mark.parametrize(
    ("variables", "columns", "message"),
    [
        ({"x": column(0, np.nan, 1)}, None, r"column 'x': sample 1 \(counted from 0\) is nan"),
        ({"x": column(0, 1e39)}, None, r"column 'x': sample 1 \(counted from 0\) is 1e\+39"),
        ({"rpm": np.array([[5.0]]), "who": "me"}, None, r"has no channel; it holds: rpm = 5, who \(text\)"),
        ({"x": column(1, 2)}, ["y"], r"column 'y': not found \(there are: x\)"),
        ({"t": column(0, 2, 1), "x": column(1, 2, 3)}, None, r"column 't': time runs backwards at sample 2"),
        ({"t": column(0, np.nan, 1), "x": column(1, 2, 3)}, None, r"column 't': time 1 .* is missing"),
        ({"t": column(0, 9e5, 18e5), "x": column(1, 2, 3)}, None, r"'t': states no unit of time; as seconds"),
        ({"x": column(1, 2), "fs": np.array([[0.0]])}, None, "column 'fs': a sample rate of 0 Hz is not"),
        ({"x": np.zeros((90, 40))}, None, r"holds 40 channels, x_0, x_1, x_2 ... x_39; choose"),
        ({"x": np.zeros((5, 4, 3))}, None, r"has no channel; it holds: x \(5 x 4 x 3\)"),
    ],
)
def test_what_cannot_be_used_is_explained(
    load: Load, variables: dict[str, Any], columns: Any, message: str
) -> None:
    with pytest.raises(RecordingError, match=message):
        load(variables, columns)


def test_cells_complex_numbers_and_logicals_are_no_channels(tmp_path: Path) -> None:
    path = tmp_path / "run.mat"
    cells = np.empty(2, object)
    cells[:] = [np.zeros(3), "text"]
    savemat(
        path, {"x": column(1, 2), "c": cells, "z": np.array([1j, 2]), "ok": np.array([True, False]), "s": "a"}
    )
    assert load_recording(path).notes == ("left out: c, z, ok, s",)
    savemat(path, {"c": cells, "z": np.array([1j, 2]), "ok": np.array([True, False]), "s": "a"})
    message = r"c \(cells\), z \(complex numbers\), ok \(logical\), s \(text\)"
    with pytest.raises(RecordingError, match=message):
        load_recording(path)


def test_empty_variables_are_refused_when_chosen(tmp_path: Path) -> None:
    path = tmp_path / "run.mat"
    savemat(path, {"x": np.zeros((0, 0))})
    with pytest.raises(RecordingError, match="column 'x': holds no samples"):
        load_recording(path)


@pytest.mark.parametrize("write", [write_compressed, write_hdf5], ids=["v7", "v7.3"])
@given(data=st.data())
def test_damage_never_ends_in_a_traceback(
    check_damaged: Callable[[Path], None],
    write: Write,
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "run.mat"
    write(path, {"x": column(*range(50)), "run": {"fs": np.array([[50.0]])}})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    check_damaged(path)


@given(length=st.integers(0, 1000))
def test_a_torn_copy_is_refused(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = tmp_path_factory.mktemp("torn") / "run.mat"
    write_plain(path, {"x": column(*range(50)), "y": column(*range(50))})
    content = path.read_bytes()
    path.write_bytes(content[: min(length, len(content) - 1)])
    with pytest.raises(RecordingError):
        load_recording(path, columns=["y"])


def test_what_is_no_mat_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.mat"
    path.write_bytes(b"x,y\n1,2\n" * 40)
    with pytest.raises(RecordingError, match=r"run\.mat: cannot be read as a MAT file: .*; save it again"):
        load_recording(path)
