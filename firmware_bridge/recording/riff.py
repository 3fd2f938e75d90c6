"""WAV files as programs write them: lengths never updated, chunks that run past the end or are not padded.

Sources: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0" (RIFF); Microsoft,
"WAVEFORMATEXTENSIBLE"; EBU Tech 3306 (RF64).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

_HEADS = (b"RIFF", b"RF64")
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_SUB_FORMAT = 24
"""Where an extensible format says what it is."""
_STREAMED = (0, 0xFFFFFFFF)
"""Lengths that a program writes which cannot go back."""
_SEARCHED = 1 << 20
"""Bytes in which the samples must begin."""


class RiffError(ValueError):
    """A file is no WAV file; the message says why."""


@dataclass(frozen=True)
class WaveData:
    """Where the samples of a WAV file lie, and what they are."""

    channels: int
    width: int
    """Bytes a sample."""
    floats: bool
    begin: int
    stated: int | None
    """Samples a channel by the header; None if it does not know."""
    samples: int
    """Samples a channel that are there."""


def find_wave_data(file: IO[bytes]) -> WaveData:
    """Return where the samples of an open WAV file lie.

    Raises:
        RiffError: If it is no WAV file of numbers.
    """
    head = file.read(_SEARCHED)
    size = file.seek(0, 2)
    if len(head) < 12:
        raise RiffError("cut short")
    if head[:4] not in _HEADS or head[8:12] != b"WAVE":
        raise RiffError("file does not start with RIFF id")
    format_at = long_at = None
    for name, at in _chunks(head):
        if name == b"fmt " and format_at is None:
            format_at = at
        elif name == b"ds64":
            long_at = at
        elif name == b"data" and format_at is not None:
            return _described(head, format_at, at, long_at, size)
    raise RiffError("no samples" if format_at is not None else "no format")


def _chunks(head: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the names of chunks and where their contents begin.

    A chunk of odd length is padded, or not; after one whose length is wrong the samples are searched for.
    """
    at = 12
    while at + 8 <= len(head):
        name, length = struct.unpack_from("<4sI", head, at)
        yield name, at + 8
        end = at + 8 + length
        ends = [place for place in (end + length % 2, end) if _is_chunk(head, place)]
        at = ends[0] if ends else head.find(b"data", at + 8)
        if at < 0:
            return


def _is_chunk(head: bytes, at: int) -> bool:
    name = head[at : at + 4]
    return len(name) == 4 and all(32 <= letter < 127 for letter in name) and len(head) >= at + 8


def _described(head: bytes, format_at: int, data_at: int, long_at: int | None, size: int) -> WaveData:
    if format_at + 16 > len(head):
        raise RiffError("cut short")
    kind, channels, _, _, _, bits = struct.unpack_from("<HHIIHH", head, format_at)
    if kind == _EXTENSIBLE and format_at + _SUB_FORMAT + 2 <= len(head):
        (kind,) = struct.unpack_from("<H", head, format_at + _SUB_FORMAT)
    if kind not in (_PCM, _FLOAT):
        raise RiffError(f"unknown format: {kind}")
    if channels == 0:
        raise RiffError("no channels")
    if bits == 0:
        raise RiffError("no bits")
    width = (bits + 7) // 8
    (length,) = struct.unpack_from("<I", head, data_at - 4)
    if length == _STREAMED[1] and long_at is not None and long_at + 16 <= len(head):
        (length,) = struct.unpack_from("<Q", head, long_at + 8)
    there = max(size - data_at, 0) // (width * channels)
    if length in _STREAMED:
        return WaveData(channels, width, kind == _FLOAT, data_at, None, there)
    stated = length // (width * channels)
    return WaveData(channels, width, kind == _FLOAT, data_at, stated, min(stated, there))
