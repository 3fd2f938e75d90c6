"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable

DEADLINE_S = 120.0
"""Far beyond need, on a machine that is busy with other things, too: only a test that fails waits so long."""


def wait_until(condition: Callable[[], object], what: str = "it did not happen") -> None:
    """Return when the condition holds; fail after the deadline.

    Args:
        condition: Asked again and again.
        what: Said when it never holds.
    """
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.002)
