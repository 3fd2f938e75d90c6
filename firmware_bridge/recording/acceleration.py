"""Accelerations in the units that other programs write, converted to g, which a gateway measures in."""

from __future__ import annotations

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
    units = [split_unit(name)[1] or "" for name in recording.columns]
    scales = np.array([g_per(unit) or 1.0 for unit in units])
    if np.all(scales == 1):
        return recording
    columns = tuple(
        f"{split_unit(name)[0]} (g)" if scale != 1 else name
        for name, scale in zip(recording.columns, scales, strict=True)
    )
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise RecordingError(
            "is there in two units; choose one with --columns", path=recording.path, column=twice
        )
    store = SampleStore(recording.path, len(columns))
    for first in range(0, len(recording.samples), ROWS):
        store.append(recording.samples[first : first + ROWS] * scales)
    converted = dict.fromkeys(unit for unit, scale in zip(units, scales, strict=True) if scale != 1)
    notes = tuple(f"converted from {unit} to g: times {g_per(unit):.6g}" for unit in converted)
    return replace(recording, columns=columns, samples=store.finish(), notes=(*recording.notes, *notes))
