"""Signal sources by name, as a configuration file asks for them."""

from __future__ import annotations

import dataclasses
import inspect
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from firmware_bridge.errors import SignalError, question
from firmware_bridge.recording import load_recording
from firmware_bridge.signals.drivetrain import Drivetrain
from firmware_bridge.signals.lorenz import LorenzAttractor
from firmware_bridge.signals.machine import RotatingMachine
from firmware_bridge.signals.replay import RecordingReplay
from firmware_bridge.signals.silence import Silence
from firmware_bridge.signals.source import SignalSource


def _replay(
    *,
    path: str,
    columns: tuple[str, ...] | None = None,
    rate_hz: float | None = None,
    loop: bool = True,
) -> SignalSource:
    recording = load_recording(Path(path), columns=columns, rate_hz=rate_hz)
    return RecordingReplay(recording, loop=loop)


SIGNALS: dict[str, Callable[..., SignalSource]] = {
    "lorenz": LorenzAttractor,
    "rotor": RotatingMachine,
    "drivetrain": Drivetrain,
    "replay": _replay,
    "silence": Silence,
}
"""Kind, as in the configuration, to what makes it; the keyword arguments are the parameters."""


def make_signal(kind: str, parameters: Mapping[str, object]) -> SignalSource:
    """Make a signal source as the configuration describes it.

    Args:
        kind: A key of ``SIGNALS``.
        parameters: Keyword arguments of that source; lists stand for tuples, tables for parts of a machine.

    Raises:
        SignalError: If the kind or a parameter is not known, is missing, or has an impossible value.
        RecordingError: If the recording of a replay cannot be read.
    """
    if kind not in SIGNALS:
        raise SignalError(_unknown("signal", kind, SIGNALS))
    factory = SIGNALS[kind]
    return factory(**_arguments(f"signal '{kind}'", factory, parameters))


def _arguments(
    what: str, factory: Callable[..., object], parameters: Mapping[str, object]
) -> dict[str, object]:
    """Return the parameters as what the factory's annotations say, or refuse them."""
    known = inspect.signature(factory, eval_str=True).parameters
    for name in parameters:
        if name not in known:
            raise SignalError(_unknown(f"parameter of {what}", name, known))
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in parameters:
            raise SignalError(f"{what} needs the parameter '{name}'")
    return {name: _convert(name, value, known[name].annotation) for name, value in parameters.items()}


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    return f"unknown {what}: '{name}'{question(name, names)} (known are: {', '.join(names)})"


def _convert(name: str, value: object, hint: object) -> object:
    """Return ``value`` as the annotated type, or refuse it."""
    if isinstance(hint, types.UnionType):
        return _convert_optional(name, value, typing.get_args(hint))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _convert_table(name, value, hint)
    if typing.get_origin(hint) is typing.Literal:
        return _convert_choice(name, value, typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        return _convert_items(name, value, typing.get_args(hint))
    return _convert_scalar(name, value, hint)


def _convert_optional(name: str, value: object, options: tuple[object, ...]) -> object:
    """Return the value of a parameter that may be None; its other type is the only one (``X | None``)."""
    inner = next(option for option in options if option is not type(None))
    return None if value is None else _convert(name, value, inner)


def _convert_table(name: str, value: object, part: Callable[..., object]) -> object:
    if not isinstance(value, Mapping):
        raise SignalError(f"{name} = {value!r} must be a table")
    return part(**_arguments(f"'{name}'", part, value))


def _convert_scalar(name: str, value: object, hint: object) -> object:
    if hint is float and type(value) is int:
        value = float(value)
    if type(value) is not hint or (isinstance(value, float) and not math.isfinite(value)):
        raise SignalError(f"{name} = {value!r} must be {_in_words(hint)}")
    return value


def _convert_choice(name: str, value: object, choices: tuple[object, ...]) -> object:
    if value not in choices:
        raise SignalError(f"{name} = {value!r} must be one of {', '.join(map(str, choices))}")
    return value


def _convert_items(name: str, value: object, hints: tuple[object, ...]) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise SignalError(f"{name} = {value!r} must be a list")
    if hints[-1] is Ellipsis:
        hints = (hints[0],) * len(value)
    if len(value) != len(hints):
        raise SignalError(f"{name} = {value!r} must have {len(hints)} values")
    return tuple(_convert(name, item, hint) for item, hint in zip(value, hints, strict=True))


def _in_words(hint: object) -> str:
    return {float: "a finite number", int: "a whole number", bool: "true or false", str: "text"}.get(
        typing.cast("type", hint), str(hint)
    )
