"""The parts of a detector: each sees the same window and gives raw scores that only it understands.

No single one is enough: a level switch finds the fault that keeps the spectrum, a spectrum the fault that
keeps the level. A part's raw scores are one or more columns, higher is more abnormal, each with the ``Tail``
that gives it a meaning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Protocol, TypeAlias

from agent.decode import Range
from agent.inference.arrays import FloatArray
from agent.inference.explanation import Contribution
from agent.inference.model import TFLiteModel
from agent.inference.scoring import Tail, Vote, sidak
from agent.inference.window_numbers import WindowNumbers

Models: TypeAlias = Mapping[str, TFLiteModel]
"""The graphs of a bundle by member name."""

Weight = Annotated[float, Range(1e-6, 1.0)]
Power = Annotated[float, Range(0.1, 1.0)]


class Part(Protocol):
    """What every part can do."""

    @property
    def name(self) -> str:
        """Name in the manifest and in alerts."""
        ...

    @property
    def weight(self) -> float:
        """Weight when parts are joined; see ``scoring.Vote``."""
        ...

    @property
    def power(self) -> float:
        """Power of the p-value when parts are joined."""
        ...

    @property
    def tails(self) -> tuple[Tail, ...]:
        """Calibration, one per column."""
        ...

    def raw_scores(self, numbers: WindowNumbers, models: Models) -> FloatArray:
        """Return raw scores, shape (n_windows, n_columns)."""
        ...

    def contributions(
        self, window: WindowNumbers, models: Models, axes: Sequence[str], rate_hz: float | None
    ) -> list[Contribution]:
        """Return where the deviation of one window lies; unsorted."""
        ...


def votes(parts: Sequence[Part]) -> list[Vote]:
    """Return how the parts' p-values count when they are joined."""
    return [Vote(math.log(part.weight), part.power) for part in parts]


def log_p(part: Part, raw: Sequence[float]) -> float:
    """Return ln of a part's p-value from its raw scores: the smallest over its columns, Sidak-corrected."""
    smallest = min([tail.log_p(value) for tail, value in zip(part.tails, raw, strict=True)])
    return sidak(smallest, len(part.tails))


def shares(names: Sequence[str], values: FloatArray) -> list[Contribution]:
    """Return each value's share of their sum, or nothing if the sum is 0."""
    total = float(values.sum())
    if not total > 0:
        return []
    return [Contribution(name, float(value) / total) for name, value in zip(names, values, strict=True)]
