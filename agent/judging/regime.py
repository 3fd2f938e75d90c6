"""Several models on one sensor, one for each regime of the machine, such as its speeds.

Which regime a window belongs to is estimated from the window itself (the line of the running speed), or told
by whoever knows: a person, or the machine's own control by way of a command. A window is scored only if its
regime is known and every window that overlaps it and came before says the same: what lies outside all regimes
or in a transition is counted and not scored, for no model has learnt it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from agent.inference.arrays import FloatArray
from agent.inference.detector import Detector, Explanation, Verdict
from agent.judging.judges import Judge, joined_manifest

PROMINENCE = 10.0
"""A line is one if its power is so many times the median of the band that is searched. A bin of white noise
on one axis reaches that once in 1024 windows (2 to the -10), on three axes once in 1e9."""
SEARCH_BINS = 12
"""The band that is searched must be so wide that its median is not the line's own."""


@dataclass(frozen=True)
class Band:
    """Frequencies in Hz from ``low_hz`` to ``high_hz``, both included."""

    low_hz: float
    high_hz: float

    def __contains__(self, frequency_hz: float) -> bool:
        return self.low_hz <= frequency_hz <= self.high_hz


class RegimeSource(Protocol):
    """Says which regime a window belongs to."""

    def regime_of(self, window: FloatArray) -> str | None:
        """Return the regime's name, or None outside all regimes.

        Args:
            window: Shape (length, n_axes), in g.
        """
        ...


class CommandedRegime:
    """The regime is told. ``name`` may be set from any thread; None: in no known regime."""

    def __init__(self, name: str | None) -> None:
        self.name = name

    def regime_of(self, window: FloatArray) -> str | None:
        """Return what was told last."""
        return self.name


class SpeedRegime:
    """The regime follows from the running speed, taken as the strongest line of a band.

    Args:
        rate_hz: Of the samples.
        search: Where the line of the running speed can be at all.
        bands: Running speeds by regime; they do not overlap.
    """

    def __init__(self, rate_hz: float, search: Band, bands: Mapping[str, Band]) -> None:
        self._rate_hz = rate_hz
        self._search = search
        self._bands = dict(bands)

    def regime_of(self, window: FloatArray) -> str | None:
        """Return the regime whose band holds the line; window of shape (length, n_axes).

        None if no line stands out, or none of the bands holds it.
        """
        speed_hz = strongest_line_hz(window, self._rate_hz, self._search)
        if speed_hz is None:
            return None
        return next((name for name, band in self._bands.items() if speed_hz in band), None)


class RegimeJudge:
    """Models by regime, as one judge (see ``judges.Judge``). For one thread.

    Ask ``admits`` before ``judge``: it chooses the model.

    Args:
        members: The model of each regime; all take the same windows.
        source: Says which regime a window belongs to.

    Raises:
        ValueError: If they do not take the same windows.

    Attributes:
        commanded: The source, if commands say the regime.
        manifest: What windows all take (see ``judges.joined_manifest``).
        current: The regime of the newest window; None outside all, and in a transition.
    """

    def __init__(self, members: Mapping[str, Detector], source: RegimeSource) -> None:
        self._members: dict[str, Judge] = dict(members)
        self._source = source
        self.commanded = source if isinstance(source, CommandedRegime) else None
        manifests = [member.manifest for member in members.values()]
        self.manifest = joined_manifest(manifests, " / ", "regimes")
        self.current: str | None = None
        window = manifests[0].window
        self._needed = math.ceil(window.length / window.hop)
        self._said: str | None = None
        self._in_a_row = 0

    @property
    def regimes(self) -> tuple[str, ...]:
        """Names of all regimes."""
        return tuple(self._members)

    def admits(self, window: FloatArray) -> bool:
        """Look at the next window, shape (length, n_axes); return False if no model may judge it."""
        said = self._source.regime_of(window)
        self._in_a_row = self._in_a_row + 1 if said == self._said else 1
        self._said = said
        self.current = said if self._in_a_row >= self._needed else None
        return self.current is not None

    def judge(self, windows: FloatArray) -> list[Verdict]:
        """Return the verdicts of the current regime's model; their parts are told as ``REGIME/PART``.

        Args:
            windows: In g, shape (n_windows, length, n_axes).

        Raises:
            WindowError: See ``Detector.judge``.
        """
        assert self.current is not None
        verdicts = self._members[self.current].judge(windows)
        return [replace(verdict, part=f"{self.current}/{verdict.part}") for verdict in verdicts]

    def explain(self, window: FloatArray, part: str) -> Explanation:
        """Return what is abnormal in a window of shape (length, n_axes).

        Args:
            window: In g.
            part: As seen by which regime's part: ``REGIME/PART`` from the verdict.
        """
        regime, _, name = part.partition("/")
        return self._members[regime].explain(window, name)


def strongest_line_hz(window: FloatArray, rate_hz: float, search: Band) -> float | None:
    """Return the frequency of the strongest line of a band, all axes together; None if nothing stands out.

    Hann window; between the bins by the parabola through the logarithms of three of them.

    Args:
        window: Shape (length, n_axes).
        rate_hz: Of the samples.
        search: Where to look.
    """
    power = _power(window)
    step_hz = rate_hz / len(window)
    first = max(math.ceil(search.low_hz / step_hz), 1)
    last = min(math.floor(search.high_hz / step_hz), len(power) - 2)
    band = power[first : last + 1]
    if len(band) == 0:
        return None
    peak = first + int(np.argmax(band))
    if power[peak] <= PROMINENCE * np.median(band):
        return None
    return (peak + _offset(power[peak - 1 : peak + 2])) * step_hz


def _power(window: FloatArray) -> npt.NDArray[np.float64]:
    centred = window - window.mean(axis=0)
    spectrum = np.fft.rfft(centred * np.hanning(len(window))[:, np.newaxis], axis=0)
    power: npt.NDArray[np.float64] = (np.abs(spectrum) ** 2).sum(axis=1)
    return power


def _offset(three: Sequence[float] | npt.NDArray[np.float64]) -> float:
    """Return where between -0.5 and 0.5 bins a peak is, from its bin and both neighbours."""
    left, middle, right = (math.log(max(float(value), 1e-300)) for value in three)
    bend = left - 2 * middle + right
    return 0.0 if bend >= 0 else min(max(0.5 * (left - right) / bend, -0.5), 0.5)
