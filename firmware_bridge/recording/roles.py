"""What each column of a recording is: a channel, times, or neither, by name and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from firmware_bridge.arrays import Array, TimeArray
from firmware_bridge.recording.columns import has_time_unit, is_signal, time_unit
from firmware_bridge.recording.sample_store import ROWS

_FEWEST_ROWS = 128
"""Of fewer, nobody can tell a slow signal from times."""
_BLOCKS = 64
_UNEVEN = 0.3
_USUAL_SHARE = 0.9
_TURNS_SHARE = 1 / 64


@dataclass(frozen=True)
class Roles:
    """What the columns of a recording are, by their names."""

    channels: tuple[str, ...]
    time: str | None
    """The column that gives rate and gaps."""
    notes: tuple[str, ...]


def roles(columns: Mapping[str, Array], dates: Sequence[str] = ()) -> Roles:
    """Tell channels, times and counters apart.

    Times are known by their name, by a unit of time on values that never fall, or by climbing evenly.

    Args:
        columns: Values by name, shape (n,) each, of which the first ones are looked at.
        dates: Names of those that are dates, whatever their values say.
    """
    kinds = {name: _kind(name, values[:ROWS], name in dates) for name, values in columns.items()}

    def of(*wanted: _Kind) -> list[str]:
        return [name for kind in wanted for name in kinds if kinds[name] is kind]

    climbing = [name for name in kinds if kinds[name] in (_Kind.TIME, _Kind.COUNTER)]
    notes = [f"column '{name}' climbs evenly, like times or a counter: it is no channel" for name in climbing]
    return Roles(
        channels=tuple(of(_Kind.CHANNEL)),
        time=next(iter(of(_Kind.NAMED, _Kind.STATED, _Kind.TIME)), None),
        notes=tuple(notes),
    )


class _Kind(Enum):
    """What a column is."""

    NAMED = "time by its name, or dates"
    STATED = "time by its unit"
    TIME = "climbs evenly as times do"
    COUNTER = "climbs evenly in whole numbers"
    CHANNEL = "values"
    NEITHER = "neither"


def _kind(name: str, values: Array, is_date: bool) -> _Kind:
    if is_date or time_unit(name) is not None:
        return _Kind.NAMED
    if has_time_unit(name) and climbs(values):
        return _Kind.STATED
    if not is_signal(name):
        return _Kind.NEITHER
    if not climbs_evenly(values):
        return _Kind.CHANNEL
    return _Kind.COUNTER if _counts(values) else _Kind.TIME


def climbs(values: Array) -> bool:
    """Tell whether values, shape (n,), never fall and rise at least once."""
    return len(values) > 1 and bool(values[-1] > values[0]) and bool(np.all(values[1:] >= values[:-1]))


def climbs_evenly(values: Array) -> bool:
    """Tell whether values, shape (n,), climb as times and counters do, which may turn over to 0."""
    if len(values) < _FEWEST_ROWS:
        return False
    steps = np.diff(values.astype(np.float64))
    if not np.isfinite(steps).all():
        return False
    if climbs(values):
        return _even(values.astype(np.float64)) or _stepped(steps)
    turns = steps < 0
    up = steps[~turns]
    return bool(turns.mean() <= _TURNS_SHARE) and up[0] > 0 and bool(np.all(up == up[0]))


def _even(values: TimeArray) -> bool:
    """Tell whether most blocks climb by the same."""
    marks = values[:: max(len(values) // _BLOCKS, 2)]
    climbed = np.diff(marks)
    usual = float(np.median(climbed))
    return usual > 0 and float(np.mean(np.abs(climbed / usual - 1) <= _UNEVEN)) >= _USUAL_SHARE


def _stepped(steps: TimeArray) -> bool:
    """Tell whether values stand still, and then climb by the same step each time."""
    up = steps[steps > 0]
    return len(up) >= 4 and float(np.mean(np.isclose(up, np.median(up), rtol=1e-3))) >= _USUAL_SHARE


def _counts(values: Array) -> bool:
    return bool(np.all(np.isin(np.diff(values), (0, 1)))) or not climbs(values)
