"""Charts: round ticks, few points, and text that cannot become markup."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from trainer.charts import Band, Bars, Item, Line, Mark, chart, thinned, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-3.0, 37.0, [0.0, 10.0, 20.0, 30.0]),
        (0.0, 0.005, [0.0, 0.001, 0.002, 0.003, 0.004, 0.005]),
        (100.5, 101.5, [100.6, 100.8, 101.0, 101.2, 101.4]),
    ],
)
def test_ticks_are_round_and_inside(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_a_long_line_is_thinned_and_keeps_its_peaks() -> None:
    y = np.zeros(100_000)
    y[4321], y[77_777] = 9.0, -5.0
    x, shown = thinned(np.arange(100_000.0), y)
    assert len(x) <= 800
    assert (shown.max(), shown.min()) == (9.0, -5.0)
    assert x[np.argmax(shown)] == 4321.0


def test_each_item_is_drawn_once_and_the_markup_is_sound() -> None:
    items: list[Item] = [
        Band(1.0, 2.0, "band", "stretch"),
        Bars(np.array([0.0, 1.0, 2.0]), np.array([0.0, 3.0]), "bar", "bars"),
        Line(np.array([0.0, 2.0]), np.array([1.0, 5.0]), "curve", "a < b"),
        Mark(4.0, "level", "alarm"),
        Mark(1.5, "level", "", "x"),
    ]
    figure = ET.fromstring(chart("<b>title</b> & more", "x", "y", items))
    assert figure.findtext("figcaption") == "<b>title</b> & more"
    (line,) = figure.iter("polyline")
    # The frame: x 0 to 2 becomes 60 to 470, y 0 to 5 becomes 230 to 26.
    assert line.get("points") == "60.0,189.2 470.0,26.0"
    styles = [shape.get("class") for shape in figure.iter("rect")]
    assert (styles.count("bar"), styles.count("band")) == (1, 1)  # an empty bar is none
    marks = [shape for shape in figure.iter("line") if shape.get("class") == "mark level"]
    assert [(mark.get("y1"), mark.get("x1")) for mark in marks] == [("66.8", "60"), ("26", "367.5")]
    assert "a < b" in [text.text for text in figure.iter("text")]


def test_a_constant_has_room_above_and_below() -> None:
    figure = ET.fromstring(chart("t", "x", "y", [Line(np.arange(3.0), np.ones(3), "curve")]))
    (line,) = figure.iter("polyline")
    assert {point.split(",")[1] for point in str(line.get("points")).split()} == {"128.0"}
