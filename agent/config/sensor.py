"""One sensor: where it is, what models judge it, when it raises an alarm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from agent.config.alarm import AlarmPolicy
from agent.config.names import TopicLevel
from agent.decode import Range
from firmware_bridge.bus.fault_plan import FaultPlan

SIMULATED = "sim:"
"""A bus whose name begins so is simulated; it is never a fallback."""
IIO = "iio:"
"""A bus whose name begins so is a device that the kernel drives; its chip is ``iio``."""

Address = Annotated[int, Range(0x08, 0x77, "(7-bit I2C address)")]
Frequency = Annotated[float, Range(0.01, 1e5, "Hz")]


class Combination(StrEnum):
    """How the scores of several models become one (see ``ensemble``)."""

    MAX = "max"
    """One model that is sure is enough."""
    MEAN = "mean"
    """They share their evidence."""
    VOTE = "vote"
    """More than half of them must agree."""


@dataclass(frozen=True)
class Ensemble:
    """Models that judge a sensor's windows beside its ``bundle``; all take the same windows."""

    bundles: tuple[Path, ...]
    combine: Combination = Combination.MAX

    def __post_init__(self) -> None:
        if not self.bundles:
            raise ValueError("bundles: at least one is needed beside the sensor's own")


@dataclass(frozen=True)
class RegimeModel:
    """The model of one regime, and its running speeds in Hz."""

    bundle: Path
    speed_hz: tuple[Frequency, ...] | None = None
    """Lowest and highest running speed, both in the regime; for ``by = "speed"``."""


@dataclass(frozen=True)
class Regimes:
    """Models that judge a sensor's windows in place of its ``bundle``, each in its own (see ``regime``)."""

    by: Literal["command", "speed"]
    """Who says which regime it is: a command, or the line of the running speed in the signal."""
    models: Mapping[TopicLevel, RegimeModel]
    search_hz: tuple[Frequency, ...] | None = None
    """Where the line of the running speed can be at all; it must be the strongest there."""

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError("models: at least one table is needed")
        for name, model in self.models.items():
            if (model.speed_hz is not None) != (self.by == "speed"):
                needs = "needs" if self.by == "speed" else "must not have"
                raise ValueError(f'models.{name}: {needs} speed_hz, with by = "{self.by}"')
        if (self.search_hz is not None) != (self.by == "speed"):
            raise ValueError('search_hz and by = "speed" go together')
        if self.search_hz is not None:
            self._check_bands(self.search_hz)

    def _check_bands(self, search: tuple[float, ...]) -> None:
        bands = {f"models.{name}.speed_hz": model.speed_hz or () for name, model in self.models.items()}
        for place, band in {"search_hz": search, **bands}.items():
            if len(band) != 2 or band[0] >= band[1]:
                raise ValueError(f"{place}: expected [low, high] in Hz")
            if not search[0] <= band[0] <= band[1] <= search[1]:
                raise ValueError(f"{place}: reaches beyond search_hz")
        ordered = sorted(bands.items(), key=lambda item: item[1])
        for (below, lower), (above, upper) in pairwise(ordered):
            if upper[0] <= lower[1]:
                raise ValueError(f"{below} and {above} overlap")


@dataclass(frozen=True)
class Sensor:
    """One accelerometer and the model that judges it."""

    bus: str
    """``/dev/i2c-N``, ``iio:NAME`` or ``iio:N`` if the kernel drives the chip, ``sim:NAME`` if simulated."""
    rate_hz: Annotated[float, Range(0.1, 1e5, "Hz")]
    """Output data rate; the bundle must have been trained at the same."""
    bundle: Path | None = None
    """Model bundle; a relative path starts at the configuration file's folder."""
    chip: str = "adxl345"
    address: Address | None = None
    """7-bit address; the chip's usual one if absent."""
    range_g: Annotated[float, Range(0.1, 1000.0, "g")] = 16.0
    bus_speed_hz: Annotated[float, Range(1e4, 3.4e6, "Hz")] | None = None
    """Clock of the bus; if absent, what the device tree says, else 400 kHz."""
    alarm: AlarmPolicy = field(default_factory=AlarmPolicy)
    signal: Mapping[str, Any] | None = None
    """What a simulated sensor feels: ``kind`` and its parameters (see ``firmware_bridge.signals``)."""
    ensemble: Ensemble | None = None
    """Further models that judge the same windows."""
    regimes: Regimes | None = None
    """Models by regime, in place of ``bundle``."""
    faults: FaultPlan | None = None
    """What goes wrong with a simulated sensor: ``plan``, a list, and ``seed`` (see ``docs/faults.md``)."""

    def __post_init__(self) -> None:
        if (self.bundle is None) != (self.regimes is not None):
            raise ValueError("give either 'bundle', or a table 'regimes' with a bundle for each regime")
        if self.ensemble is not None and self.regimes is not None:
            raise ValueError("'ensemble' goes with 'bundle', not with 'regimes'")
        if self.simulated and self.signal is None:
            raise ValueError("a simulated bus needs a table 'signal' that says what the sensor feels")
        for key in ("signal", "faults"):
            if not self.simulated and getattr(self, key) is not None:
                raise ValueError(f"'{key}' is for simulated buses; {self.bus} is a real one")
        if self.bus.startswith(IIO) != (self.chip == "iio"):
            raise ValueError(f"chip 'iio' and a bus 'iio:NAME' go together; here: {self.chip} on {self.bus}")
        if self.bus.startswith(IIO) and self.address is not None:
            raise ValueError("'address' is for chips on an I2C bus; the kernel knows that of an iio device")

    @property
    def simulated(self) -> bool:
        """True if the sensor's bus is simulated."""
        return self.bus.startswith(SIMULATED)

    @property
    def bundles(self) -> dict[str, Path]:
        """The bundle and those of the ensemble, or those of the regimes, by key in the sensor's table."""
        if self.regimes is not None:
            models = self.regimes.models.items()
            return {f"regimes.models.{name}.bundle": model.bundle for name, model in models}
        assert self.bundle is not None
        further = self.ensemble.bundles if self.ensemble else ()
        return {"bundle": self.bundle, **{f"ensemble.bundles[{i}]": path for i, path in enumerate(further)}}
