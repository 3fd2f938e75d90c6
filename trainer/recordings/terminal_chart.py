"""Curves in a terminal: dots of Braille characters, two across and four down to a character."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

_BLANK = 0x2800
# Bit of each dot, by row and column (Unicode, "Braille Patterns").
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_LABEL = 10


def curve(values: Values, width: int, height: int) -> list[str]:
    """Return a curve as lines of text; it spans from the lowest to the highest of the values of a column.

    Args:
        values: Of shape (n,), at least one, at even distances.
        width: Characters, without the labels.
        height: Lines.
    """
    low, high = float(values.min()), float(values.max())
    bottoms, tops = _spans(values, 2 * width)
    return _labelled(_drawn(bottoms, tops, low, high, height), low, high)


def bars(values: Values, width: int, height: int) -> list[str]:
    """Return values as bars that stand on 0; where many share a column the highest counts.

    Args:
        values: Of shape (n,), at least one, none negative.
        width: Characters, without the labels.
        height: Lines.
    """
    high = float(values.max())
    _, tops = _spans(values, 2 * width)
    return _labelled(_drawn(np.zeros_like(tops), tops, 0.0, high, height), 0.0, high)


def scale(low: float, high: float, unit: str, width: int) -> str:
    """Return the line under a chart: the ends of its axis."""
    left, right = f"{low:.4g}", f"{high:.4g} {unit}"
    return " " * (_LABEL + 1) + left + right.rjust(width - len(left))


def _spans(values: Values, columns: int) -> tuple[Values, Values]:
    """Return the lowest and the highest value of each column; few values are spread, many are gathered."""
    if len(values) <= columns:
        nearest = values[(np.arange(columns) * len(values)) // columns]
        return nearest, nearest
    groups = np.array_split(values, columns)
    return np.array([group.min() for group in groups]), np.array([group.max() for group in groups])


def _drawn(bottoms: Values, tops: Values, low: float, high: float, height: int) -> list[str]:
    rows = 4 * height
    span = high - low or 1.0
    first = np.rint((bottoms - low) / span * (rows - 1)).astype(int)
    last = np.rint((tops - low) / span * (rows - 1)).astype(int)
    # From the highest row down.
    level = np.arange(rows - 1, -1, -1)[:, np.newaxis]
    dots = (level >= first) & (level <= last)
    cells = dots.reshape(height, 4, -1, 2) * _DOTS[:, np.newaxis, :]
    codes = _BLANK + cells.sum(axis=(1, 3))
    return ["".join(chr(code) for code in line) for line in codes.tolist()]


def _labelled(lines: list[str], low: float, high: float) -> list[str]:
    labels = [f"{high:.3g}", *[""] * (len(lines) - 2), f"{low:.3g}"] if len(lines) > 1 else [f"{high:.3g}"]
    return [f"{label:>{_LABEL}} {line}" for label, line in zip(labels, lines, strict=True)]
