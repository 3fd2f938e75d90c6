"""What a search may try: read from TOML, checked, and turned into layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

from agent.decode import DecodeError, parse_toml, question
from trainer.errors import SpaceError
from trainer.networks.models import ARCHITECTURES
from trainer.settings import ACTIVATIONS, NetworkSettings, TrainingSettings

Value = int | float | str


class Trial(Protocol):
    """What proposes values; Optuna's ``Trial`` is one."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """Return a whole number."""
        ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return a number."""
        ...

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any:  # noqa: ANN401
        """Return one of the choices."""
        ...


@dataclass(frozen=True)
class _Key:
    kind: type[int] | type[float] | type[str]
    low: float = 0
    high: float = 0


_LAYERS = {
    "width": _Key(int, 1, 65536),
    "depth": _Key(int, 0, 64),
    "latent": _Key(int, 1, 65536),
    "dropout": _Key(float, 0.0, 0.9),
    "batch_size": _Key(int, 1, 1_000_000),
    "learning_rate": _Key(float, 1e-9, 1e3),
}
_ACTIVATION = {"activation": _Key(str)}
_KEYS: dict[str, dict[str, _Key]] = {
    "dense": {**_LAYERS, **_ACTIVATION},
    "spectral": {**_LAYERS, **_ACTIVATION},
    "conv": {**_LAYERS, **_ACTIVATION, "kernel": _Key(int, 1, 255)},
    "lstm": {name: key for name, key in _LAYERS.items() if name != "latent"},
    "lstm-bottleneck": _LAYERS,
    "vae": {**_LAYERS, **_ACTIVATION},
}
"""What can be searched, by architecture: the other ones leave nothing open."""

_DEFAULTS = "spaces.toml"
_RANGE = {"low", "high", "log"}


@dataclass(frozen=True)
class Dimension:
    """One thing that is tried."""

    name: str
    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: tuple[Value, ...] = ()

    def propose(self, trial: Trial) -> Value:
        """Return a value of the range, or one of the choices."""
        if self.choices:
            value: Value = trial.suggest_categorical(self.name, list(self.choices))
            return value
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(self.name, self.low, self.high, log=self.log)
        assert self.low is not None
        assert self.high is not None
        return trial.suggest_float(self.name, self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Space:
    """All that is tried for one architecture."""

    architecture: str
    dimensions: tuple[Dimension, ...]

    def propose(self, trial: Trial) -> dict[str, Value]:
        """Return a value for each dimension."""
        return {dimension.name: dimension.propose(trial) for dimension in self.dimensions}


def searchable() -> tuple[str, ...]:
    """Return the architectures that leave something to search."""
    return tuple(_KEYS)


def default_text(architecture: str) -> str:
    """Return the default space of an architecture as TOML, as a file of one's own may begin."""
    text = (files("trainer.sweep") / _DEFAULTS).read_text(encoding="utf-8")
    _, _, rest = text.partition(f"[{architecture}]\n")
    return rest.partition("\n[")[0].strip() + "\n"


def default_space(architecture: str) -> Space:
    """Return what is tried unless a file says otherwise."""
    return _space(_DEFAULTS, architecture, parse_toml(default_text(architecture)))


def load_space(path: Path, architecture: str) -> Space:
    """Read a space; keys that it does not name keep their defaults.

    Args:
        path: A TOML file with a range, choices or one value for each key.
        architecture: One of ``searchable()``.

    Raises:
        SpaceError: If it cannot be read, or a key or value makes no sense.
    """
    try:
        document = parse_toml(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SpaceError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SpaceError(f"{path}: not valid TOML: {error}") from error
    except DecodeError as error:
        raise SpaceError(f"{path}: {error}") from error
    own = _space(str(path), architecture, document)
    named = {dimension.name for dimension in own.dimensions}
    kept = [one for one in default_space(architecture).dimensions if one.name not in named]
    return Space(architecture, (*own.dimensions, *kept))


def network_of(architecture: str, values: Mapping[str, Value]) -> NetworkSettings:
    """Return the network that proposed values stand for.

    Args:
        architecture: One of ``searchable()``.
        values: By name.
    """
    taken = {name: values[name] for name in ("activation", "dropout", "kernel") if name in values}
    network = NetworkSettings(architecture, _units(architecture, values))
    return replace(network, **taken)  # type: ignore[arg-type]  # checked when the space was read


def training_of(settings: TrainingSettings, values: Mapping[str, Value]) -> TrainingSettings:
    """Return the training settings with the proposed ones in their place."""
    taken = {name: values[name] for name in ("batch_size", "learning_rate") if name in values}
    return replace(settings, **taken)  # type: ignore[arg-type]  # checked when the space was read


def _units(architecture: str, values: Mapping[str, Value]) -> tuple[int, ...]:
    width, depth = int(values.get("width", 64)), int(values.get("depth", 1))
    if architecture == "lstm":
        return (width,) * max(depth, 1)
    latent = int(values.get("latent", ARCHITECTURES[architecture].units[-1]))
    encoder = tuple(max(width >> layer, latent) for layer in range(depth))
    if architecture in ("dense", "spectral"):
        return (*encoder, latent, *reversed(encoder))
    return (*encoder, latent)


def _space(origin: str, architecture: str, document: Mapping[str, Any]) -> Space:
    keys = _KEYS[architecture]
    for name in document:
        if name not in keys:
            hint = question(name, keys, cutoff=0.5)
            raise SpaceError(
                f"{origin}: '{name}' is nothing that can be searched for {architecture}{hint and '; '}{hint} "
                f"(there are: {', '.join(keys)})"
            )
    dimensions = [_dimension(f"{origin}: {name}", name, keys[name], document[name]) for name in document]
    return Space(architecture, tuple(dimensions))


def _dimension(where: str, name: str, key: _Key, given: Any) -> Dimension:  # noqa: ANN401 - TOML
    if not isinstance(given, dict):
        return Dimension(name, choices=(_checked(where, key, given),))
    if set(given) == {"choices"}:
        return _choices(where, name, key, given["choices"])
    if not {"low", "high"} <= set(given) <= _RANGE or key.kind is str:
        ranges = "" if key.kind is str else "{ low = ..., high = ... }, "
        raise SpaceError(f"{where}: write {ranges}{{ choices = [...] }} or one value")
    low, high = (_checked(where, key, given[side]) for side in ("low", "high"))
    log = given.get("log", False)
    if not isinstance(log, bool):
        raise SpaceError(f"{where}: log is true or false")
    assert not isinstance(low, str)
    assert not isinstance(high, str)
    if low > high:
        raise SpaceError(f"{where}: nothing lies between {low} and {high}; low must not be above high")
    if log and not low > 0:
        raise SpaceError(f"{where}: a logarithmic range begins above 0")
    return Dimension(name, low, high, log)


def _choices(where: str, name: str, key: _Key, given: Any) -> Dimension:  # noqa: ANN401 - TOML
    if not isinstance(given, list) or not given:
        raise SpaceError(f"{where}: choices are a list of one value or more")
    return Dimension(name, choices=tuple(_checked(where, key, value) for value in given))


def _checked(where: str, key: _Key, value: Any) -> Value:  # noqa: ANN401 - TOML
    if key.kind is str:
        if value not in ACTIVATIONS:
            raise SpaceError(f"{where}: '{value}' is not one of {', '.join(ACTIVATIONS)}")
        return str(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole and not (key.kind is float and isinstance(value, float)):
        wanted = "a whole number" if key.kind is int else "a number"
        raise SpaceError(f"{where}: {value!r} is not {wanted}")
    if not key.low <= value <= key.high:
        raise SpaceError(f"{where}: {value} is not within {key.low:g} to {key.high:g}")
    number: int | float = value if key.kind is int else float(value)
    return number
