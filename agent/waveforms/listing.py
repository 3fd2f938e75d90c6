"""Which waveforms belong to an alert; apart from what reads them, so that it loads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path


def waveforms_by_alert(folder: Path, alert_ids: Iterable[str]) -> dict[str, list[Path]]:
    """Return the waveforms of each alert, in the order of writing; none where the folder cannot be read."""
    paths = sorted(_readable(folder), key=written)
    return {alert_id: [path for path in paths if path.stem.endswith(alert_id)] for alert_id in alert_ids}


def _readable(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from folder.glob("*.wav")


def written(path: Path) -> tuple[int, int]:
    """Return by what files are put in the order of writing; the inode tells those of one tick."""
    try:
        found = path.stat()
    except FileNotFoundError:  # somebody deleted it meanwhile
        return 0, 0
    return found.st_mtime_ns, found.st_ino
