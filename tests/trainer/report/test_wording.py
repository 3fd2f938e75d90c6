"""Numbers in words, and pieces of the page that nothing from outside can break."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.report import markup
from trainer.report.wording import anomalies, chance, false_alarms, per_day, percent, rounded
from trainer.rounding import short


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.1234, "0.123"),
        (12.345, "12.3"),
        (99.96, "100"),
        (1234.5, "1,230"),
        (2_592_345.0, "2,590,000"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert rounded(value) == text


def test_shares_and_odds() -> None:
    assert percent(0.02394) == "2.39 %"
    assert percent(0.0) == "0 %"
    assert chance(0.001) == "1 in 1,000"
    assert chance(0.3) == "1 in 3.33"
    assert chance(1.0) == "1 in 1"
    assert per_day(None) == "rate unknown"
    assert per_day(25_884.0) == "at most 25,900 a day (95 %)"


def test_one_and_many() -> None:
    assert [false_alarms(n) for n in (0, 1, 2)] == ["no false alarms", "1 false alarm", "2 false alarms"]
    assert [anomalies(n) for n in (0, 1, 2)] == ["0 anomalies", "1 anomaly", "2 anomalies"]


def test_manifests_hold_six_digits() -> None:
    assert short(np.array([1.23456789, 123456789.0, -1.5e-12])) == (1.23457, 123457000.0, -1.5e-12)


PRINTABLE = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=12
)


@given(PRINTABLE)
def test_no_text_becomes_markup(text: str) -> None:
    pieces = (
        markup.table([(text, text)], (text, text)),
        markup.paragraph(text),
        markup.note(text),
        markup.heading(text),
        markup.bullets([text]),
        markup.section("a", text, ""),
        markup.grid([""] * 7, text),
    )
    page = ElementTree.fromstring(f"<div>{''.join(pieces)}</div>")
    known = {"div", "table", "thead", "tbody", "tr", "th", "td", "p", "h2", "h3", "ul", "li"}
    assert {element.tag for element in page.iter()} == known | {"section", "details", "summary"}
    cells = [
        element.text or "" for element in page.iter() if element.tag in {"th", "td", "p", "h2", "h3", "li"}
    ]
    assert cells == [text] * 9


def test_more_than_six_charts_are_folded_away() -> None:
    assert markup.grid([]) == ""
    assert "details" not in markup.grid(["<p/>"] * 6)
    assert "<summary>2 more axes</summary>" in markup.grid(["<p/>"] * 8)
    assert markup.grid(["<p/>"] * 8).count("<p/>") == 8
    assert markup.bullets([]) == ""
