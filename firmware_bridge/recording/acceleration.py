"""Accelerations in the units that other programs write, converted to g, which a gateway measures in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording.columns import g_per, split_unit
from firmware_bridge.recording.model import Recording
from firmware_bridge.recording.sample_store import ROWS, SampleStore


def in_g(recording: Recording) -> Recording:
    """Return the recording with channels in m/s2, mm/s2, mg and the like in g, and a note on each unit.

    The standard acceleration of free fall is 9.80665 m/s2 (ISO 80000-3).

    Raises:
        RecordingError: If two channels would have the same name then.
    """
    named = [split_unit(name) for name in recording.columns]
    scales = np.array([g_per(unit or "") or 1.0 for _, unit in named])
    if np.all(scales == 1):
        return recording
    pairs = zip(recording.columns, named, scales, strict=True)
    columns = tuple(name if scale == 1 else f"{bare} (g)" for name, (bare, _), scale in pairs)
    _check_once(recording, columns)
    store = SampleStore(recording.path, len(columns))
    for first in range(0, len(recording.samples), ROWS):
        store.append(recording.samples[first : first + ROWS] * scales)
    notes = (*recording.notes, *_notes(unit or "" for _, unit in named))
    return replace(recording, columns=columns, samples=store.finish(), notes=notes)


def _notes(units: Iterable[str]) -> Iterator[str]:
    for unit in dict.fromkeys(units):
        scale = g_per(unit)
        if scale is not None and scale != 1.0:
            yield f"converted from {unit} to g: times {scale:.6g}"


def _check_once(recording: Recording, columns: tuple[str, ...]) -> None:
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        message = "is there in two units; choose one with --columns"
        raise RecordingError(message, path=recording.path, column=twice)
