"""The folder of waveforms: which is the newest, and which make room.

The order of writing stands in the files' modification times: the clock gives them, and where it was put back,
they are set behind all others. It outlives a restart; neither clock nor name decides which is the oldest.
"""

from __future__ import annotations

import os
from pathlib import Path

from agent.waveforms.listing import written
from firmware_bridge.recording.side_car import side_car_path

_STEP_NS = 1_000_000


def mark_newest(path: Path) -> None:
    """Put a waveform that was just written behind all others in the folder.

    Raises:
        OSError: If the folder cannot be read, or the file not be touched.
    """
    latest_ns = max((written(other) for other in path.parent.glob("*.wav") if other != path), default=(0, 0))[
        0
    ]
    if written(path)[0] <= latest_ns:
        os.utime(path, ns=(latest_ns + _STEP_NS, latest_ns + _STEP_NS))


def make_room(folder: Path, limit_bytes: float, just_written: Path | None = None) -> None:
    """Delete the waveforms that were written first, with their side-cars, until the others fit.

    Args:
        folder: Where they are.
        limit_bytes: What all of them may take.
        just_written: One that stays, even if it alone is too large.

    Raises:
        OSError: If the folder cannot be read, or a file not be deleted.
    """
    newest_first = sorted(
        folder.glob("*.wav"), key=lambda path: (path == just_written, written(path)), reverse=True
    )
    kept = 0
    for path in newest_first:
        kept += _size(path)
        if kept > limit_bytes and path != just_written:
            path.unlink(missing_ok=True)
            side_car_path(path).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in (path, side_car_path(path)) if file.exists())
