"""Any document decodes or is refused with its key paths: no other exception, whatever it holds."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.file import Config
from agent.decode import DecodeError, decode, encode, parse_json, parse_toml
from agent.inference.manifest import Manifest, manifest_bytes, parse_manifest
from tests.conftest import level_bundle

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 0, -1]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["\0", "\ud800", "level", "distance", "reconstruction", "raw", "spectrum", "mse"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)

GOOD: dict[type[Any], dict[str, Any]] = {
    Manifest: json.loads(manifest_bytes(level_bundle(("x", "y"), 64, 800.0))),
    Config: {
        "gateway": {"site": "plant", "name": "gateway"},
        "sensors": {
            "press": {
                "bus": "sim:a",
                "rate_hz": 800,
                "signal": {"kind": "silence"},
                "alarm": {"k": 2, "n": 3},
                "faults": {"plan": [{"kind": "nak", "at_s": 1.0, "axis": "x"}], "seed": 1},
                "regimes": {
                    "by": "speed",
                    "search_hz": [5, 200],
                    "models": {"slow": {"bundle": "a", "speed_hz": [10, 20]}},
                },
            },
            "fan": {"bus": "/dev/i2c-1", "rate_hz": 800, "bundle": "b", "ensemble": {"bundles": ["c"]}},
        },
        "uplink": {"host": "broker", "tls": {"ca_file": "x"}, "sparkplug": {"group": "g"}},
        "metrics": {"listen": "127.0.0.1:9110"},
        "telemetry": {"score_interval_s": 1},
        "outbox": {"messages": 1000},
        "history": {"cleared_alerts": 1},
        "evidence": {"max_mb": 1.0},
    },
}


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything in a document."""
    found = [path] if path else []
    items = document.items() if isinstance(document, dict) else enumerate(document)
    if isinstance(document, dict | list):
        for key, value in items:
            found += places(value, (*path, key)) if isinstance(value, dict | list) else [(*path, key)]
    return found


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy of a document with another value at a path."""
    if not path:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = changed(copy[path[0]], path[1:], value)
    return copy


@pytest.mark.parametrize("kind", GOOD)
def test_the_documents_are_good(kind: type[Any]) -> None:
    assert isinstance(decode(kind, GOOD[kind]), kind)


@pytest.mark.parametrize("kind", GOOD)
@given(data=st.data())
def test_a_value_of_any_kind_in_any_place_decodes_or_is_refused(kind: type[Any], data: st.DataObject) -> None:
    document = GOOD[kind]
    for _ in range(data.draw(st.integers(1, 3))):
        document = changed(document, data.draw(st.sampled_from(places(document))), data.draw(values))
    with suppress(DecodeError):
        encode(decode(kind, document))


@pytest.mark.parametrize("kind", GOOD)
@given(document=values)
def test_any_document_decodes_or_is_refused(kind: type[Any], document: Any) -> None:
    with suppress(DecodeError):
        decode(kind, document)


@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_refused(content: bytes) -> None:
    with suppress(DecodeError):
        parse_json(content)


DEEP = 100_000


@pytest.mark.parametrize("text", ["[" * DEEP, '{"a":' * DEEP, "9" * 5000, "", "{", b"\xff\xfe"])
def test_what_json_cannot_be_read_is_refused(text: str | bytes) -> None:
    with pytest.raises(DecodeError, match="not JSON"):
        parse_json(text)
    with pytest.raises(DecodeError, match="not JSON"):
        parse_manifest(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize("text", ["a = " + "[" * DEEP, "a = " + "9" * 5000, "a = ", "[a\nb"])
def test_what_toml_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(DecodeError, match="TOML"):
        parse_toml(text)


def test_a_number_of_very_many_digits_is_shown_short() -> None:
    with pytest.raises(DecodeError, match="a number of very many digits: expected"):
        decode(Config, changed(GOOD[Config], ("telemetry", "score_interval_s"), 16**5000))


def test_a_number_that_is_taken_as_it_is_has_64_bits_at_most() -> None:
    place = ("sensors", "press", "signal", "amplitude")
    document = {**GOOD[Config]}
    document = changed(document, place[:3], {"kind": "rotor", "amplitude": [16**5000]})
    with pytest.raises(DecodeError, match=r"signal.amplitude\[0\] = a number of very many digits: expected"):
        decode(Config, document)


ANYTHING = [
    (Config, ("sensors", "press", "signal"), "sensors.press.signal"),
    (Manifest, ("provenance",), "provenance"),
]
"""Where a document is taken as it is."""


def nested(depth: int, *, table: bool) -> Any:
    """Return so many tables, or lists, within each other."""
    value: Any = 1
    for _ in range(depth):
        value = {"a": value} if table else [value]
    return value


@pytest.mark.parametrize("depth", [40, 500, 980])
@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("kind", GOOD)
def test_what_python_reads_but_is_too_deep_is_refused(kind: type[Any], depth: int, table: bool) -> None:
    deep = nested(depth, table=table)
    for place in places(GOOD[kind]):
        with pytest.raises(DecodeError):
            decode(kind, changed(GOOD[kind], place, deep))


@pytest.mark.parametrize(("kind", "place", "path"), ANYTHING)
def test_a_value_that_is_taken_as_it_is_has_32_levels_at_most(
    kind: type[Any], place: tuple[str, ...], path: str
) -> None:
    deepest = nested(32, table=True)
    assert encode(decode(kind, changed(GOOD[kind], place, {"kind": deepest})))
    with pytest.raises(DecodeError, match=f"{path}.kind.a.* = a table: expected at most 32 levels"):
        decode(kind, changed(GOOD[kind], place, {"kind": {"a": deepest}}))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(("kind", "place", "path"), ANYTHING)
def test_a_number_that_is_taken_as_it_is_is_finite(
    kind: type[Any], place: tuple[str, ...], path: str, value: float
) -> None:
    with pytest.raises(DecodeError, match=rf"{path}.kind\[0\] = {value}: expected a finite number"):
        decode(kind, changed(GOOD[kind], place, {"kind": [value]}))


def test_a_truth_is_no_number_and_a_number_is_no_truth() -> None:
    manifest = changed(GOOD[Manifest], ("schema",), True)
    with pytest.raises(DecodeError, match="schema = True: expected one of 1"):
        decode(Manifest, manifest)
