"""What is told of a window besides its score, for the person who must find the cause."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AxisStatistics:
    """Time-domain statistics of one axis of a window, in g, mean removed."""

    axis: str
    """Name of the axis: x, y, z, or the recording's column."""
    rms_g: float
    """Root mean square."""
    peak_g: float
    """Largest magnitude."""
    crest_factor: float
    """Peak divided by RMS; 0 for a silent axis."""
    kurtosis: float
    """Fourth standardised moment (3 for Gaussian noise); 0 for a silent axis."""


@dataclass(frozen=True)
class Contribution:
    """A share of the deviation, for the person who must find the cause."""

    where: str
    """An axis, or an axis and a band: ``z`` or ``z 118-143 Hz``."""
    share: float
    """Part of the whole deviation, 0 to 1."""
