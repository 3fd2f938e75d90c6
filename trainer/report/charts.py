"""Charts as inline SVG: curves, bars, points, stretches and lines; colours come from the style sheet.

A chart is an HTML figure: caption and legend are text that wraps, the SVG carries a description for those
who cannot see it. Sizes are in CSS pixels, so that the letters are as large on a phone as on a screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from trainer.report.axes import Axis, Scale, Values, fitted, tick_label

_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 10, 10, 40
_X_TICK_EVERY, _Y_TICK_EVERY = 70, 36
_STRIP = 6
_NARROWEST = 1.0


@dataclass(frozen=True)
class Size:
    """Of a drawing, in CSS pixels."""

    width: int
    height: int
    style: str = ""
    """Class in the style sheet, which may hide it on narrow or on wide screens."""


NORMAL = (Size(360, 230),)
SQUARE = (Size(360, 320),)
WIDE = (Size(1060, 260, "at-wide"), Size(360, 230, "at-narrow"))
"""One drawing for wide screens, one for phones; only one is shown."""


@dataclass(frozen=True)
class Line:
    """A curve; x and y of shape (n_points,)."""

    x: Values
    y: Values
    style: str
    """Class in the style sheet."""
    name: str = ""
    """In the legend, if not empty."""


@dataclass(frozen=True)
class Area:
    """What lies between two curves; x, low and high of shape (n_points,)."""

    x: Values
    low: Values
    high: Values
    style: str
    name: str = ""


@dataclass(frozen=True)
class Points:
    """A cloud; x and y of shape (n_points,)."""

    x: Values
    y: Values
    style: str
    name: str = ""


@dataclass(frozen=True)
class Bars:
    """A histogram: edges of shape (n_bins + 1,), heights of shape (n_bins,)."""

    edges: Values
    """Shape (n + 1,)."""
    heights: Values
    """Shape (n,)."""
    style: str
    name: str = ""


@dataclass(frozen=True)
class Band:
    """Stretches of the x axis, over the whole height or as a strip above it."""

    stretches: Sequence[tuple[float, float]]
    """First and last value of each, ascending."""
    style: str
    name: str = ""
    strip: bool = False


@dataclass(frozen=True)
class Mark:
    """A line across the chart at a value of x, or of y."""

    value: float
    style: str
    name: str
    across: str = "y"
    """The axis that ``value`` is on."""


Item = Line | Area | Points | Bars | Band | Mark

_KEYS: dict[type, str] = {Line: "line", Area: "box", Points: "dot", Bars: "box", Band: "box", Mark: "rule"}


def chart(title: str, x: Axis, y: Axis, items: Sequence[Item], sizes: Sequence[Size] = NORMAL) -> str:
    """Return a figure with a caption; the axes span whatever is drawn.

    Args:
        title: Caption.
        x: The horizontal axis.
        y: The vertical axis.
        items: One or more curves, bars or clouds, with bands and marks; later ones lie above earlier ones.
        sizes: Of its drawings; the style sheet shows one of them.
    """
    described = escape(_description(title, x, y, items), quote=True)
    drawings = "".join(_drawing(size, described, x, y, items) for size in sizes)
    wide = ' class="wide"' if len(sizes) > 1 else ""
    return f"<figure{wide}><figcaption>{escape(title)}{_legend(items)}</figcaption>{drawings}</figure>"


def thinned(x: Values, y: Values, count: int) -> tuple[Values, Values]:
    """Return about ``count`` points of shape (n,) that look the same: the extremes of neighbours."""
    if len(x) <= count:
        return x, y
    chosen: list[int] = []
    for group in np.array_split(np.arange(len(x)), max(count // 2, 1)):
        chosen += sorted({int(group[np.argmin(y[group])]), int(group[np.argmax(y[group])])})
    return x[chosen], y[chosen]


def _drawing(size: Size, described: str, x: Axis, y: Axis, items: Sequence[Item]) -> str:
    frame = _Frame(
        fitted(x, _xs(items), _LEFT, size.width - _RIGHT), fitted(y, _ys(items), size.height - _BOTTOM, _TOP)
    )
    body = "".join(_drawn(item, frame) for item in items)
    style = f' class="{size.style}"' if size.style else ""
    return (
        f'<svg{style} viewBox="0 0 {size.width} {size.height}" role="img" aria-label="{described}">'
        f"{_axes(frame, size, x.label, y.label)}{body}</svg>"
    )


@dataclass(frozen=True)
class _Frame:
    """The two scales of a drawing."""

    x: Scale
    y: Scale

    @property
    def points(self) -> int:
        """How many points of a curve can be distinguished, and twice that."""
        return 2 * int(self.x.end - self.x.start)


def _xs(items: Iterable[Item]) -> list[Values]:
    found: list[Values] = []
    for item in items:
        if isinstance(item, Line | Area | Points):
            found.append(item.x)
        elif isinstance(item, Bars):
            found.append(item.edges)
        elif isinstance(item, Mark) and item.across == "x":
            found.append(np.array([item.value]))
    return found


def _ys(items: Iterable[Item]) -> list[Values]:
    found: list[Values] = []
    for item in items:
        if isinstance(item, Line | Points):
            found.append(item.y)
        elif isinstance(item, Area):
            found += [item.low, item.high]
        elif isinstance(item, Bars):
            found.append(np.append(item.heights, 0.0))
        elif isinstance(item, Mark) and item.across == "y":
            found.append(np.array([item.value]))
    return found


def _drawn(item: Item, frame: _Frame) -> str:
    match item:
        case Line():
            x, y = thinned(item.x, item.y, frame.points)
            return f'<polyline class="{item.style}" points="{_path(x, y, frame)}"/>'
        case Area():
            return _area(item, frame)
        case Points():
            return _points(item, frame)
        case Bars():
            return _bars(item, frame)
        case Band():
            return _band(item, frame)
        case Mark():
            return _mark(item, frame)


def _path(x: Values, y: Values, frame: _Frame) -> str:
    pairs = zip(frame.x.at_all(x).tolist(), frame.y.at_all(y).tolist(), strict=True)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in pairs)


def _area(area: Area, frame: _Frame) -> str:
    low_x, low = thinned(area.x, area.low, frame.points)
    high_x, high = thinned(area.x, area.high, frame.points)
    outline = f"{_path(high_x, high, frame)} {_path(low_x[::-1], low[::-1], frame)}"
    return f'<polygon class="{area.style}" points="{outline}"/>'


def _points(points: Points, frame: _Frame) -> str:
    """Return dots, each a line of no length with a round cap; those that hide each other only once."""
    at = np.column_stack((frame.x.at_all(points.x), frame.y.at_all(points.y)))
    dots = "".join(f"M{a:g} {b:g}h0" for a, b in np.unique(np.round(at), axis=0).tolist())
    return f'<path class="dots {points.style}" d="{dots}"/>'


def _bars(bars: Bars, frame: _Frame) -> str:
    """Return the histogram as one outline."""
    edges, floor = frame.x.at_all(bars.edges), frame.y.at(0.0)
    tops = frame.y.at_all(bars.heights)
    steps = "".join(f"V{top:.1f}H{right:.1f}" for top, right in zip(tops, edges[1:], strict=True))
    return f'<path class="bars {bars.style}" d="M{edges[0]:.1f} {floor:.1f}{steps}V{floor:.1f}Z"/>'


def _band(band: Band, frame: _Frame) -> str:
    height = _STRIP if band.strip else frame.y.start - frame.y.end
    top = frame.y.end - _STRIP - 2 if band.strip else frame.y.end
    return "".join(
        f'<rect class="{band.style}" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
        f'height="{height:.1f}"/>'
        for left, right in _merged(band, frame.x)
    )


def _merged(band: Band, scale: Scale) -> list[tuple[float, float]]:
    """Return the stretches in pixels, a pixel wide or more, joined where nothing is to be seen between."""
    ends = scale.at_all(np.array(band.stretches, np.float64).reshape(-1, 2))
    ends[:, 1] = np.maximum(ends[:, 1], ends[:, 0] + _NARROWEST)
    found: list[tuple[float, float]] = []
    for left, right in ends.tolist():
        if found and left <= found[-1][1] + _NARROWEST:
            found[-1] = (found[-1][0], max(found[-1][1], right))
        else:
            found.append((left, right))
    return found


def _mark(mark: Mark, frame: _Frame) -> str:
    if mark.across == "y":
        y = frame.y.at(mark.value)
        ends = f'x1="{frame.x.start:g}" x2="{frame.x.end:g}" y1="{y:.1f}" y2="{y:.1f}"'
    else:
        x = frame.x.at(mark.value)
        ends = f'x1="{x:.1f}" x2="{x:.1f}" y1="{frame.y.end:g}" y2="{frame.y.start:g}"'
    return f'<line class="mark {mark.style}" {ends}/>'


def _axes(frame: _Frame, size: Size, x_label: str, y_label: str) -> str:
    left, right, top, floor = frame.x.start, frame.x.end, frame.y.end, frame.y.start
    parts = [_gridline(left, right, floor, floor, "axis")]
    for value in frame.x.ticks(max(int(right - left) // _X_TICK_EVERY, 2)):
        x = frame.x.at(value)
        parts.append(_gridline(x, x, top, floor + 4, "grid"))
        parts.append(_text(tick_label(value), x, floor + 16, "middle"))
    for value in frame.y.ticks(max(int(floor - top) // _Y_TICK_EVERY, 2)):
        y = frame.y.at(value)
        parts.append(_gridline(left, right, y, y, "grid"))
        parts.append(_text(tick_label(value), left - 6, y + 4, "end"))
    parts.append(_text(x_label, (left + right) / 2, size.height - 5, "middle", "label"))
    turned = f'transform="rotate(-90 11 {(top + floor) / 2:g})"'
    parts.append(_text(y_label, 11, (top + floor) / 2, "middle", "label", turned))
    return "".join(parts)


def _gridline(x1: float, x2: float, y1: float, y2: float, style: str) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'


def _text(text: str, x: float, y: float, anchor: str, style: str = "", more: str = "") -> str:
    style = f' class="{style}"' if style else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'


def _legend(items: Sequence[Item]) -> str:
    """Return the names of the items, each once, with what they look like."""
    named = {item.name: item for item in items if item.name}
    keys = (
        f'<span><i class="key {_KEYS[type(item)]} {item.style}"></i>{escape(name)}</span>'
        for name, item in named.items()
    )
    return f'<span class="legend">{"".join(keys)}</span>' if named else ""


def _description(title: str, x: Axis, y: Axis, items: Sequence[Item]) -> str:
    described = "; ".join(part for item in items if (part := _item_in_words(item)))
    return f"{title}. {y.label} against {x.label}: {described}."


def _item_in_words(item: Item) -> str:
    """Return one item in words, for those who cannot see the chart."""
    name = item.name or "curve"
    match item:
        case Line():
            return f"{name} {item.y.min():.3g} to {item.y.max():.3g}" if len(item.y) else ""
        case Area():
            return f"{name} {item.low.min():.3g} to {item.high.max():.3g}" if len(item.x) else ""
        case Points():
            return f"{name}, {len(item.x)} points"
        case Bars():
            highest = int(np.argmax(item.heights))
            return f"{name}, most often {item.edges[highest]:.3g} to {item.edges[highest + 1]:.3g}"
        case Band():
            count = len(item.stretches)
            return f"{name}, {count} stretch{'es' if count != 1 else ''}" if count else ""
        case Mark():
            return f"{name} at {item.value:.3g}"
