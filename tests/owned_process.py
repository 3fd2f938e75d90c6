"""Processes that end with the test that starts them, however it ends."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def owned(command: Sequence[object], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Run a process; kill it at the end if it still runs.

    Args:
        command: Program and arguments.
        options: Of ``subprocess.Popen``.
    """
    with subprocess.Popen([str(part) for part in command], **options) as process:
        try:
            yield process
        finally:
            process.kill()
