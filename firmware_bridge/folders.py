"""Folders as a power cut leaves them: a name is on disk once its folder is (fsync(2))."""

from __future__ import annotations

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Write the names in ``folder`` to disk; to be called after a file in it was renamed.

    Raises:
        OSError: If the folder cannot be opened or written.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
