"""Documents (TOML, JSON) into typed dataclasses, with every problem told by its key path."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import re
import types
from collections import abc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_LARGEST = 2**64
_DEEPEST = 32
"""Tables and lists within each other in a value that is taken as it is: Python reads hundreds, but every
later walk over them needs its share of the stack."""


@dataclass(frozen=True)
class Range:
    """The numbers that a field accepts, both ends included; written ``Annotated[float, Range(...)]``."""

    low: float
    high: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}" + (f" {self.unit}" if self.unit else "")


@dataclass(frozen=True)
class Pattern:
    """The texts that a field accepts; written ``Annotated[str, Pattern(...)]``."""

    expression: str
    expected: str


class DecodeError(ValueError):
    """A document does not fit; the message holds every problem, one per line.

    Attributes:
        problems: One line each: key path, value, what was expected.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def decode(kind: type[T], document: Mapping[str, Any]) -> T:
    """Return a dataclass filled from a document.

    Understood are ``bool``, ``int``, ``float``, ``str``, ``Path``, enums, ``Literal``, optional values,
    tuples of one kind, mappings with text keys, dataclasses, unions of dataclasses told apart by a literal
    field ``kind``, and ``Range`` and ``Pattern`` annotations.

    Raises:
        DecodeError: With all problems at once: unknown and missing keys, wrong kinds, values out of range.
    """
    decoder = _Decoder()
    value = decoder.read(kind, document, "")
    if decoder.problems:
        raise DecodeError(decoder.problems)
    assert isinstance(value, kind)
    return value


def parse_json(text: str | bytes) -> Any:
    """Return what a JSON text holds.

    Raises:
        DecodeError: If it is not JSON, or nested more deeply, or with longer numbers, than Python reads.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise DecodeError(["not JSON that can be read: nested too deeply"]) from None
    except ValueError as error:  # UnicodeDecodeError among them
        raise DecodeError([f"not JSON: {error}"]) from error


def parse_toml(text: str) -> dict[str, Any]:
    """Return what a TOML text holds.

    Raises:
        DecodeError: If it is not TOML, or nested more deeply, or with longer numbers, than Python reads.
    """
    import tomllib  # bundles and commands are JSON

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise DecodeError(["not TOML that can be read: nested too deeply"]) from None
    except ValueError as error:
        raise DecodeError([f"not valid TOML: {error}"]) from error


def question(wrong: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return the question for a name that is not known: ``did you mean 'x'?``; empty if none is like it.

    Args:
        wrong: What was given.
        known: The names that there are.
        cutoff: How like it must be, 0 to 1 (``difflib``).
    """
    near = difflib.get_close_matches(wrong, list(known), n=1, cutoff=cutoff)
    return f"did you mean '{near[0]}'?" if near else ""


def encode(value: object) -> Any:
    """Return a dataclass as plain JSON or TOML types; fields that are None are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = ((f.name, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {name: encode(item) for name, item in fields if item is not None}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    return value


_type_hints = cache(lambda kind: get_type_hints(kind, include_extras=True))


class _Decoder:
    """One walk over a document; ``problems`` fills up on the way."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def read(self, hint: Any, value: Any, path: str) -> Any:
        origin = get_origin(hint)
        if origin is Annotated:
            inner, *rules = get_args(hint)
            return self._with_rules(inner, rules, value, path)
        if origin in (Union, types.UnionType):
            return self._union(get_args(hint), value, path)
        if origin is tuple:
            return self._tuple(get_args(hint)[0], value, path)
        if origin is Literal:
            return self._choice(get_args(hint), value, path)
        if origin is abc.Mapping:
            return self._mapping(get_args(hint), value, path)
        if dataclasses.is_dataclass(hint):
            return self._dataclass(hint, value, path)
        return self._scalar(hint, value, path)

    def _problem(self, path: str, value: Any, expected: str) -> None:
        self.problems.append(f"{path or 'document'} = {_shown(value)}: expected {expected}")

    def _with_rules(self, hint: Any, rules: Sequence[Any], value: Any, path: str) -> Any:
        before = len(self.problems)
        result = self.read(hint, value, path)
        if len(self.problems) > before:
            ranges = [str(rule) for rule in rules if isinstance(rule, Range)]
            self.problems[before] = ", ".join([self.problems[before], *ranges])
            return result
        if result is None:
            return result
        for rule in rules:
            if not _fulfils(rule, result):
                self._problem(path, value, rule.expected if isinstance(rule, Pattern) else str(rule))
        return result

    def _union(self, hints: Sequence[Any], value: Any, path: str) -> Any:
        choices = [hint for hint in hints if hint is not types.NoneType]
        if value is None and len(choices) < len(hints):
            return None
        if len(choices) == 1:
            return self.read(choices[0], value, path)
        if not isinstance(value, Mapping):
            return self._problem(path, value, "a table")
        by_kind = {get_args(_type_hints(choice)["kind"])[0]: choice for choice in choices}
        kind = value.get("kind")
        if not isinstance(kind, str) or kind not in by_kind:
            return self._problem(_joined(path, "kind"), kind, f"one of {', '.join(sorted(by_kind))}")
        return self.read(by_kind[kind], value, path)

    def _tuple(self, hint: Any, value: Any, path: str) -> Any:
        if not isinstance(value, list | tuple):
            return self._problem(path, value, "a list")
        return tuple(self.read(hint, item, f"{path}[{index}]") for index, item in enumerate(value))

    def _mapping(self, hints: Sequence[Any], value: Any, path: str) -> Any:
        if not isinstance(value, Mapping):
            return self._problem(path, value, "a table")
        key_hint, item_hint = hints
        places = {key: _joined(path, key) for key in value}
        return {
            self.read(key_hint, key, f"{place} (its name)"): self.read(item_hint, value[key], place)
            for key, place in places.items()
        }

    def _choice(self, choices: Sequence[Any], value: Any, path: str) -> Any:
        for choice in choices:
            if type(choice) is type(value) and choice == value:
                return value
        return self._problem(path, value, f"one of {', '.join(map(str, choices))}")

    def _dataclass(self, kind: Any, value: Any, path: str) -> Any:
        if not isinstance(value, Mapping):
            return self._problem(path, value, "a table")
        before = len(self.problems)
        fields = {field.name: field for field in dataclasses.fields(kind)}
        for key in value:
            if key not in fields:
                self._unknown(_joined(path, key), key, fields)
        hints = _type_hints(kind)
        arguments = {}
        for name, field in fields.items():
            if name in value:
                arguments[name] = self.read(hints[name], value[name], _joined(path, name))
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                self.problems.append(f"{_joined(path, name)}: missing")
        if len(self.problems) > before:
            return None
        return self._construct(kind, arguments, path)

    def _construct(self, kind: Any, arguments: dict[str, Any], path: str) -> Any:
        try:
            return kind(**arguments)
        except ValueError as error:  # a rule between fields, checked in __post_init__
            self.problems.append(f"{path}: {error}" if path else str(error))
            return None

    def _unknown(self, path: str, key: str, known: Mapping[str, object]) -> None:
        hint = question(str(key), known) or f"known are {', '.join(known)}"
        self.problems.append(f"{path}: unknown key; {hint}")

    def _scalar(self, hint: Any, value: Any, path: str) -> Any:
        if hint is Any:
            return self._anything(value, path)
        if issubclass(hint, Enum):
            return self._member(hint, value, path)
        if hint is float and _is_a(int | float, value):
            return self._finite(value, path)
        if hint is Path and isinstance(value, str) and "\0" not in value:
            return Path(value)
        if hint is str and isinstance(value, str) and "\0" in value:
            return self._problem(path, value, "text without NUL bytes")
        if _is_a(hint, value):
            return value
        names = {float: "a number", int: "a whole number", str: "text", bool: "true or false", Path: "a path"}
        return self._problem(path, value, names[hint])

    def _member(self, kind: type[Enum], value: Any, path: str) -> Enum | None:
        known = {str(member.value): member for member in kind}
        choice = self._choice(list(known), value, path)
        return None if choice is None else known[choice]

    def _finite(self, value: float, path: str) -> float | None:
        try:
            number = float(value)
        except OverflowError:  # a whole number beyond all floats
            number = math.inf
        if math.isfinite(number):
            return number
        self._problem(path, value, "a finite number")
        return None

    def _anything(self, value: Any, path: str, depth: int = 0) -> Any:
        """Return a value that is taken as it is; of numbers only what other programs can read, too."""
        if isinstance(value, Mapping | list) and depth == _DEEPEST:
            return self._problem(path, value, f"at most {_DEEPEST} levels")
        if isinstance(value, Mapping):
            return {key: self._anything(item, _joined(path, key), depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self._anything(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
        if isinstance(value, float):
            return self._finite(value, path)
        if isinstance(value, str) and "\0" in value:
            return self._problem(path, value, "text without NUL bytes")
        if isinstance(value, int) and abs(value) > _LARGEST:
            return self._problem(path, value, "a number of at most 64 bits")
        return value


def _is_a(kind: Any, value: Any) -> bool:
    """Return whether a value is of a type; True and False are no numbers."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _joined(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a table"
    try:
        text = repr(value)
    except ValueError:
        return "a number of very many digits"
    except RecursionError:
        return "a deep list"
    return text if len(text) <= 40 else text[:37] + "..."


def _fulfils(rule: Any, value: Any) -> bool:
    if isinstance(rule, Range):
        return bool(rule.low <= value <= rule.high)
    if isinstance(rule, Pattern):
        return re.fullmatch(rule.expression, value) is not None
    return True
