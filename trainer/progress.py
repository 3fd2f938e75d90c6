"""What a long computation calls to show how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

OnProgress: TypeAlias = Callable[[str, float], None]
"""Takes what is being done, and the share of it that is done."""
