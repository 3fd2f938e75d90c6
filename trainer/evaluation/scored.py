"""Recordings judged by a finished bundle, window by window, exactly as the gateway would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.errors import WindowError
from agent.inference.arrays import ScoreArray
from agent.inference.detector import Detector, judge_recording
from agent.inference.manifest import RATE_TOLERANCE, Manifest
from agent.inference.window import WindowSpec, window_starts
from trainer.errors import DataError
from trainer.recordings.datasets import Source
from trainer.recordings.labels import Label, LabelArray, LabelledSource, window_labels

Judged = Callable[[int], None]
"""Takes how many more windows were judged."""


@dataclass(frozen=True)
class ScoredRecording:
    """The windows of one recording, with a score each: arrays of shape (n_windows,)."""

    source: Source
    rows: LabelArray
    """Label of each row, shape (n_samples,)."""
    starts: npt.NDArray[np.int64]
    """First row of each window, shape (n_windows,)."""
    scores: ScoreArray
    """Calibrated score of each window, shape (n_windows,)."""
    labels: LabelArray
    """Label of each window, shape (n_windows,)."""
    parts: tuple[str, ...]
    """The part that speaks loudest in each window."""


def score(
    detector: Detector, labelled: Sequence[LabelledSource], on_judged: Judged = lambda count: None
) -> list[ScoredRecording]:
    """Judge every window of labelled recordings.

    Args:
        detector: The detector.
        labelled: The recordings, of samples in g, or in the channels' units for slow process values.
        on_judged: Called with how many more windows were judged.

    Raises:
        DataError: If a recording's rate is not the bundle's, a sum or score is not finite, or no recording
            holds a window.
    """
    for recording in labelled:
        check_rate(recording.source, detector.manifest)
    scored = [_scored(detector, recording, on_judged) for recording in labelled]
    if not any(len(recording.starts) for recording in scored):
        length = detector.manifest.window.length
        raise DataError(f"no recording holds a window of {length} samples without a gap; record longer")
    return scored


def window_count(labelled: Sequence[LabelledSource], spec: WindowSpec) -> int:
    """Return how many windows of ``spec.length`` samples recordings hold, none of them across a gap."""
    return sum(len(window_starts(_segments(recording), spec)) for recording in labelled)


def labelled_scores(scored: Sequence[ScoredRecording]) -> tuple[ScoreArray, npt.NDArray[np.bool_]]:
    """Return the score, and whether anomalous, of each window that is known to be so or not.

    Returns:
        Scores and truth, both of shape (n_labelled_windows,).
    """
    scores = np.concatenate([recording.scores for recording in scored])
    labels = np.concatenate([recording.labels for recording in scored])
    known = labels != Label.IGNORE
    return scores[known], labels[known] == Label.ANOMALY


def check_rate(source: Source, manifest: Manifest) -> None:
    """Refuse a recording whose rate in Hz is not the bundle's, within 5 %.

    Raises:
        DataError: If it is not.
    """
    rate_hz, expected_hz = source.recording.rate_hz, manifest.rate_hz
    if rate_hz and expected_hz and abs(rate_hz - expected_hz) > RATE_TOLERANCE * expected_hz:
        raise DataError(
            f"{source.name}: sampled at {rate_hz:g} Hz, the model was trained at {expected_hz:g} Hz; "
            "resample it, or state its true rate with --rate"
        )


def learnt_from(sources: Sequence[Source], manifest: Manifest) -> list[str]:
    """Return the names of the recordings that the network has learnt from; it errs less there."""
    known = {record["sha256"] for record in manifest.provenance.get("data", ())}
    return [source.name for source in sources if source.sha256 in known]


def _scored(detector: Detector, labelled: LabelledSource, on_judged: Judged) -> ScoredRecording:
    samples, length = labelled.source.recording.samples, detector.manifest.window.length
    try:
        with np.errstate(over="ignore"):  # too large to add up: the detector refuses the sum
            starts, verdicts = judge_recording(detector, samples, _segments(labelled), on_judged)
    except WindowError as error:
        raise DataError(f"{labelled.source.name}: {error}") from error
    return ScoredRecording(
        labelled.source,
        labelled.rows,
        starts,
        np.array([verdict.score for verdict in verdicts], np.float64),
        window_labels(labelled.rows, starts, length),
        tuple(verdict.part for verdict in verdicts),
    )


def _segments(labelled: LabelledSource) -> list[tuple[int, int]]:
    return [(segment.start, segment.end) for segment in labelled.source.recording.segments]
