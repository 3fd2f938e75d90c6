"""Charts of the network: how it learnt, where it errs, what it makes of windows and keeps of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agent.inference.arrays import FloatArray
from agent.inference.bundle import Bundle
from agent.inference.detector import raw_scores
from agent.inference.features import PatchFeatures, RawFeatures, SpectrumFeatures
from agent.inference.manifest import Manifest
from agent.inference.model import TFLiteModel
from agent.inference.part import log_p, votes
from agent.inference.reconstruction import ReconstructionPart
from agent.inference.scoring import Level, joined, score_from_log_p
from agent.inference.window_numbers import WindowNumbers
from trainer.evaluation.scored import ScoredRecording
from trainer.report.axes import Axis, Values
from trainer.report.charts import SQUARE, WIDE, Item, Line, Mark, Points, chart
from trainer.report.latent import latent_codes, principal_plane
from trainer.report.scores import histogram
from trainer.report.signals import sample_axis
from trainer.report.windows import Example, kinds, some_windows
from trainer.settings import PATCHES
from trainer.system.quiet import diverted_output

_ERRORS, _CODES = 2000, 500  # windows of each kind
_CHUNK = 256
_MEDIAN_LOG_P = math.log(0.5)
_STEPS = 60
_UNREACHABLE = 1e12
_BEYOND_LINES = 2.5
"""Errors are drawn up to this many times the alarm line."""
_ERROR_NAMES = {"mse": "mean squared error", "mae": "mean absolute error"}


def network_part(manifest: Manifest) -> ReconstructionPart | None:
    """Return the part that is a network; None if the bundle has none."""
    return next((part for part in manifest.parts if isinstance(part, ReconstructionPart)), None)


def learning_curve(manifest: Manifest) -> str | None:
    """Return the loss over the training, from the bundle's provenance; None if that does not hold it."""
    training = manifest.provenance.get("training")
    history = training.get("history") if isinstance(training, Mapping) else None
    if not isinstance(history, Mapping) or not isinstance(training, Mapping):
        return None
    items: list[Item] = []
    steps, unit = _training_steps(manifest)
    for key, style, name in (
        ("loss", "normal", "training windows"),
        ("validation_loss", "anomaly", "held-out windows"),
    ):
        losses = _numbers(history.get(key))
        if len(losses) > 1:
            x = np.arange(1, len(losses) + 1) * (steps / len(losses) if steps else 1.0)
            items.append(Line(x, losses, style, name))
    best = training.get("best_epoch")
    if items and unit == "epoch" and isinstance(best, int) and best > 0:
        items.append(Mark(float(best), "best", f"best, epoch {best}", "x"))
    return chart("Loss", Axis(unit), Axis("loss", log=True, room=True), items, WIDE) if items else None


def error_histograms(scored: Sequence[ScoredRecording], bundle: Bundle) -> list[str]:
    """Return how often each reconstruction error occurs on each axis, by label, with the lines."""
    manifest = bundle.manifest
    part = network_part(manifest)
    if part is None:
        return []
    groups = [(kind, some_windows(scored, kind, _ERRORS, manifest.window.length)) for kind in kinds(scored)]
    errors = np.concatenate([_errors(part, bundle, windows) for _, windows in groups])
    labels = np.concatenate([np.full(len(windows), kind.label, np.int8) for kind, windows in groups])
    drawn = []
    for i, axis in enumerate(manifest.axes):
        marks = [
            Mark(error, str(level), f"{level} {error:.3g}", "x")
            for level in (Level.WARNING, Level.ALARM)
            if (error := line_alone(manifest, part, i, manifest.thresholds.of(level))) is not None
        ]
        highest = max((_BEYOND_LINES * mark.value for mark in marks), default=float(errors[:, i].max()))
        bars, cut = histogram(errors[:, i], labels, scored, highest)
        name = _ERROR_NAMES[part.metric] + (" (all above in the last bar)" if cut else "")
        drawn.append(chart(axis, Axis(name), Axis("share of windows"), [*bars, *marks]))
    return drawn


def line_alone(manifest: Manifest, part: ReconstructionPart, column: int, line: float) -> float | None:
    """Return the error on one axis that takes the score to a line while all else is at its healthy median.

    Args:
        manifest: Of the bundle.
        part: One of its parts, with tails.
        column: The axis.
        line: A score.

    Returns:
        The error; None if none would do.
    """
    medians = [tail.body[len(tail.body) // 2] for tail in part.tails]
    counted = votes(manifest.parts)

    def reaches(error: float) -> bool:
        raw = [*medians[:column], error, *medians[column + 1 :]]
        log_ps = [log_p(part, raw) if other is part else _MEDIAN_LOG_P for other in manifest.parts]
        return score_from_log_p(manifest.combination.log_p(joined(log_ps, counted))) >= line

    low, step = part.tails[column].body[0], part.tails[column].scale
    while not reaches(low + step):
        step *= 2.0
        if step > _UNREACHABLE * part.tails[column].scale:
            return None
    high = low + step
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def overlays(example: Example, bundle: Bundle) -> list[str]:
    """Return what the network was given of one window, and what it made of it, on each axis."""
    manifest = bundle.manifest
    part = network_part(manifest)
    if part is None:
        return []
    features = part.features.of(WindowNumbers(example.window[np.newaxis]))
    target, made = part.features.target(features), _model(part, bundle).reconstruct(features)
    rows = (-1, features.shape[2])
    given, shown = (_end_to_end(part, values[0].reshape(rows)) for values in (target, made))
    x, label = _feature_axis(part, manifest, len(given))
    unit = Axis(_feature_unit(part), room=True)
    return [
        chart(
            axis,
            Axis(label),
            unit,
            [Line(x, given[:, i], "given", "given"), Line(x, shown[:, i], "made", "reconstructed")],
        )
        for i, axis in enumerate(manifest.axes)
    ]


def latent_space(scored: Sequence[ScoredRecording], bundle: Bundle) -> tuple[str, str] | None:
    """Return the windows in the two directions in which their codes differ most, and what is shown, in words.

    None without a network.
    """
    manifest = bundle.manifest
    part = network_part(manifest)
    if part is None:
        return None
    groups = [(kind, some_windows(scored, kind, _CODES, manifest.window.length)) for kind in kinds(scored)]
    features = part.features.of(WindowNumbers(np.concatenate([windows for _, windows in groups])))
    codes = latent_codes(bundle.models[part.model], part.features, features)
    plane = principal_plane(codes.values)
    items, first = [], 0
    for kind, own in groups:
        x, y = plane.points[first : first + len(own)].T
        items.append(Points(x, y, kind.style, f"{kind.name} ({len(own)})"))
        first += len(own)
    across, up = (
        f"{name} component, {share:.0%} of the variance"
        for name, share in zip(("first", "second"), plane.shares, strict=True)
    )
    return chart(
        "Windows by what the network keeps of them", Axis(across), Axis(up), items[::-1], SQUARE
    ), codes.description


def _training_steps(manifest: Manifest) -> tuple[int, str]:
    """Return how many steps the training took, 0 if each point is an epoch, and what they are."""
    training, part = manifest.provenance.get("training"), network_part(manifest)
    steps = training.get("epochs") if isinstance(training, Mapping) else None
    if part is not None and part.architecture == PATCHES and isinstance(steps, int):
        return steps, "step"
    return 0, "epoch"


def _numbers(values: Any) -> Values:  # noqa: ANN401 - provenance is what its trainer wrote
    if not isinstance(values, Sequence) or isinstance(values, str):
        return np.empty(0)
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        return np.empty(0)
    return np.array(values, np.float64)


def _errors(part: ReconstructionPart, bundle: Bundle, windows: FloatArray) -> Values:
    """Return the raw scores of windows, shape (n_windows, n_axes)."""
    models = {part.model: _model(part, bundle)}
    chunks = (windows[first : first + _CHUNK] for first in range(0, len(windows), _CHUNK))
    return np.concatenate([raw_scores([part], models, chunk)[0] for chunk in chunks]).astype(np.float64)


def _model(part: ReconstructionPart, bundle: Bundle) -> TFLiteModel:
    with diverted_output():  # the runtime announces its delegate
        return TFLiteModel(bundle.models[part.model])


def _end_to_end(part: ReconstructionPart, values: FloatArray) -> Values:
    """Return what is drawn, shape (n, n_axes): of overlapping patches those that lie end to end."""
    wide = values.astype(np.float64)
    if isinstance(part.features, PatchFeatures):
        step = max(part.features.patch // part.features.stride, 1)
        patches = wide.reshape(-1, part.features.patch, wide.shape[1])[::step]
        return patches.reshape(-1, wide.shape[1])
    return wide


def _feature_axis(part: ReconstructionPart, manifest: Manifest, count: int) -> tuple[Values, str]:
    if not isinstance(part.features, SpectrumFeatures):
        return sample_axis(count, manifest)
    bins = part.features.edges(manifest.window.length)[:-1].astype(np.float64)
    if not manifest.rate_hz:
        return bins, "frequency (bin)"
    return bins * manifest.rate_hz / manifest.window.length, "frequency (Hz)"


def _feature_unit(part: ReconstructionPart) -> str:
    if isinstance(part.features, SpectrumFeatures):
        return "amplitude, standardised" if part.features.scale == "linear" else "log amplitude, standardised"
    if isinstance(part.features, RawFeatures) and part.features.offset_g:
        return "signal, range to 0..1"
    return "signal / healthy RMS"
