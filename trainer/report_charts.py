"""The charts of a report: what the machine sounds like, what the model makes of it, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from agent.inference.bundle import Bundle
from agent.inference.features import PatchFeatures, SpectrumFeatures, amplitude_spectrum, centred
from agent.inference.manifest import Manifest
from agent.inference.model import TFLiteModel
from agent.inference.parts import ReconstructionPart
from agent.inference.window import cut
from agent.inference.window_numbers import WindowNumbers
from trainer.charts import Band, Bars, Item, Line, Mark, Values, chart
from trainer.labels import Label, LabelArray
from trainer.quiet import diverted_output
from trainer.scored import ScoredRecording, labelled_scores

FloatArray = npt.NDArray[np.float32]

MAX_AXES = 6
"""Axes shown; a report of more would be long."""

_BINS = 60
_SPECTRA = 200
_CLASSES = ((Label.NORMAL, "normal", "normal"), (Label.ANOMALY, "anomaly", "anomalous"))
_BANDS = ((Label.IGNORE, "ignore", "left out"), (Label.ANOMALY, "anomaly", "anomalous"))
_UNKNOWN = (Label.IGNORE, "other", "not labelled")


def score_over_time(recording: ScoredRecording, manifest: Manifest) -> str:
    """Return the score of each window of a recording, above the stretches that are labelled."""
    rate_hz = recording.source.recording.rate_hz
    per_row = 1.0 / rate_hz if rate_hz else 1.0
    ends = (recording.starts + manifest.window.length) * per_row
    bands: list[Item] = [
        Band(first * per_row, end * per_row, f"band-{style}", name)
        for label, style, name in (
            (Label.IGNORE, "ignore", "left out"),
            (Label.ANOMALY, "anomaly", "anomalous"),
        )
        for first, end in _runs(recording.rows, label)
    ]
    if (recording.rows == Label.IGNORE).all():
        bands = []
    score = Line(ends.astype(np.float64), recording.scores, "normal", "score")
    unit = "time (s)" if rate_hz else "row"
    return chart(recording.source.name, unit, "score", [*bands, score, *_lines(manifest, "y")])


def histograms(scored: Sequence[ScoredRecording], manifest: Manifest) -> str:
    """Return how often each score occurs, by label, with the lines."""
    scores = np.concatenate([recording.scores for recording in scored])
    labels = np.concatenate([recording.labels for recording in scored])
    return chart(
        "Scores of the windows", "score", "share", [*_histogram(scores, labels), *_lines(manifest, "x")]
    )


def error_histograms(scored: Sequence[ScoredRecording], errors: Values) -> str:
    """Return how often each error occurs, by label; errors as from ``reconstruction_errors``."""
    labels = np.concatenate([recording.labels for recording in scored])
    top = float(np.quantile(errors, 0.99))
    return chart(
        "Reconstruction error, the rarest hundredth clipped",
        "error",
        "share",
        _histogram(np.minimum(errors, top), labels),
    )


def curves(scored: Sequence[ScoredRecording], manifest: Manifest) -> list[str]:
    """Return the ROC and the precision-recall curve, or nothing if a class is absent."""
    scores, truth = labelled_scores(scored)
    if not truth.any() or truth.all():
        return []
    false, true, _ = metrics.roc_curve(truth, scores)
    precision, recall, _ = metrics.precision_recall_curve(truth, scores)
    points = []
    for level, line in (("warning", manifest.thresholds.warning), ("alarm", manifest.thresholds.alarm)):
        found = scores >= line.score
        points.append(Mark(float(found[~truth].mean()), level, level, "x"))
    return [
        chart("ROC", "false-alarm rate", "recall", [Line(false, true, "normal"), *points]),
        chart("Precision and recall", "recall", "precision", [Line(recall[::-1], precision[::-1], "normal")]),
    ]


def spectra(scored: Sequence[ScoredRecording], manifest: Manifest) -> list[str]:
    """Return the mean amplitude spectrum of each axis, by label."""
    length, rate_hz = manifest.window.length, manifest.rate_hz
    x = np.arange(1, length // 2 + 1) * (rate_hz / length if rate_hz else 1.0)
    found = [
        (np.asarray(amplitude_spectrum(centred(windows)).mean(axis=0), np.float64), style, name)
        for label, style, name in _classes(np.concatenate([one.labels for one in scored]))
        if len(windows := _some_windows(scored, label, length))
    ]
    return [
        chart(
            f"Spectrum, {axis}",
            "frequency (Hz)" if rate_hz else "bin",
            f"amplitude ({manifest.unit})",
            [Line(x, amplitude[1:, index], style, name) for amplitude, style, name in found],
        )
        for index, axis in enumerate(manifest.axes[:MAX_AXES])
    ]


def typical_and_worst(scored: Sequence[ScoredRecording], length: int) -> list[tuple[str, FloatArray]]:
    """Return the window of the median normal score, or of any if none is normal, and that of the highest."""
    scores = np.concatenate([recording.scores for recording in scored])
    labels = np.concatenate([recording.labels for recording in scored])
    candidates = np.flatnonzero(labels == Label.NORMAL)
    if len(candidates) == 0:
        candidates = np.arange(len(scores))
    typical = int(candidates[np.argsort(scores[candidates])[len(candidates) // 2]])
    return [
        (f"{name} window, score {scores[chosen]:.2f}", _window(scored, chosen, length))
        for name, chosen in (("typical", typical), ("worst", int(np.argmax(scores))))
    ]


def waveforms(title: str, window: FloatArray, manifest: Manifest) -> list[str]:
    """Return one window, shape (length, n_axes), as it was measured, mean removed."""
    x = _time(len(window), manifest)
    signal = centred(window[np.newaxis])[0].astype(np.float64)
    unit = "time (ms)" if manifest.rate_hz else "sample"
    return [
        chart(f"{axis}, {title}", unit, manifest.unit, [Line(x, signal[:, index], "normal")])
        for index, axis in enumerate(manifest.axes[:MAX_AXES])
    ]


def overlays(title: str, window: FloatArray, manifest: Manifest, bundle: Bundle) -> list[str]:
    """Return what the network was given of one window, shape (length, n_axes), and what it made of it."""
    drawn = []
    for part in manifest.parts:
        if isinstance(part, ReconstructionPart):
            given, made = (_shown(part, values) for values in _reconstructed(part, bundle, window))
            x, unit = _feature_axis(part, manifest, len(given))
            drawn += [
                chart(
                    f"{axis}, {title}",
                    unit,
                    "feature",
                    [
                        Line(x, given[:, i], "normal", "given"),
                        Line(x, made[:, i], "anomaly", "reconstructed"),
                    ],
                )
                for i, axis in enumerate(manifest.axes[: min(MAX_AXES, given.shape[1])])
            ]
    return drawn


def reconstruction_errors(
    scored: Sequence[ScoredRecording], manifest: Manifest, bundle: Bundle
) -> Values | None:
    """Return the mean error over the axes of each window, shape (n_windows,); None without a network."""
    part = next((part for part in manifest.parts if isinstance(part, ReconstructionPart)), None)
    if part is None:
        return None
    models = {part.model: _model(part, bundle)}
    length = manifest.window.length
    errors: list[Values] = []
    for recording in scored:
        for chunk in np.array_split(recording.starts, max(len(recording.starts) // 256, 1)):
            windows = WindowNumbers(cut(recording.source.recording.samples, chunk, length))
            errors.append(part.raw_scores(windows, models).astype(np.float64).mean(axis=1))
    return np.concatenate(errors)


def _histogram(scores: Values, labels: LabelArray) -> list[Item]:
    edges = np.linspace(scores.min(), max(scores.max(), scores.min() + 1e-9), _BINS + 1)
    bars: list[Item] = []
    for label, style, name in _classes(labels):
        chosen = scores[labels == label]
        bars.append(Bars(edges, np.histogram(chosen, edges)[0] / len(chosen), style, name))
    return bars


def _classes(labels: LabelArray) -> list[tuple[Label, str, str]]:
    """Return the classes that occur with their style and name; what has no label only if none has one."""
    known = [found for found in _CLASSES if (labels == found[0]).any()]
    return known or [_UNKNOWN]


def _lines(manifest: Manifest, across: str) -> list[Item]:
    thresholds = manifest.thresholds
    return [
        Mark(thresholds.warning.score, "warning", "warning", across),
        Mark(thresholds.alarm.score, "alarm", "alarm", across),
    ]


def _runs(rows: LabelArray, label: Label) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.pad(rows == label, 1).astype(np.int8))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _some_windows(scored: Sequence[ScoredRecording], label: Label, length: int) -> FloatArray:
    found = [
        cut(one.source.recording.samples, starts[:: max(len(starts) // _SPECTRA, 1)], length)
        for one in scored
        if len(starts := one.starts[one.labels == label])
    ]
    return np.concatenate(found) if found else np.empty((0, length, 1), np.float32)


def _window(scored: Sequence[ScoredRecording], index: int, length: int) -> FloatArray:
    for recording in scored:
        if index < len(recording.starts):
            start = int(recording.starts[index])
            return recording.source.recording.samples[start : start + length]
        index -= len(recording.starts)
    raise IndexError(index)


def _model(part: ReconstructionPart, bundle: Bundle) -> TFLiteModel:
    with diverted_output():
        return TFLiteModel(bundle.models[part.model])


def _reconstructed(
    part: ReconstructionPart, bundle: Bundle, window: FloatArray
) -> tuple[FloatArray, FloatArray]:
    features = part.features.of(WindowNumbers(window[np.newaxis]))
    target, made = part.features.target(features), _model(part, bundle).reconstruct(features)
    rows = (-1, features.shape[2])
    return target[0].reshape(rows), made[0].reshape(rows)


def _shown(part: ReconstructionPart, values: FloatArray) -> Values:
    """Return what is drawn, shape (n, n_axes): of overlapping patches those that lie end to end."""
    wide = values.astype(np.float64)
    if isinstance(part.features, PatchFeatures):
        step = max(part.features.patch // part.features.stride, 1)
        patches = wide.reshape(-1, part.features.patch, wide.shape[1])[::step]
        return patches.reshape(-1, wide.shape[1])
    return wide


def _feature_axis(part: ReconstructionPart, manifest: Manifest, count: int) -> tuple[Values, str]:
    if isinstance(part.features, SpectrumFeatures):
        bins = part.features.edges(manifest.window.length)[:-1].astype(np.float64)
        step_hz = manifest.rate_hz / manifest.window.length if manifest.rate_hz else 1.0
        return bins * step_hz, "frequency (Hz)" if manifest.rate_hz else "bin"
    return _time(count, manifest), "time (ms)" if manifest.rate_hz else "sample"


def _time(count: int, manifest: Manifest) -> Values:
    return np.arange(count) * (1000.0 / manifest.rate_hz if manifest.rate_hz else 1.0)
