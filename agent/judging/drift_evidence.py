"""Evidence over windows: a weak defect that persists, though no single window shows it.

Every window adds evidence in nats, the logarithm of a likelihood ratio of its calibrated score (in standard
deviations, see ``scoring``): a defect that shows in half of the windows and lifts the score by ``SHIFT``,
against a healthy machine whose scores lie ``TOLERATED`` too high, as calibrations err:

    evidence(s) = ln(1/2 + 1/2 exp(SHIFT (s - TOLERATED) - SHIFT^2 / 2)),   s at most SCORE_LIMIT

A machine whose healthy scores are known to wander further than ``TOLERATED``, with its load or from session
to session, has the excess taken off them first. The sum starts anew whenever it falls to 0, which makes it a
CUSUM (Page, "Continuous inspection schemes", Biometrika 41, 1954). Half of the windows, because machines have
cycles: a healthy window takes back at most ln 2. The limit leaves one extreme window, or one short bang, to
the rule of k in n.

Overlapping windows are not independent. Of n windows that overlap each counts 1/n: over any stretch the sum
is the mean of n sums over every n-th window, and a mean reaches a line only where one of its terms does,
whatever the windows share. Each of the n terms sees windows that do not overlap, and only every n-th, so
false alarms are no more frequent than over independent windows. There the mean time to one at a line h is at
least e^h windows (Shin, Ramdas and Rinaldo, "E-detectors", NEJSDS 2, 2024); for this evidence it is
``RUN_LENGTH`` times as long, by the Markov chain of Brook and Evans (Biometrika 59, 1972).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from agent.inference.scoring import Level
from agent.inference.window import WindowSpec

TOLERATED = 0.35
"""Healthy scores may lie so much too high: 1.3 % of the windows, not 0.5 %, reach 2.58."""
WANDERS = 2.0
"""A healthy machine stays so many times as high as its mean score is known to wander."""
SHIFT = 1.5
"""Standard deviations by which a defect lifts the score where it shows."""
SCORE_LIMIT = 3.75
"""A higher score counts as this one."""
NEUTRAL = TOLERATED + SHIFT / 2
"""A score that speaks neither way; a machine that stays below never alarms."""
RUN_LENGTH = 12.0
"""Independent healthy windows until a false alarm, as a multiple of e^line."""
ALARM_RARER = 10.0
"""False alarms are so much rarer than false warnings."""
CLEARED_SHARE = 0.75
"""A level holds until the evidence has fallen to this share of the warning line."""

_SECONDS_PER_HOUR = 3600.0


def evidence_of(score: float) -> float:
    """Return what one window's calibrated score says, in nats: above 0 for a defect, below for health."""
    ratio = SHIFT * (min(score, SCORE_LIMIT) - TOLERATED) - SHIFT**2 / 2
    return math.log(0.5 + 0.5 * math.exp(ratio))


def excused(wander: float) -> float:
    """Return what is taken off the scores, from how far their healthy mean wanders (see ``Manifest``)."""
    return max(WANDERS * wander - TOLERATED, 0.0)


MOST = evidence_of(SCORE_LIMIT)
"""What one window can say at most."""


def overlapping(window: WindowSpec) -> int:
    """Return how many windows in a row share samples with the first of them, itself included."""
    return -(-window.length // window.hop)


@dataclass(frozen=True)
class EvidenceLines:
    """What the evidence is compared with, in nats."""

    warning: float
    alarm: float

    @classmethod
    def of(cls, hours: float, window: WindowSpec, rate_hz: float) -> EvidenceLines:
        """Return the lines for a mean time between false warnings.

        One window, however extreme, never reaches a line; where the hours hold few windows, false warnings
        are rarer for that.

        Args:
            hours: Mean time between false warnings of a machine that is watched all the time.
            window: Length and hop.
            rate_hz: Sample rate.
        """
        independent = hours * _SECONDS_PER_HOUR * rate_hz / (overlapping(window) * window.hop)
        warning = max(math.log(independent / RUN_LENGTH), 2.0 * MOST)
        return cls(warning, warning + math.log(ALARM_RARER))

    def level(self, evidence: float) -> Level:
        """Return the level that an amount of evidence reaches."""
        if evidence >= self.alarm:
            return Level.ALARM
        return Level.WARNING if evidence >= self.warning else Level.NORMAL


class DriftEvidence:
    """The evidence of one sensor's windows, and the level that it supports.

    Attributes:
        evidence: In nats, from 0 to the alarm line.
        windows: Windows since the evidence began to grow from 0.
        level: Supported now.
    """

    def __init__(
        self, lines: EvidenceLines, window: WindowSpec, level: Level = Level.NORMAL, windows: int = 0
    ) -> None:
        """Begin without evidence, or with as much as a level needs.

        Args:
            lines: What the evidence is compared with.
            window: How the windows overlap.
            level: What the evidence supported when the daemon stopped.
            windows: Likewise.
        """
        self._share = 1.0 / overlapping(window)
        self.lines = lines
        self.level = level
        self.windows = windows
        self.evidence = {Level.NORMAL: 0.0, Level.WARNING: lines.warning, Level.ALARM: lines.alarm}[level]

    def update(self, score: float) -> Level:
        """Take the next window's score, finite, and return the level supported."""
        self.windows += 1
        grown = self.evidence + self._share * evidence_of(score)
        self.evidence = min(max(grown, 0.0), self.lines.alarm)
        if self.evidence == 0.0:
            self.windows = 0
        if self.evidence < CLEARED_SHARE * self.lines.warning:
            self.level = Level.NORMAL
        self.level = max(self.level, self.lines.level(self.evidence))
        return self.level
