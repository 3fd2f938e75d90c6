"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from trainer.errors import OutputError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give an empty draft in the folder of ``path``, and remove what is left of it.

    Raises:
        OutputError: If it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.touch(exist_ok=False)
        try:
            yield draft
        finally:
            draft.unlink(missing_ok=True)
    except FileNotFoundError as error:
        raise OutputError(path, f"cannot be written: there is no folder {path.parent}") from error
    except OSError as error:
        raise OutputError(path, f"cannot be written: {error.strerror}") from error


def write_through(path: Path, content: bytes) -> None:
    """Write the bytes of a file and bring them to the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
