"""Which windows a report looks at: all of a short recording, an even choice of a long one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.inference.arrays import FloatArray
from agent.inference.window import cut
from trainer.evaluation.scored import ScoredRecording
from trainer.recordings.labels import Label, LabelArray


@dataclass(frozen=True)
class Kind:
    """Windows that are drawn in one colour."""

    label: Label
    style: str
    """Class in the style sheet."""
    name: str


NORMAL = Kind(Label.NORMAL, "normal", "normal")
ANOMALOUS = Kind(Label.ANOMALY, "anomaly", "anomalous")
UNKNOWN = Kind(Label.IGNORE, "other", "not labelled")


@dataclass(frozen=True, kw_only=True)
class Example:
    """A window worth a look, of shape (length, n_axes)."""

    name: str
    """What it is an example of."""
    style: str
    score: float
    part: str
    """The part that speaks loudest."""
    file: str
    start: int
    """Its first row."""
    window: FloatArray
    """As measured, shape (length, n_axes)."""


def kinds(scored: Sequence[ScoredRecording]) -> list[Kind]:
    """Return the kinds that occur; what is not labelled counts only if nothing is."""
    labels = all_labels(scored)
    return [kind for kind in (NORMAL, ANOMALOUS) if (labels == kind.label).any()] or [UNKNOWN]


def all_labels(scored: Sequence[ScoredRecording]) -> LabelArray:
    """Return the label of every window, shape (n_windows,)."""
    return np.concatenate([recording.labels for recording in scored])


def all_scores(scored: Sequence[ScoredRecording]) -> npt.NDArray[np.float64]:
    """Return the score of every window, shape (n_windows,)."""
    return np.concatenate([recording.scores for recording in scored])


def some_windows(scored: Sequence[ScoredRecording], kind: Kind, count: int, length: int) -> FloatArray:
    """Return at most ``count`` windows of a kind, evenly taken from all recordings.

    Args:
        scored: The recordings.
        kind: Of the windows.
        count: At most.
        length: Samples per window.

    Returns:
        Of shape (n_windows, length, n_axes), as recorded: in g, or in each channel's unit.
    """
    places = [
        (recording, starts)
        for recording in scored
        if len(starts := recording.starts[recording.labels == kind.label])
    ]
    total = sum(len(starts) for _, starts in places)
    chosen = np.unique(np.linspace(0, total - 1, min(total, count)).astype(int))
    found, before = [], 0
    for recording, starts in places:
        inside = chosen[(chosen >= before) & (chosen < before + len(starts))] - before
        found.append(cut(recording.source.recording.samples, starts[inside], length))
        before += len(starts)
    return np.concatenate(found)


def examples(scored: Sequence[ScoredRecording], length: int) -> list[Example]:
    """Return a typical window and the highest-scoring one of each kind.

    Args:
        scored: The recordings, with one window or more.
        length: In samples.
    """
    scores, labels = all_scores(scored), all_labels(scored)
    found: list[Example] = []
    for kind in kinds(scored):
        inside = np.flatnonzero(labels == kind.label)
        ranked = inside[np.argsort(scores[inside], kind="stable")]
        # What is typical of anomalous windows nobody knows; of the others it is the middle.
        if kind is not ANOMALOUS or len(found) == 0:
            found.append(
                _example(scored, int(ranked[len(ranked) // 2]), f"typical, {kind.name}", kind, length)
            )
        if len(ranked) > 1:
            found.append(_example(scored, int(ranked[-1]), f"highest score, {kind.name}", kind, length))
    return found


def _example(scored: Sequence[ScoredRecording], index: int, name: str, kind: Kind, length: int) -> Example:
    for recording in scored:
        if index < len(recording.starts):
            break
        index -= len(recording.starts)
    start = int(recording.starts[index])
    window = recording.source.recording.samples[start : start + length]
    score, part = float(recording.scores[index]), recording.parts[index]
    return Example(
        name=name,
        style=kind.style,
        score=score,
        part=part,
        file=recording.source.name,
        start=start,
        window=window,
    )
