"""Charts as inline SVG: lines, bars, bands and marks on two axes; colours come from the style sheet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

_WIDTH, _HEIGHT = 480, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 10, 26, 40
_TICKS = 5
_MAX_POINTS = 800


@dataclass(frozen=True)
class Line:
    """A curve."""

    x: Values
    y: Values
    style: str
    """Class in the style sheet."""
    name: str = ""
    """In the legend, if not empty."""


@dataclass(frozen=True)
class Bars:
    """A histogram."""

    edges: Values
    """Shape (n + 1,)."""
    heights: Values
    """Shape (n,)."""
    style: str
    name: str = ""


@dataclass(frozen=True)
class Band:
    """A stretch of the x axis."""

    low: float
    high: float
    style: str
    name: str = ""


@dataclass(frozen=True)
class Mark:
    """A dashed line across the chart at a value of x, or of y."""

    value: float
    style: str
    name: str
    across: str = "y"
    """The axis that ``value`` is on."""


Item = Line | Bars | Band | Mark


@dataclass(frozen=True)
class _Frame:
    """How values become positions."""

    x: tuple[float, float]
    y: tuple[float, float]

    def px(self, value: float) -> float:
        low, high = self.x
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def py(self, value: float) -> float:
        low, high = self.y
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)


def chart(title: str, x_label: str, y_label: str, items: Sequence[Item]) -> str:
    """Return a figure with a caption; the axes span all lines, bars and marks.

    Args:
        title: Caption.
        x_label: With its unit.
        y_label: Likewise.
        items: One or more lines or bars, bands and marks; later ones lie above earlier ones.
    """
    frame = _Frame(_span(_xs(items)), _span(_ys(items)))
    body = "".join(_drawn(item, frame) for item in items)
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{_axes(frame, x_label, y_label)}{body}{_legend(items)}</svg></figure>'
    )


def ticks(low: float, high: float) -> list[float]:
    """Return round values, multiples of 1, 2 or 5 times a power of ten, between two values."""
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1.0, 2.0, 5.0, 10.0) if power * factor >= 0.8 * rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def thinned(x: Values, y: Values) -> tuple[Values, Values]:
    """Return fewer points that look the same: the lowest and the highest of each group of neighbours."""
    if len(x) <= _MAX_POINTS:
        return x, y
    chosen: list[int] = []
    for group in np.array_split(np.arange(len(x)), _MAX_POINTS // 2):
        chosen += sorted({int(group[np.argmin(y[group])]), int(group[np.argmax(y[group])])})
    return x[chosen], y[chosen]


def _xs(items: Iterable[Item]) -> list[Values]:
    lines = [
        item.x if isinstance(item, Line) else item.edges for item in items if isinstance(item, Line | Bars)
    ]
    marks = [np.array([item.value]) for item in items if isinstance(item, Mark) and item.across == "x"]
    return lines + marks


def _ys(items: Iterable[Item]) -> list[Values]:
    lines = [item.y for item in items if isinstance(item, Line)]
    bars = [np.append(item.heights, 0.0) for item in items if isinstance(item, Bars)]
    marks = [np.array([item.value]) for item in items if isinstance(item, Mark) and item.across == "y"]
    return lines + bars + marks


def _span(values: Sequence[Values]) -> tuple[float, float]:
    together = np.concatenate(values)
    low, high = float(together.min()), float(together.max())
    if high > low:
        return low, high
    return low - 0.5, high + 0.5


def _drawn(item: Item, frame: _Frame) -> str:
    if isinstance(item, Line):
        x, y = thinned(item.x, item.y)
        points = " ".join(f"{frame.px(a):.1f},{frame.py(b):.1f}" for a, b in zip(x, y, strict=True))
        return f'<polyline class="{item.style}" points="{points}"/>'
    if isinstance(item, Bars):
        return "".join(_bar(item, frame, index) for index in range(len(item.heights)))
    if isinstance(item, Band):
        low, high = (min(max(frame.px(value), _LEFT), _WIDTH - _RIGHT) for value in (item.low, item.high))
        return _rectangle(item.style, low, _TOP, max(high - low, 1.0), _HEIGHT - _TOP - _BOTTOM)
    return _mark(item, frame)


def _bar(bars: Bars, frame: _Frame, index: int) -> str:
    left, right = frame.px(bars.edges[index]), frame.px(bars.edges[index + 1])
    top = frame.py(bars.heights[index])
    if not bars.heights[index] > 0:
        return ""
    return _rectangle(bars.style, left, top, right - left, frame.py(0.0) - top)


def _rectangle(style: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _mark(mark: Mark, frame: _Frame) -> str:
    if mark.across == "y":
        y = frame.py(mark.value)
        ends = f'x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
    else:
        x = frame.px(mark.value)
        ends = f'x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"'
    return f'<line class="mark {mark.style}" {ends}/>'


def _axes(frame: _Frame, x_label: str, y_label: str) -> str:
    floor, middle = _HEIGHT - _BOTTOM, (_TOP + _HEIGHT - _BOTTOM) / 2
    parts = [_rectangle("frame", _LEFT, _TOP, _WIDTH - _LEFT - _RIGHT, floor - _TOP)]
    for value in ticks(*frame.x):
        parts.append(_text(f"{value:.6g}", frame.px(value), floor + 15, "middle"))
    for value in ticks(*frame.y):
        y = frame.py(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(f"{value:.6g}", _LEFT - 5, y + 4, "end"))
    parts.append(_text(x_label, (_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, "middle"))
    turned = f'transform="rotate(-90 11 {middle})"'
    parts.append(f'<text x="11" y="{middle}" text-anchor="middle" {turned}>{escape(y_label)}</text>')
    return "".join(parts)


def _legend(items: Sequence[Item]) -> str:
    """Return the names of the items in one row above the chart, each once."""
    names = {item.name: item.style for item in items if item.name}
    parts, x = [], float(_LEFT)
    for name, style in names.items():
        parts.append(_rectangle(f"key {style}", x, 10, 10, 10))
        parts.append(_text(name, x + 14, 19, "start"))
        x += 26 + 7.4 * len(name)
    return "".join(parts)


def _text(text: str, x: float, y: float, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
