"""How whoever waits hears of the progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

OnProgress: TypeAlias = Callable[[str, float], None]
"""Told what is being done, and the share of it that is done."""
