"""WAV recordings: counts survive, other tools read them, a crash leaves a whole file; foreign files."""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
import wave
from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording import Gap, Segment, WaveInfo, WavWriter, load_recording
from firmware_bridge.recording.wav_file import read_counts

INFO = WaveInfo(
    axes=("x", "y", "z"),
    scale_g=1 / 256,
    range_g=16.0,
    rate_hz=800.0,
    start=datetime(2026, 3, 1, 12, tzinfo=UTC),
    chip="adxl345",
    bus="/dev/i2c-1",
    address=0x53,
    simulated=False,
)
# 20 bits of 3.9 micro-g (ADXL355 at 2 g), and the 0.488 mg of an LSM6DSO at 16 g.
FINE = replace(INFO, chip="adxl355", scale_g=1 / 256_000, range_g=2.048)
ODD = replace(INFO, chip="lsm6dso", scale_g=0.488e-3)
Counts = npt.NDArray[np.int64]


def in_g(counts: Counts, info: WaveInfo) -> npt.NDArray[np.float32]:
    """Scale counts as a driver does."""
    return np.asarray(counts.astype(np.float32) * np.float32(info.scale_g))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.wav"


@pytest.mark.parametrize(("info", "limit", "bits"), [(INFO, 4096, 16), (ODD, 32768, 16), (FINE, 524_288, 24)])
def test_every_count_survives(path: Path, info: WaveInfo, limit: int, bits: int) -> None:
    random = np.random.default_rng(0)
    counts = random.integers(-limit, limit, (5000, 3))
    counts[:2] = [[-limit] * 3, [limit - 1] * 3]
    with WavWriter(path, info) as writer:
        for part in np.array_split(counts, 17):
            writer.append(in_g(part, info))
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (3, 800, 5000)
        assert 8 * file.getsampwidth() == bits
    assert np.array_equal(np.concatenate(list(read_counts(path))), counts)
    loaded = load_recording(path)
    assert np.array_equal(loaded.samples, in_g(counts, info))
    assert (loaded.columns, loaded.rate_hz, loaded.segments) == (("x", "y", "z"), 800.0, (Segment(0, 5000),))


def test_the_bytes_are_those_of_the_wave_format(path: Path) -> None:
    with WavWriter(path, replace(INFO, axes=("x",))) as writer:
        writer.append(np.array([[1.0], [-1.0]], np.float32))
    # RIFF, fmt of 16 bytes: PCM, 1 channel, 800 Hz, 1600 bytes a second, 2 a block, 16 bits; data: 256, -256.
    assert path.read_bytes() == (
        b"RIFF" + struct.pack("<I", 40) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 800, 1600, 2, 16)
        + b"data" + struct.pack("<I", 4) + b"\x00\x01\x00\xff"
    )  # fmt: skip


@given(st.lists(st.tuples(st.integers(1, 50), st.none() | st.integers(0, 9)), min_size=1, max_size=8))
def test_gaps_end_segments(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[int, int | None]]
) -> None:
    path = tmp_path_factory.mktemp("gaps") / "run.wav"
    with WavWriter(path, INFO) as writer:
        for length, lost in parts:
            writer.append(np.zeros((length, 3), np.float32), [Gap(0, lost)])
    loaded = load_recording(path)
    assert [segment.end - segment.start for segment in loaded.segments] == [length for length, _ in parts]
    assert writer.info.gaps[-1] == Gap(sum(length for length, _ in parts[:-1]), parts[-1][1])
    if len(parts) > 1:
        assert any(f"{len(parts) - 1} gaps" in note for note in loaded.notes)


def test_columns_and_rates_as_in_other_recordings(path: Path) -> None:
    with WavWriter(path, INFO) as writer:
        writer.append(in_g(np.arange(9).reshape(3, 3), INFO))
        writer.save(rate_hz=812.5)
    loaded = load_recording(path, columns=["z", "x"])
    assert loaded.columns == ("z", "x")
    assert (loaded.samples * 256).tolist() == [[2, 0], [5, 3], [8, 6]]
    assert loaded.rate_hz == 812.5
    with pytest.raises(RecordingError, match=r"400 Hz, but its side-car says 812\.5 Hz"):
        load_recording(path, rate_hz=400)
    with pytest.raises(RecordingError, match="column 'w': not found"):
        load_recording(path, columns=["w"])


def test_the_side_car_says_everything(path: Path) -> None:
    with WavWriter(path, replace(INFO, simulated=True, note="alert 0199")) as writer:
        writer.append(np.zeros((5, 3), np.float32), [Gap(2, 7)])
    assert json.loads(path.with_suffix(".json").read_text()) == {
        "format": "judder-recording",
        "version": 1,
        "unit": "g",
        "axes": ["x", "y", "z"],
        "scale_g_per_count": 0.00390625,
        "range_g": 16.0,
        "rate_hz": 800.0,
        "start": "2026-03-01T12:00:00.000000+00:00",
        "chip": "adxl345",
        "bus": "/dev/i2c-1",
        "address": 83,
        "simulated": True,
        "gaps": [{"at": 2, "lost": 7}],
        "note": "alert 0199",
    }
    notes = load_recording(path).notes
    assert notes == (
        "adxl345, 16 g, from 2026-03-01 12:00:00 UTC, SIMULATED",
        "1 gaps, at least 7 samples lost",
        "alert 0199",
    )  # fmt: skip


def test_a_crash_leaves_what_was_saved(path: Path) -> None:
    program = f"""
import os, signal
from datetime import UTC, datetime
from pathlib import Path
import numpy as np
from firmware_bridge.recording import WaveInfo, WavWriter
info = WaveInfo(
    axes=("x", "y", "z"), scale_g=1 / 256, range_g=16.0, rate_hz=800.0, start=datetime.now(UTC),
    chip="adxl345", bus="b", address=83, simulated=True,
)
writer = WavWriter(Path({str(path)!r}), info)
for second in range(3):
    writer.append(np.full((800, 3), second / 256, np.float32))
    if second < 2:
        writer.save()
os.kill(os.getpid(), signal.SIGKILL)
"""
    result = subprocess.run([sys.executable, "-c", program], check=False, cwd=Path(__file__).parents[3])
    assert result.returncode == -signal.SIGKILL
    loaded = load_recording(path)
    assert (loaded.samples[:, 0] * 256).tolist() == [0.0] * 800 + [1.0] * 800


def test_a_file_is_readable_from_its_first_moment(path: Path) -> None:
    writer = WavWriter(path, INFO)
    with pytest.raises(RecordingError, match="holds no samples"):
        load_recording(path)
    writer.append(np.zeros((1, 3), np.float32))
    writer.save()
    assert len(load_recording(path).samples) == 1
    writer.close()
    writer.close()


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"run\.npz: waveforms are written as \.wav"):
        WavWriter(tmp_path / "run.npz", INFO)
    with pytest.raises(RecordingError, match="cannot be written: No such file or directory"):
        WavWriter(tmp_path / "none" / "run.wav", INFO)
    (tmp_path / "run.wav").touch()
    with pytest.raises(RecordingError, match="exists already; choose another name"):
        WavWriter(tmp_path / "run.wav", INFO)
    with (
        WavWriter(tmp_path / "new.wav", INFO) as writer,
        pytest.raises(RecordingError, match="beyond 16 bits"),
    ):
        writer.append(np.full((1, 3), 200.0, np.float32))


MakeWav = Callable[..., Path]


@pytest.fixture
def make_wav(path: Path) -> MakeWav:
    """Write a file of three samples, whose bytes and side-car the test changes."""

    def make(change: Callable[[bytes], bytes] = bytes, **side_car: Any) -> Path:
        with WavWriter(path, INFO) as writer:
            writer.append(np.zeros((3, 3), np.float32))
        path.write_bytes(change(path.read_bytes()))
        beside = path.with_suffix(".json")
        document = json.loads(beside.read_text()) | side_car
        beside.write_text(json.dumps({key: value for key, value in document.items() if value != "absent"}))
        return path

    return make


def compressed(content: bytes) -> bytes:
    # WAVE_FORMAT_ADPCM is 2.
    return content[:20] + b"\x02" + content[21:]


def eight_bits(content: bytes) -> bytes:
    return content[:34] + b"\x08" + content[35:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:30], r"is not a WAV file of plain PCM \("),
        (lambda content: b"", r"is not a WAV file of plain PCM \(cut short\)"),
        (lambda content: b"x,y,z\n1,2,3\n", r"is not a WAV file of plain PCM \(.*RIFF"),
        (compressed, r"is not a WAV file of plain PCM \(unknown format: 2\)"),
        (eight_bits, "has 8 bits a sample; 16, 24 and 32 can be read"),
    ],
)
def test_truncated_and_foreign_files(
    make_wav: MakeWav, change: Callable[[bytes], bytes], message: str
) -> None:
    with pytest.raises(RecordingError, match=message) as caught:
        load_recording(make_wav(change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "is not the side-car of a recording of judder"),
        ({"version": 2}, "has version 2, this judder reads 1; update judder"),
        ({"scale_g_per_count": 0}, r"run\.json, column 'scale_g_per_count': 0 is not possible"),
        ({"rate_hz": "fast"}, "column 'rate_hz': 'fast' is not possible"),
        ({"start": "2026-03-01"}, "column 'start': '2026-03-01' is not possible"),
        ({"axes": []}, "column 'axes'"),
        ({"axes": ["x", "x", "y"]}, "column 'axes'"),
        ({"axes": ["x"]}, "has 3 channels, its side-car 1 axes; find the right side-car"),
        ({"gaps": [{"at": -1, "lost": 0}]}, "column 'gaps'"),
        ({"gaps": [3]}, "column 'gaps'"),
        ({"gaps": [{"at": float("inf"), "lost": 0}]}, "column 'gaps'"),
        ({"address": float("inf")}, "column 'address': inf is not possible"),
        ({"range_g": 10**400}, "column 'range_g': 1000"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "column 'start'.*is not possible"),
        ({"chip": "absent"}, "column 'chip': is missing"),
    ],
)
def test_broken_side_cars(make_wav: MakeWav, change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        load_recording(make_wav(**change))


def test_a_byte_order_mark_before_a_side_car_is_read_over(make_wav: MakeWav) -> None:
    path = make_wav()
    beside = path.with_suffix(".json")
    beside.write_bytes(BOM_UTF8 + beside.read_bytes())
    assert load_recording(path).rate_hz == INFO.rate_hz


@pytest.mark.parametrize("text", ["{", "[" * 100_000])
def test_a_side_car_that_is_not_there_or_not_json(make_wav: MakeWav, text: str) -> None:
    path = make_wav()
    path.with_suffix(".json").write_text(text)
    with pytest.raises(RecordingError, match="cannot be read"):
        load_recording(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(RecordingError, match=r"has no side-car run\.json, so the g of a count"):
        load_recording(path)
