"""WAV files of other programs: extensible formats, floats, lengths and chunks that are wrong."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording import Recording, load_recording

COUNTS = np.array([[1, -2], [300, -400], [5, 32_767]])
SIDE_CAR = {
    "format": "judder-recording",
    "version": 1,
    "axes": ["x", "y"],
    "scale_g_per_count": 0.5,
    "range_g": 16.0,
    "rate_hz": 800.0,
    "start": "2026-03-01T12:00:00Z",
    "chip": "adxl345",
    "bus": "b",
    "address": 83,
    "simulated": False,
    "gaps": [],
    "note": "",
}


def chunk(name: bytes, content: bytes, length: int | None = None) -> bytes:
    return name + struct.pack("<I", len(content) if length is None else length) + content


def header(kind: int = 1, bits: int = 16, sub_format: int | None = None) -> bytes:
    width = bits // 8
    plain = struct.pack("<HHIIHH", kind, 2, 800, 1600 * width, 2 * width, bits)
    if sub_format is None:
        return chunk(b"fmt ", plain)
    return chunk(b"fmt ", plain + struct.pack("<HHIH", 22, bits, 3, sub_format) + bytes(14))


DATA = COUNTS.astype("<i2").tobytes()
FLOATS = COUNTS.astype("<f4").tobytes()


def wave(*chunks: bytes, length: int | None = None, name: bytes = b"RIFF") -> bytes:
    return chunk(name, b"WAVE" + b"".join(chunks), length)


@pytest.fixture
def load(tmp_path: Path) -> Callable[[bytes], Recording]:
    """Write a WAV file and its side-car, and read them."""

    def loaded(content: bytes) -> Recording:
        (tmp_path / "run.wav").write_bytes(content)
        (tmp_path / "run.json").write_text(json.dumps(SIDE_CAR))
        return load_recording(tmp_path / "run.wav")

    return loaded


@pytest.mark.parametrize(
    "content",
    [
        wave(header(0xFFFE, 16, 1), chunk(b"data", DATA)),
        wave(header(3, 32), chunk(b"data", FLOATS)),
        wave(header(0xFFFE, 32, 3), chunk(b"data", FLOATS)),
        wave(header(), chunk(b"data", DATA, 0), length=0),
        wave(header(), chunk(b"data", DATA, 0xFFFFFFFF), length=0xFFFFFFFF),
        wave(header(), chunk(b"data", DATA), length=4),
        wave(header(), chunk(b"LIST", b"INFO", 7000), chunk(b"data", DATA)),
        wave(header(), chunk(b"note", b"odd"), chunk(b"data", DATA)),
        wave(header(), chunk(b"note", b"odd") + b"\0", chunk(b"data", DATA)),
        wave(chunk(b"JUNK", bytes(28)), header(), chunk(b"data", DATA), chunk(b"LIST", b"INFO", 9000)),
        wave(
            chunk(b"ds64", struct.pack("<QQQI", 0, len(DATA), 3, 0)),
            header(),
            chunk(b"data", DATA, 0xFFFFFFFF),
            b"behind",
            name=b"RF64",
        ),
    ],
)
def test_files_of_other_programs_are_read(load: Callable[[bytes], Recording], content: bytes) -> None:
    assert load(content).samples.tolist() == (COUNTS / 2).tolist()


def test_what_is_cut_short_is_read_as_far_as_it_goes_and_told(load: Callable[[bytes], Recording]) -> None:
    recording = load(wave(header(), chunk(b"data", DATA))[:-3])
    assert recording.samples.tolist() == (COUNTS[:2] / 2).tolist()
    assert "is cut short: 2 of 3 samples are there" in recording.notes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (wave(header()), r"plain PCM \(no samples\)"),
        (wave(chunk(b"data", DATA)), r"plain PCM \(no format\)"),
        (wave(header(85), chunk(b"data", DATA)), r"plain PCM \(unknown format: 85\)"),
        (wave(header(0xFFFE, 16, 6), chunk(b"data", DATA)), r"plain PCM \(unknown format: 6\)"),
        (wave(header(), chunk(b"data", b"")), "holds no samples"),
        (wave(header(3, 64), chunk(b"data", FLOATS)), "has 64 bits a sample"),
        (wave(header(3, 32), chunk(b"data", np.full(6, np.nan, "<f4").tobytes())), "a sample is not finite"),
    ],
)
def test_what_cannot_be_read_is_explained(
    load: Callable[[bytes], Recording], content: bytes, message: str
) -> None:
    with pytest.raises(RecordingError, match=message):
        load(content)


@given(data=st.data())
def test_damage_never_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(wave(header(), chunk(b"LIST", b"INFO"), chunk(b"data", DATA)))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "run.wav"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    path.with_suffix(".json").write_text(json.dumps(SIDE_CAR))
    with suppress(RecordingError):
        load_recording(path)
