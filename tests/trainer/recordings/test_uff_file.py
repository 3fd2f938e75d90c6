"""Universal files, as pyuff writes them, and as they come out of a torn transfer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyuff
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording import Segment
from trainer.recordings import load_recording

# pyuff leaves the files open that it writes.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

FLOATS = np.array([1.0, -2.0, 3.5e-10, 4.25, -5e8])

Save = Callable[..., Path]


def response(values: Any = FLOATS, rate_hz: float = 1000.0, **changes: Any) -> dict[str, Any]:
    """Return a data set 58 of a time response, evenly sampled."""
    fields = {
        "binary": 0,
        "func_type": 1,
        "rsp_node": 7,
        "rsp_dir": 3,
        "ref_dir": 0,
        "ref_node": 0,
        "data": np.asarray(values),
        "x": np.arange(len(values)) / rate_hz,
        "id1": "Bearing DE",
        "rsp_ent_name": "PUMP",
        "ref_ent_name": "NONE",
        "abscissa_spacing": 1,
        "abscissa_spec_data_type": 17,
        "ordinate_spec_data_type": 12,
        "orddenom_spec_data_type": 0,
        "ordinate_axis_units_lab": "g",
        "abscissa_axis_units_lab": "s",
    }
    return dict(pyuff.prepare_58(**{**fields, **changes}))


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write data sets as a UFF file."""

    def saved(*sets: dict[str, Any]) -> Path:
        path = tmp_path / "run.uff"
        path.unlink(missing_ok=True)
        pyuff.UFF(str(path)).write_sets([dict(one) for one in sets])
        return path

    return saved


@pytest.mark.parametrize("binary", [0, 1])
def test_time_responses_are_channels(save: Save, binary: int) -> None:
    path = save(
        response(binary=binary),
        {"type": 151, "model_name": "pump", "description": "", "db_app": "", "program": "x"},
        response(-FLOATS, binary=binary, rsp_node=8, rsp_dir=-1, id1="Bearing NDE"),
    )
    recording = load_recording(path)
    assert recording.columns == ("PUMP7_z (g)", "PUMP8_-x (g)")
    assert np.allclose(recording.samples, np.column_stack([FLOATS, -FLOATS]), rtol=1e-6)
    assert recording.samples.dtype == np.float32
    assert (recording.rate_hz, recording.segments) == (1000, (Segment(0, 5),))
    assert recording.notes == ()
    for name in ("PUMP8_-x", "Bearing NDE"):
        assert load_recording(path, columns=[name]).samples[3].tolist() == [-4.25]


@pytest.mark.parametrize("binary", [0, 1])
def test_uneven_times_give_rate_and_gaps(save: Save, binary: int) -> None:
    times_s = np.array([*range(40), *range(60, 80)]) * 0.005
    uneven = response(np.arange(60.0), binary=binary, abscissa_spacing=0, x=times_s)
    recording = load_recording(save(uneven))
    assert recording.samples[:, 0].tolist() == list(range(60))
    assert recording.rate_hz == pytest.approx(200, rel=1e-6)
    assert recording.segments == (Segment(0, 40), Segment(40, 60))


def test_a_rate_is_good_to_the_six_digits_of_the_format(save: Save) -> None:
    assert load_recording(save(response(rate_hz=12000.0))).rate_hz == 12000
    with pytest.raises(RecordingError, match="the given rate is 100 Hz, but the file says 12000 Hz"):
        load_recording(save(response(rate_hz=12000.0)), rate_hz=100)


def test_times_in_milliseconds(save: Save) -> None:
    path = save(response(x=np.arange(5) * 2.0, abscissa_axis_units_lab="ms"))
    assert load_recording(path).rate_hz == 500


def test_metres_per_second_squared_are_converted(save: Save) -> None:
    recording = load_recording(save(response(ordinate_axis_units_lab="m/s^2")))
    assert recording.notes == ("converted from m/s^2 to g: times 0.101972",)


def test_other_functions_are_left_out_by_name(save: Save) -> None:
    transfer = response(FLOATS + 1j, func_type=4, abscissa_spec_data_type=18, rsp_node=9)
    slow = response(rate_hz=10.0, rsp_node=10)
    recording = load_recording(save(response(), transfer, slow))
    assert recording.columns == ("PUMP7_z (g)",)
    assert recording.notes == ("left out: PUMP9_z (g), PUMP10_z (g)",)
    with pytest.raises(
        RecordingError, match=r"has no channel; it holds: PUMP9_z \(g\) \(frequency response\)"
    ):
        load_recording(save(transfer))


def test_two_sets_of_one_place_are_told_apart(save: Save) -> None:
    assert load_recording(save(response(), response())).columns == ("PUMP7_z (g)", "PUMP7_z (g)_2")


def test_responses_of_different_lengths_must_be_chosen_from(save: Save) -> None:
    path = save(response(), response(np.arange(3.0), rsp_node=8))
    with pytest.raises(
        RecordingError, match=r"choose with --columns from: PUMP7_z \(g\) \(5 samples\), PUMP8"
    ):
        load_recording(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"    58b ", b"    55  ", r"run\.uff: holds no data set 58"),
        (b"    58b     1", b"    58b     x", "line 2: this header of binary data is damaged"),
        (b"    58b     1     2", b"    58b     1     1", "line 2: its binary numbers are not IEEE 754"),
        (
            b"         4         5",
            b"         9         5",
            r"ordinate type 9 is neither single \(2\) nor double",
        ),
        (
            b"         4         5",
            b"         4         6",
            "column 'PUMP7_z .g.': is cut short: 5 of 6 numbers",
        ),
        (
            b"         4         5",
            b"         4         x",
            "line 3: the header of this data set 58 is damaged",
        ),
        (b"1.00000e-03", b"0.00000e+00", "column 'PUMP7_z .g.': its time step is 0 s"),
    ],
)
def test_damaged_binary_files_are_explained(save: Save, old: bytes, new: bytes, message: str) -> None:
    path = save(response(binary=1))
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    with pytest.raises(RecordingError, match=message):
        load_recording(path)


@pytest.mark.parametrize(
    "rewritten",
    [
        pytest.param(lambda text: text.replace(b"e+", b"D+").replace(b"e-", b"D-"), id="Fortran's exponents"),
        pytest.param(lambda text: b"".join(line.ljust(80) + b"\n" for line in text.splitlines()), id="cards"),
        pytest.param(lambda text: text.replace(b"    -1\n", b"    -1  \r\n"), id="borders with blanks"),
        pytest.param(lambda text: text.replace(b"    -1\n", b"-1\n"), id="borders without blanks"),
        pytest.param(lambda text: text.removesuffix(b"    -1\n"), id="no border at the end"),
        pytest.param(lambda text: text.replace(b"Bearing", b"Bear\x0bng"), id="a control character"),
    ],
)
def test_what_other_programs_write_is_read(save: Save, rewritten: Callable[[bytes], bytes]) -> None:
    path = save(response())
    path.write_bytes(rewritten(path.read_bytes()))
    assert load_recording(path).samples[:, 0].tolist() == FLOATS.astype(np.float32).tolist()


def test_units_may_be_latin_1(save: Save) -> None:
    path = save(response(ordinate_axis_units_lab="m/s2"))
    path.write_bytes(path.read_bytes().replace(b"m/s2", b"m/s\xb2"))
    recording = load_recording(path)
    assert recording.columns == ("PUMP7_z (g)",)
    assert recording.notes == ("converted from m/s² to g: times 0.101972",)


@pytest.mark.parametrize("order", ["<", ">"])
def test_binary_numbers_may_be_single(save: Save, order: str) -> None:
    path = save(response(binary=1))
    content = path.read_bytes().replace(FLOATS.tobytes(), FLOATS.astype(f"{order}f4").tobytes())
    content = content.replace(b"         4         5", b"         2         5")
    path.write_bytes(content.replace(b"b     1", b"b     2") if order == ">" else content)
    assert load_recording(path).samples[:, 0].tolist() == FLOATS.astype(np.float32).tolist()


def test_binary_times_may_be_single_beside_double_values(save: Save) -> None:
    times_s = np.arange(5) / 1000
    path = save(response(binary=1, abscissa_spacing=0, x=times_s))
    table = np.rec.fromarrays([times_s, FLOATS], np.dtype([("time", "<f4"), ("value", "<f8")]))
    doubles = np.column_stack([times_s, FLOATS]).tobytes()
    assert doubles in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(doubles, table.tobytes()))
    recording = load_recording(path)
    assert recording.samples[:, 0].tolist() == FLOATS.astype(np.float32).tolist()
    assert recording.rate_hz == pytest.approx(1000, rel=1e-6)


def test_binary_numbers_may_look_like_a_border(save: Save) -> None:
    looks = np.frombuffer(b"\n    -1\n", "<f8")[0]
    path = save(response([1.0, 7.0, 3.0], binary=1), response(rsp_node=8, rate_hz=10.0))
    path.write_bytes(path.read_bytes().replace(np.float64(7.0).tobytes(), np.float64(looks).tobytes()))
    assert load_recording(path).samples[:, 0].tolist() == [1.0, 0.0, 3.0]


def test_damaged_text_is_explained(save: Save) -> None:
    path = save(response())
    path.write_bytes(path.read_bytes().replace(b"4.25", b"4,25"))
    with pytest.raises(RecordingError, match=r"column 'PUMP7_z \(g\)': its numbers, from line 14 on, cannot"):
        load_recording(path)


@given(data=st.data())
def test_damage_never_ends_in_a_traceback(
    check_damaged: Callable[[Path], None], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "run.uff"
    pyuff.UFF(str(path)).write_sets([response(binary=data.draw(st.integers(0, 1)))])
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    check_damaged(path)
