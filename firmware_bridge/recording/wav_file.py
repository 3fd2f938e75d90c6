"""WAV recordings: the chip's own counts, which any audio or vibration tool opens, and a side-car in JSON.

Plain PCM of 16, 24 or 32 bits a sample, one channel an axis. The WAV header holds the rate rounded to whole
hertz; the true rate, the g of a count, the start and the gaps stand in the side-car (``side_car.py``).
"""

from __future__ import annotations

import itertools
import os
import wave
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from firmware_bridge.arrays import Array, CountArray, FloatArray
from firmware_bridge.errors import RecordingError
from firmware_bridge.recording.columns import find_columns
from firmware_bridge.recording.model import Recording, Segment, find_unusable
from firmware_bridge.recording.riff import RiffError, WaveData, find_wave_data
from firmware_bridge.recording.sample_store import ROWS, SampleStore
from firmware_bridge.recording.side_car import Gap, WaveInfo, read_side_car, write_side_car
from firmware_bridge.recording.time_axis import check_rate

MAX_BYTES = (1 << 32) - (1 << 12)
"""What the 32-bit lengths of RIFF allow, less the header."""
_WIDTHS = (2, 3, 4)
_FLOAT_WIDTHS = (4,)


class WavWriter:
    """Writes a recording as it comes. What was there at the last ``save`` is readable whatever happens next.

    A context manager; ``close`` saves, and may be called twice.
    """

    def __init__(self, path: Path, info: WaveInfo) -> None:
        """Begin a file; an older one of the name is not overwritten.

        Args:
            path: Ends in ``.wav``.
            info: What the waveform is; its gaps are those before the first sample.

        Raises:
            RecordingError: If the name ends otherwise, the file exists, or it cannot be written.
        """
        if path.suffix.lower() != ".wav":
            raise RecordingError("waveforms are written as .wav; change the name", path=path)
        self.path = path
        self.info = info
        self.samples = 0
        """Samples per channel so far."""
        self._width = _width(info)
        try:
            self._file = path.open("xb")
        except FileExistsError:
            raise RecordingError("exists already; choose another name", path=path) from None
        except OSError as error:
            raise self._failed(error) from error
        self._wave = wave.open(self._file, "wb")  # noqa: SIM115 - closed by close
        self._wave.setnchannels(len(info.axes))
        self._wave.setsampwidth(self._width)
        self._wave.setframerate(max(1, round(info.rate_hz)))
        self._pending: list[bytes] = []
        self.save()

    def append(self, samples_g: FloatArray, gaps: Sequence[Gap] = ()) -> None:
        """Add samples; they are on the disk after the next ``save``.

        Args:
            samples_g: Shape (n_samples, n_axes), whole multiples of the scale.
            gaps: Gaps before or within them; ``at`` counts from their first.

        Raises:
            RecordingError: If the file would grow beyond 4 GiB, or a count does not fit the sample width.
        """
        counts = np.rint(np.asarray(samples_g, np.float64) / self.info.scale_g).astype(np.int64)
        limit = 1 << (8 * self._width - 1)
        if counts.size and not -limit <= counts.min() <= counts.max() < limit:
            raise RecordingError(f"a sample is beyond {8 * self._width} bits of counts", path=self.path)
        if (self.samples + len(counts)) * counts.shape[1] * self._width > MAX_BYTES:
            raise RecordingError(
                "has reached 4 GiB, the most a WAV file holds; begin another", path=self.path
            )
        moved = tuple(replace(gap, at=gap.at + self.samples) for gap in gaps)
        self.info = replace(self.info, gaps=self.info.gaps + moved)
        self._pending.append(_packed(counts.astype(np.int32), self._width))
        self.samples += len(counts)

    def save(self, rate_hz: float | None = None) -> None:
        """Bring everything so far to the disk: side-car first, then samples, then their number.

        Args:
            rate_hz: The rate as known by now; None if there is nothing new.

        Raises:
            RecordingError: If it cannot be written.
        """
        if rate_hz is not None:
            self.info = replace(self.info, rate_hz=rate_hz)
        pending, self._pending = self._pending, []
        try:
            write_side_car(self.path, self.info)
            self._wave.writeframes(b"".join(pending))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Save and close the file.

        Raises:
            RecordingError: If it cannot be written.
        """
        if self._file.closed:
            return
        try:
            self.save()
        finally:
            # What goes wrong here has been told by save.
            with suppress(OSError):
                self._wave.close()
            with suppress(OSError):
                self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _failed(self, error: OSError) -> RecordingError:
        return RecordingError(f"cannot be written: {error.strerror}", path=self.path)


def load_wav(path: Path, columns: tuple[str, ...] | None, rate_hz: float | None) -> Recording:
    """Read a WAV file and its side-car; see ``load_recording``."""
    info = read_side_car(path)
    data = _data(path)
    wanted = _wanted(path, info, data.channels, columns)
    store = SampleStore(path, len(wanted))
    for counts in _blocks(path, data):
        store.append(_sound(path, counts[:, list(wanted)]) * np.float32(info.scale_g))
    samples = store.finish()
    short = data.stated is not None and data.stated > data.samples
    cut = (f"is cut short: {data.samples} of {data.stated} samples are there",) if short else ()
    return Recording(
        path=path,
        columns=tuple(info.axes[index] for index in wanted),
        samples=samples,
        rate_hz=check_rate(path, rate_hz, info.rate_hz, "its side-car"),
        segments=_segments(info.gaps, len(samples)),
        notes=(*_notes(info, len(samples)), *cut),
    )


def _wanted(path: Path, info: WaveInfo, channels: int, columns: tuple[str, ...] | None) -> Sequence[int]:
    if channels != len(info.axes):
        message = f"has {channels} channels, its side-car {len(info.axes)} axes; find the right side-car"
        raise RecordingError(message, path=path)
    return find_columns(path, info.axes, columns) if columns is not None else range(channels)


def read_counts(path: Path) -> Iterator[Array]:
    """Return the numbers of a WAV file in blocks, shape (n, n_channels): counts, or single precision.

    Raises:
        RecordingError: If it is no WAV file of 16, 24 or 32-bit PCM or 32-bit floats, or holds no samples.
    """
    return _blocks(path, _data(path))


def _data(path: Path) -> WaveData:
    try:
        with path.open("rb") as file:
            data = find_wave_data(file)
    except (RiffError, OSError) as error:
        message = f"is not a WAV file of plain PCM ({error}); record it again"
        raise RecordingError(message, path=path) from error
    if data.width not in (_FLOAT_WIDTHS if data.floats else _WIDTHS):
        message = f"has {8 * data.width} bits a sample; 16, 24 and 32 can be read"
        raise RecordingError(message, path=path)
    if data.samples == 0:
        raise RecordingError("holds no samples", path=path)
    return data


def _blocks(path: Path, data: WaveData) -> Iterator[Array]:
    """Yield the numbers that are there."""
    size = data.width * data.channels
    with path.open("rb") as file:
        file.seek(data.begin)
        for first in range(0, data.samples, ROWS):
            octets = file.read(min(ROWS, data.samples - first) * size)
            numbers = np.frombuffer(octets, "<f4") if data.floats else _unpacked(octets, data.width)
            yield numbers.reshape(-1, data.channels)


def _sound(path: Path, numbers: Array) -> FloatArray:
    if find_unusable(numbers).size:
        raise RecordingError("a sample is not finite; record it again", path=path)
    return numbers.astype(np.float32)


def _width(info: WaveInfo) -> int:
    """Return the bytes of a sample that hold the range, and some more where chips reach beyond it."""
    # A nominal range of 16 g may be 32787 counts of 0.488 mg, and end at 32767 all the same.
    counts = info.range_g / info.scale_g / 1.01
    return 2 if counts <= 1 << 15 else 3 if counts <= 1 << 22 else 4


def _packed(counts: CountArray, width: int) -> bytes:
    octets = np.ascontiguousarray(counts, "<i4").view(np.uint8).reshape(-1, 4)
    return octets[:, :width].tobytes()


def _unpacked(data: bytes, width: int) -> CountArray:
    octets = np.zeros((len(data) // width, 4), np.uint8)
    octets[:, 4 - width :] = np.frombuffer(data, np.uint8).reshape(-1, width)
    # The sign comes down with the shift.
    counts: CountArray = octets.view("<i4")[:, 0] >> np.int32(8 * (4 - width))
    return counts


def _segments(gaps: Sequence[Gap], samples: int) -> tuple[Segment, ...]:
    borders = [0, *sorted({gap.at for gap in gaps if 0 < gap.at < samples}), samples]
    return tuple(Segment(start, end) for start, end in itertools.pairwise(borders))


def _notes(info: WaveInfo, samples: int) -> tuple[str, ...]:
    simulated = ", SIMULATED" if info.simulated else ""
    notes = [f"{info.chip}, {info.range_g:g} g, from {info.start:%Y-%m-%d %H:%M:%S} UTC{simulated}"]
    inside = [gap for gap in info.gaps if 0 < gap.at < samples]
    if inside:
        lost = sum(gap.lost or 0 for gap in inside)
        notes.append(f"{len(inside)} gaps, at least {lost} samples lost")
    return (*notes, info.note) if info.note else tuple(notes)
