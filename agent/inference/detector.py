"""The one path from window to verdict: daemon, replay, calibration and evaluation all take it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.errors import BundleError, ModelError, WindowError
from agent.inference import scoring_arrays
from agent.inference.arrays import FloatArray, ScoreArray
from agent.inference.bundle import Bundle, read_bundle
from agent.inference.explanation import AxisStatistics, Contribution
from agent.inference.features import axis_statistics
from agent.inference.manifest import Manifest
from agent.inference.model import TFLiteModel
from agent.inference.part import Models, Part, log_p, votes
from agent.inference.reconstruction import ReconstructionPart
from agent.inference.scoring import Level, joined, score_from_log_p
from agent.inference.scoring_arrays import part_log_ps, scores_from_log_ps, tail_log_ps
from agent.inference.window import IndexArray, cut, segment_begins, window_starts
from agent.inference.window_numbers import WindowNumbers

_MOST_CONTRIBUTIONS = 5
"""Contributions in an explanation, at most."""

_CHUNK = 256
"""Windows judged at once: enough to amortise numpy's calls, small enough for the cache."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one window."""

    score: float
    """Calibrated score in standard deviations; higher is more abnormal."""
    level: Level
    """Level of this window alone."""
    part: str
    """The part that speaks loudest."""


@dataclass(frozen=True)
class Explanation:
    """What a person wants to know about an abnormal window."""

    statistics: tuple[AxisStatistics, ...]
    contributions: tuple[Contribution, ...]
    """Of the part that speaks loudest, largest first, five at most."""


def raw_scores(parts: Sequence[Part], models: Models, windows: FloatArray) -> list[FloatArray]:
    """Return the raw scores of each part, shapes (n_windows, n_columns).

    Args:
        parts: The parts.
        models: The graphs that they name.
        windows: Shape (n_windows, length, n_axes).

    Raises:
        WindowError: If a sample or a raw score is not finite.
    """
    numbers = WindowNumbers(windows)
    scores = [part.raw_scores(numbers, models) for part in parts]
    for part, raw in zip(parts, scores, strict=True):
        if not all(map(math.isfinite, raw.ravel().tolist())):
            raise WindowError(f"part '{part.name}' gave a score that is not finite")
    return scores


def log_ps(parts: Sequence[Part], scores: Sequence[FloatArray]) -> ScoreArray:
    """Return ln p of each window and part, shape (n_windows, n_parts), from ``raw_scores``."""
    columns = [part_log_ps(part.tails, raw) for part, raw in zip(parts, scores, strict=True)]
    return np.stack(columns, axis=1)


class Detector:
    """Scores windows as a bundle says. Not for several threads at once."""

    def __init__(self, manifest: Manifest, graphs: Mapping[str, bytes]) -> None:
        """Load the graphs and check that they fit the manifest.

        Args:
            manifest: What to do.
            graphs: TFLite files by member name.

        Raises:
            ModelError: If the runtime refuses a graph, or its shape is not that of its features.
        """
        self.manifest = manifest
        self._models = {name: TFLiteModel(content) for name, content in graphs.items()}
        self._votes = votes(manifest.parts)
        for part in manifest.parts:
            if part.kind == "reconstruction":
                _check_shape(part, self._models[part.model], manifest.window.length)

    def judge(self, windows: FloatArray) -> list[Verdict]:
        """Return the verdict on each window.

        Args:
            windows: Shape (n_windows, length, n_axes), in the manifest's unit and order of axes.

        Raises:
            WindowError: If the shape is another, or a sample or score is not finite.
        """
        expected = (self.manifest.window.length, len(self.manifest.axes))
        if windows.shape[1:] != expected:
            raise WindowError(f"windows of shape {windows.shape[1:]}, the bundle takes {expected}")
        scores = raw_scores(self.manifest.parts, self._models, windows)
        return self._verdicts(scores) if len(windows) > 1 else [self._verdict(scores)]

    def scores(self, windows: FloatArray) -> ScoreArray:
        """Return the calibrated score of each window, and of each of its parts by itself.

        Args:
            windows: Shape (n_windows, length, n_axes), in the manifest's unit and order of axes.

        Returns:
            Shape (n_windows, 1 + n_parts): the score first, then the parts in the manifest's order.

        Raises:
            WindowError: If a sample or score is not finite.
        """
        manifest = self.manifest
        part_log_ps = log_ps(manifest.parts, raw_scores(manifest.parts, self._models, windows))
        together = scoring_arrays.joined(part_log_ps, self._votes)
        columns = [tail_log_ps(manifest.combination, together), *part_log_ps.T]
        return np.stack([scores_from_log_ps(column) for column in columns], axis=1)

    def explain(self, window: FloatArray, part: str) -> Explanation:
        """Return statistics and largest contributions of one window, shape (length, n_axes).

        Args:
            window: The window.
            part: Name of the part whose deviation is explained, from the verdict.
        """
        manifest = self.manifest
        chosen = next(candidate for candidate in manifest.parts if candidate.name == part)
        numbers = WindowNumbers(window[np.newaxis])
        contributions = chosen.contributions(numbers, self._models, manifest.axes, manifest.rate_hz)
        contributions.sort(key=lambda contribution: contribution.share, reverse=True)
        return Explanation(axis_statistics(window, manifest.axes), tuple(contributions[:_MOST_CONTRIBUTIONS]))

    def _verdict(self, scores: Sequence[FloatArray]) -> Verdict:
        """Return the verdict on the only window, shape (1, ...); floats are faster than arrays of one."""
        manifest = self.manifest
        part_log_ps = [log_p(part, raw[0].tolist()) for part, raw in zip(manifest.parts, scores, strict=True)]
        score = score_from_log_p(manifest.combination.log_p(joined(part_log_ps, self._votes)))
        evidence = [vote.evidence(lp) for vote, lp in zip(self._votes, part_log_ps, strict=True)]
        loudest = manifest.parts[evidence.index(max(evidence))].name
        return Verdict(score, manifest.thresholds.level(score), loudest)

    def _verdicts(self, scores: Sequence[FloatArray]) -> list[Verdict]:
        """Return the verdicts on many windows, the same as one by one."""
        manifest = self.manifest
        part_log_ps = log_ps(manifest.parts, scores)
        together = scoring_arrays.joined(part_log_ps, self._votes)
        calibrated = scores_from_log_ps(tail_log_ps(manifest.combination, together)).tolist()
        loudest = np.argmax(scoring_arrays.evidence(part_log_ps, self._votes), axis=1).tolist()
        level = manifest.thresholds.level
        return [
            Verdict(score, level(score), manifest.parts[part].name)
            for score, part in zip(calibrated, loudest, strict=True)
        ]


def judge_recording(
    detector: Detector,
    samples: FloatArray,
    segments: Iterable[tuple[int, int]],
    on_judged: Callable[[int], None] = lambda count: None,
) -> tuple[IndexArray, list[Verdict]]:
    """Judge every window of a recording, as the gateway would.

    Args:
        detector: The detector.
        samples: Shape (n_samples, n_axes).
        segments: Stretches without a gap as (start, end), end excluded.
        on_judged: Told now and then how many more windows were judged.

    Returns:
        First sample of each window, shape (n_windows,), before its segment if it is padded; and the verdicts.

    Raises:
        WindowError: See ``Detector.judge``.
    """
    spec, segments = detector.manifest.window, list(segments)
    starts = window_starts(segments, spec)
    begins = segment_begins(segments, starts, spec.length)
    verdicts: list[Verdict] = []
    for chunk in range(0, len(starts), _CHUNK):
        part = slice(chunk, chunk + _CHUNK)
        windows = cut(samples, starts[part], spec.length, begins[part])
        verdicts.extend(detector.judge(windows))
        on_judged(len(windows))
    return starts, verdicts


def _check_shape(part: ReconstructionPart, model: TFLiteModel, length: int) -> None:
    expected, given = part.features.shape(length), part.features.output_shape(length)
    if (model.shape, model.output_shape) != (expected, given):
        raise ModelError(
            f"{part.model} maps {model.shape} to {model.output_shape}, not {expected} to {given}"
        )


def check_golden(detector: Detector, bundle: Bundle) -> float:
    """Score the golden windows on this processor and return the largest deviation from the expected scores.

    Each part is held to its own score: a network that is silent behind louder parts must be right, too.

    Raises:
        BundleError: If a score lies further away than the manifest's tolerance and 5 % of it.
    """
    golden = bundle.golden
    scores = detector.scores(golden.windows)
    deviation = np.abs(scores - golden.scores)
    allowed = bundle.manifest.golden_tolerance + 0.05 * np.abs(golden.scores)
    # Written so that a score which is no number (NaN) fails.
    if not (deviation <= allowed).all():
        window, column = np.unravel_index(np.argmax(deviation - allowed), deviation.shape)
        by = f" by its part '{bundle.manifest.parts[column - 1].name}'" if column else ""
        raise BundleError(
            bundle.path,
            f"golden window {window} scores {scores[window, column]:.3f}{by} on this machine, expected was "
            f"{golden.scores[window, column]:.3f} within {allowed[window, column]:.3f}: this runtime or "
            "processor differs",
        )
    return float(deviation.max())


def open_detector(path: Path, trusted_keys: Sequence[str] = ()) -> tuple[Detector, Bundle]:
    """Read, verify and load a bundle, and try it on its golden windows.

    Raises:
        BundleError: See ``read_bundle`` and ``check_golden``; also if the runtime refuses a graph.
    """
    bundle = read_bundle(path, trusted_keys)
    try:
        detector = Detector(bundle.manifest, bundle.models)
    except ModelError as error:
        raise BundleError(path, str(error)) from error
    check_golden(detector, bundle)
    return detector, bundle
