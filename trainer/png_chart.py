"""Charts of a recording as a PNG picture: the waveform and the spectrum of each axis, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from trainer.errors import OutputError
from trainer.report.axes import ticks
from trainer.report.charts import thinned

Values = npt.NDArray[np.float64]

PANEL_WIDTH, PANEL_HEIGHT = 640, 240
"""Of one chart, in pixels."""

# Drawn larger and made smaller, so that lines are smooth.
_FINE = 2
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 16, 30, 42
_PAPER, _INK, _GRID, _CURVE = "white", "#333333", "#dddddd", "#1f5fa8"
_LABEL_SIZE, _TITLE_SIZE = 12, 14


@dataclass(frozen=True)
class Panel:
    """One chart: a curve over an axis."""

    title: str
    x: Values
    y: Values
    x_label: str
    y_label: str


def write_png(path: Path, rows: Sequence[Sequence[Panel]]) -> None:
    """Draw panels in rows, replacing an older file.

    Args:
        path: The file; its name ends in ``.png``.
        rows: At least one, all of the same length.

    Raises:
        OutputError: If it cannot be written.
    """
    size = (PANEL_WIDTH * len(rows[0]), PANEL_HEIGHT * len(rows))
    picture = Image.new("RGB", (size[0] * _FINE, size[1] * _FINE), _PAPER)
    draw = ImageDraw.Draw(picture)
    for down, row in enumerate(rows):
        for across, panel in enumerate(row):
            _Plot(draw, panel, PANEL_WIDTH * across, PANEL_HEIGHT * down).draw()
    try:
        picture.resize(size, Image.Resampling.LANCZOS).save(path, "PNG", optimize=True)
    except OSError as error:
        raise OutputError(path, f"cannot be written: {error.strerror or error}") from error


class _Plot:
    """A panel at its place in the picture."""

    def __init__(self, draw: ImageDraw.ImageDraw, panel: Panel, left: int, top: int) -> None:
        self._draw = draw
        self._panel = panel
        self._box = (left + _LEFT, top + _TOP, left + PANEL_WIDTH - _RIGHT, top + PANEL_HEIGHT - _BOTTOM)
        self._x_span = _span(panel.x)
        self._y_span = _span(panel.y)

    def draw(self) -> None:
        """Draw the grid, the labels and the curve."""
        left, top, right, bottom = self._box
        for value in ticks(*self._x_span):
            x = self._px(value)
            self._line([(x, top), (x, bottom)], _GRID)
            self._text(f"{value:.6g}", x, bottom + 5, "ma")
        for value in ticks(*self._y_span):
            y = self._py(value)
            self._line([(left, y), (right, y)], _GRID)
            self._text(f"{value:.6g}", left - 6, y, "rm")
        xs, ys = thinned(self._panel.x, self._panel.y, 2 * PANEL_WIDTH)
        points = [(self._px(x), self._py(y)) for x, y in zip(xs.tolist(), ys.tolist(), strict=True)]
        self._line(points, _CURVE)
        self._line([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], _INK)
        self._text(self._panel.title, left, top - 8, "ls", _TITLE_SIZE)
        self._text(self._panel.y_label, right, top - 8, "rs")
        self._text(self._panel.x_label, (left + right) / 2, bottom + 22, "ma")

    def _px(self, value: float) -> float:
        low, high = self._x_span
        return self._box[0] + (value - low) / (high - low) * (self._box[2] - self._box[0])

    def _py(self, value: float) -> float:
        low, high = self._y_span
        return self._box[3] - (value - low) / (high - low) * (self._box[3] - self._box[1])

    def _line(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        self._draw.line([(x * _FINE, y * _FINE) for x, y in points], colour, _FINE)

    def _text(self, text: str, x: float, y: float, anchor: str, size: int = _LABEL_SIZE) -> None:
        font = ImageFont.load_default(size * _FINE)
        self._draw.text((x * _FINE, y * _FINE), text, _INK, font, anchor)


def _span(values: Values) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)
