"""What each column of a recording is: a channel, times, or neither, by name and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    columns = {name: values[:ROWS] for name, values in columns.items()}
    named = [name for name in columns if name in dates or time_unit(name) is not None]
    stated = [name for name in columns if name not in named and has_time_unit(name) and climbs(columns[name])]
    others = [name for name in columns if name not in (*named, *stated) and is_signal(name)]
    climbing = [name for name in others if climbs_evenly(columns[name])]
    times = [name for name in climbing if not _counts(columns[name])]
    notes = [f"column '{name}' climbs evenly, like times or a counter: it is no channel" for name in climbing]
    return Roles(
        channels=tuple(name for name in others if name not in climbing),
        time=next(iter((*named, *stated, *times)), None),
        notes=tuple(notes),
    )


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
