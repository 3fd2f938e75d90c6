"""The three axes of an accelerometer."""

from __future__ import annotations

from typing import Literal

Axis = Literal["x", "y", "z"]

AXES: tuple[Axis, Axis, Axis] = ("x", "y", "z")
"""Their names, in the order of the columns of samples."""
