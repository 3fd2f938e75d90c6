"""Charts: round ticks, few points, and text that cannot become markup."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.report.axes import Axis, fitted, tick_label, ticks
from trainer.report.charts import WIDE, Area, Band, Bars, Item, Line, Mark, Points, chart, thinned

X, Y = Axis("time (s)"), Axis("level (g)")


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


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.01, 100.0, [0.01, 0.1, 1.0, 10.0, 100.0]),
        (0.3, 6.0, [0.5, 1.0, 2.0, 5.0]),
        (0.35, 0.92, [0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
        (1e-9, 1.0, [1e-8, 1e-6, 1e-4, 1e-2, 1.0]),
    ],
)
def test_ticks_of_a_logarithmic_axis_are_powers_of_ten_if_it_spans_any(
    low: float, high: float, expected: list[float]
) -> None:
    scale = fitted(Axis("", log=True), [np.array([low, high])], 0.0, 100.0)
    assert scale.ticks(5) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.25, "0.25"), (-3.0, "\N{MINUS SIGN}3"), (2e-4, "2e\N{MINUS SIGN}4"), (5e6, "5e6"), (0.0, "0")],
)
def test_numbers_on_an_axis_are_short(value: float, text: str) -> None:
    assert tick_label(value) == text


def test_a_logarithmic_axis_puts_equal_ratios_at_equal_distances() -> None:
    scale = fitted(Axis("", log=True), [np.array([0.0, 1.0, 100.0])], 0.0, 200.0)
    # What is not positive has no place on it, and is drawn at its low end.
    assert scale.at_all(np.array([0.0, 1.0, 10.0, 100.0])) == pytest.approx([0.0, 0.0, 100.0, 200.0])


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=20), st.booleans(), st.booleans())
def test_any_values_have_a_scale(values: list[float], log: bool, room: bool) -> None:
    drawn = np.array(values)
    drawn = drawn[(np.abs(drawn) < 1e150) | ~np.isfinite(drawn)]
    scale = fitted(Axis("", log=log, room=room), [drawn], 0.0, 100.0)
    assert scale.low < scale.high
    positions = scale.at_all(drawn[np.isfinite(drawn)])
    assert ((positions >= -1e-6) & (positions <= 100.0 + 1e-6)).all()
    assert all(scale.low <= tick * (1 + 1e-6) + 1e-300 or log for tick in scale.ticks(5) if tick > 0)


def test_a_long_line_is_thinned_and_keeps_its_peaks() -> None:
    y = np.zeros(100_000)
    y[4321], y[77_777] = 9.0, -5.0
    x, shown = thinned(np.arange(100_000.0), y, 800)
    assert len(x) <= 800
    assert (shown.max(), shown.min()) == (9.0, -5.0)
    assert x[np.argmax(shown)] == 4321.0


def test_each_item_is_drawn_once_and_the_markup_is_sound() -> None:
    ends = np.array([0.0, 2.0])
    items: list[Item] = [
        Band([(1.0, 2.0)], "band some", "stretch"),
        Bars(np.array([0.0, 1.0, 2.0]), np.array([0.0, 3.0]), "bar", "bars"),
        Area(ends, np.zeros(2), np.ones(2), "area"),
        Points(np.array([1.0, 1.001, 2.0]), np.array([2.0, 2.001, 2.0]), "cloud"),
        Line(ends, np.array([1.0, 5.0]), "curve", "a < b"),
        Mark(4.0, "level", "line"),
        Mark(1.5, "level", "line", "x"),
    ]
    figure = ET.fromstring(chart("<b>title</b> & more", X, Y, items))
    assert figure.findtext("figcaption") == "<b>title</b> & more"
    (line,) = (one for one in figure.iter("polyline"))
    # The frame: x 0 to 2 becomes 66 to 350, y 0 to 5 becomes 190 to 10.
    assert line.get("points") == "66.0,154.0 350.0,10.0"
    (area,) = figure.iter("polygon")
    assert area.get("points") == "66.0,154.0 350.0,154.0 350.0,190.0 66.0,190.0"
    (band,) = figure.iter("rect")
    assert (band.get("x"), band.get("width"), band.get("y"), band.get("height")) == (
        "208.0",
        "142.0",
        "10.0",
        "180.0",
    )
    bars, cloud = figure.iter("path")
    assert bars.get("d") == "M66.0 190.0V190.0H208.0V82.0H350.0V190.0Z"
    assert cloud.get("d") == "M208 118h0M350 118h0"  # two that hide each other are one
    marks = [shape for shape in figure.iter("line") if shape.get("class") == "mark level"]
    assert [(mark.get("y1"), mark.get("x1")) for mark in marks] == [("46.0", "66"), ("10", "279.0")]
    assert [span.tail or span[0].tail for span in figure.iter("span") if len(span) == 1] == [
        "stretch",
        "bars",
        "a < b",
        "line",
    ]


def test_a_chart_says_in_words_what_it_shows() -> None:
    items: list[Item] = [
        Band([(0.0, 1.0)], "band", "anomalous"),
        Line(np.arange(3.0), np.array([-1.0, 7.25, 2.0]), "curve", "score"),
        Mark(3.09, "alarm", "alarm"),
        Points(np.arange(2.0), np.arange(2.0), "cloud", "normal"),
    ]
    for drawing in ET.fromstring(chart("pump", X, Y, items, WIDE)).iter("svg"):
        assert drawing.get("role") == "img"
        assert drawing.get("aria-label") == (
            "pump. level (g) against time (s): anomalous, 1 stretch; score -1 to 7.25; alarm at 3.09; "
            "normal, 2 points."
        )


def test_a_wide_chart_is_drawn_for_screens_and_for_phones() -> None:
    figure = ET.fromstring(chart("t", X, Y, [Line(np.arange(3.0), np.ones(3), "curve")], WIDE))
    drawings = [(drawing.get("class"), drawing.get("viewBox")) for drawing in figure.iter("svg")]
    assert drawings == [("at-wide", "0 0 1060 260"), ("at-narrow", "0 0 360 230")]


def test_stretches_too_near_to_tell_apart_are_one() -> None:
    many = [(float(start), start + 0.5) for start in range(100_000)]
    line = Line(np.array([0.0, 200_000.0]), np.zeros(2), "curve")
    figure = ET.fromstring(chart("t", X, Y, [Band(many, "band"), line]))
    (band,) = figure.iter("rect")
    assert (band.get("x"), band.get("width")) == ("66.0", "143.0")


def test_a_constant_has_room_above_and_below() -> None:
    figure = ET.fromstring(chart("t", X, Y, [Line(np.arange(3.0), np.ones(3), "curve")]))
    (line,) = figure.iter("polyline")
    assert {point.split(",")[1] for point in str(line.get("points")).split()} == {"100.0"}
