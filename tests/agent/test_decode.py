"""Documents into dataclasses: every problem at once, each with its key path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from agent.decode import DecodeError, Pattern, Range, decode, encode


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Round:
    kind: Literal["round"]
    radius: Annotated[float, Range(0, 10, "m")]


@dataclass(frozen=True)
class Square:
    kind: Literal["square"]
    side: float


@dataclass(frozen=True)
class Document:
    name: Annotated[str, Pattern("[a-z]+", "small letters")]
    count: int
    shapes: tuple[Round | Square, ...] = ()
    by_name: Mapping[Annotated[str, Pattern("[a-z]+", "small letters")], Square] = field(default_factory=dict)
    colour: Colour = Colour.RED
    path: Path | None = None
    free: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.count == 13:
            raise ValueError("count must not be 13")


def problems(document: Mapping[str, Any]) -> list[str]:
    with pytest.raises(DecodeError) as caught:
        decode(Document, document)
    return list(caught.value.problems)


def test_a_whole_document() -> None:
    document = {
        "name": "abc",
        "count": 3,
        "shapes": [{"kind": "round", "radius": 2}, {"kind": "square", "side": 1.5}],
        "by_name": {"first": {"kind": "square", "side": 4}},
        "colour": "blue",
        "path": "a/b",
        "free": {"anything": [1, "two"]},
    }
    decoded = decode(Document, document)
    assert decoded == Document(
        "abc",
        3,
        (Round("round", 2.0), Square("square", 1.5)),
        {"first": Square("square", 4.0)},
        Colour.BLUE,
        Path("a/b"),
        {"anything": [1, "two"]},
    )
    assert encode(decoded) == document


def test_defaults() -> None:
    assert decode(Document, {"name": "a", "count": 0}) == Document("a", 0)


def test_absent_values_are_not_encoded() -> None:
    assert "path" not in encode(Document("a", 0))


def test_all_problems_are_told_at_once() -> None:
    found = problems({"name": "Abc", "count": "3", "coulour": "red", "shapes": 5})
    assert len(found) == 4
    assert "coulour: unknown key; did you mean 'colour'?" in found
    assert "name = 'Abc': expected small letters" in found
    assert "count = '3': expected a whole number" in found
    assert "shapes = 5: expected a list" in found


def test_places_inside_lists_and_tables_are_named() -> None:
    found = problems(
        {
            "name": "a",
            "count": 1,
            "shapes": [{"kind": "round", "radius": 11}, {"kind": "oval"}],
            "by_name": {"second": {"kind": "square"}},
        }
    )
    assert found == [
        "shapes[0].radius = 11: expected 0 to 10 m",
        "shapes[1].kind = 'oval': expected one of round, square",
        "by_name.second.side: missing",
    ]


def test_names_of_tables_are_checked() -> None:
    (found,) = problems({"name": "a", "count": 1, "by_name": {"A/B": {"kind": "square", "side": 1}}})
    assert found.startswith("by_name.A/B")
    assert "small letters" in found


@pytest.mark.parametrize("value", [True, 1.0, "1", None, [1]])
def test_what_is_no_whole_number(value: object) -> None:
    assert problems({"name": "a", "count": value})[0].startswith("count = ")


@pytest.mark.parametrize("value", [True, "2", float("nan"), float("inf")])
def test_what_is_no_number(value: object) -> None:
    assert problems({"name": "a", "count": 1, "shapes": [{"kind": "square", "side": value}]})


def test_missing_keys() -> None:
    assert problems({}) == ["name: missing", "count: missing"]


def test_rules_between_fields_are_told_like_the_others() -> None:
    assert problems({"name": "a", "count": 13}) == ["count must not be 13"]


def test_an_unknown_choice_names_the_known() -> None:
    assert problems({"name": "a", "count": 1, "colour": "green"}) == [
        "colour = 'green': expected one of red, blue"
    ]
