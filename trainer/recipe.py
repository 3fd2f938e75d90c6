"""The default detector: level, time features, spectrum and waveform, cross-fitted on all healthy windows.

    window -> mean removed -> four parts -> four p-values -> one p-value

All statistics and the network are fitted once without each fold, whose scores then calibrate the tails, and
once on everything; that one ships. No healthy window is spent on validation, and none is judged by what it
taught.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from agent.inference.detector import Detector, raw_scores
from agent.inference.distance import DistancePart
from agent.inference.features import PatchFeatures, centred, mean_square
from agent.inference.manifest import Manifest
from agent.inference.model import TFLiteModel
from agent.inference.parts import LevelPart, ReconstructionPart
from agent.inference.scoring import Level
from trainer.bundle import MODEL, check_writable, golden_windows, write_bundle
from trainer.calibration import Calibration, calibrate_scores
from trainer.datasets import Source, check_sources, choose_window, common_rate
from trainer.distances import fit_bands, fit_time
from trainer.evaluation import FalseAlarms, Fidelity, compare, count_false_alarms, refuse_unfaithful
from trainer.fit import FitReport, Target, build_manifest
from trainer.folds import FOLDS, FoldedWindows, fold_windows
from trainer.models import patches
from trainer.provenance import TrainingRecord, WindowCounts, tell
from trainer.quantization import QUANTIZATIONS, Quantization, convert
from trainer.quiet import load_tensorflow
from trainer.scaling import fit_level, short
from trainer.settings import RECIPE, FitSettings
from trainer.signing import Signer
from trainer.training import EpochCallback

FloatArray = npt.NDArray[np.float32]
Parts = tuple[LevelPart, DistancePart, DistancePart, ReconstructionPart]

# Level and time features are one family: together they weigh as much as the spectrum or the waveform.
_LEVEL, _TIME, _SPECTRUM, _WAVEFORM = 1 / 6, 1 / 6, 2 / 6, 2 / 6


@dataclass(frozen=True)
class _Weights:
    """The waveform network fitted to some of the windows, in Keras' numbers."""

    features: PatchFeatures
    weights: list[FloatArray]
    windows: FloatArray
    """What it was fitted to, centred."""

    def graph(self, quantization: Quantization) -> bytes:
        """Return the TFLite graph that runs over a whole window."""
        model = patches.convolutional(self.weights, self.features, self.windows.shape[1])
        return convert(model, quantization, self.features.of(self.windows))


@dataclass(frozen=True)
class _Network:
    """The waveform network as a gateway runs it."""

    features: PatchFeatures
    graph: bytes


@dataclass(frozen=True)
class _Chosen:
    """How the network is quantized, and what that costs."""

    quantization: Quantization
    fidelity: Fidelity


def fit_recipe(
    sources: Sequence[Source],
    settings: FitSettings,
    target: Target,
    signer: Signer | None,
    on_epoch: EpochCallback,
) -> FitReport:
    """Learn from recordings of a healthy machine by the default recipe, and write a bundle.

    Of the settings window, quantization, thresholds and seed count; the recipe fixes the rest.

    Args:
        sources: The recordings.
        settings: The choices.
        target: What to write.
        signer: Signs the bundle; None for an unsigned one.
        on_epoch: Told of the training's progress, ``patches.REPORTS`` times.

    Raises:
        DataError: If the recordings cannot be learnt from.
        ConversionError: If the network cannot be quantized, or loses too much by it.
        OutputError: If the bundle cannot be written, or a gateway would refuse it.
        WindowError: If a sample or score is not finite.
    """
    check_writable(target.path)
    axes = check_sources(sources)
    window = choose_window(common_rate(sources), settings.window_length, settings.hop)
    folded = fold_windows([source.recording for source in sources], window)
    x = centred(folded.windows)
    learnt_from = [folded.fold != fold for fold in range(FOLDS)] + [np.ones(len(x), bool)]
    trained, loss = _train([x[mask] for mask in learnt_from], settings, on_epoch)
    chosen = _choose_quantization(trained[-1], settings)
    settings = replace(settings, quantization=chosen.quantization)
    networks = [_Network(part.features, part.graph(chosen.quantization)) for part in trained]
    network = networks[-1]
    parts = _parts(folded.windows, axes, network, settings)
    scores = _out_of_fold(folded, axes, networks, settings)
    calibration = calibrate_scores(parts, scores, folded.independent)
    manifest = build_manifest(
        target, settings, calibration, axes, window, common_rate(sources), TFLiteModel(network.graph).runtime
    )
    n_windows, parameters = len(x), sum(weight.size for weight in trained[-1].weights)
    provenance = tell(
        sources,
        settings,
        WindowCounts(n_windows, n_windows, 0, FOLDS),
        TrainingRecord(parameters, settings.steps, settings.steps, loss, loss),
        chosen.fidelity,
        _false_alarms(manifest, calibration, folded.independent),
    )
    manifest = replace(manifest, provenance=provenance.document())
    detector = Detector(manifest, {MODEL: network.graph})
    golden = golden_windows(detector, folded.windows, settings.training.seed)
    written = write_bundle(target.path, manifest, network.graph, golden, signer)
    size_bytes = target.path.stat().st_size
    return FitReport(target, written, provenance, size_bytes, signer.public_key if signer else None)


def _train(
    sets: Sequence[FloatArray], settings: FitSettings, on_epoch: EpochCallback
) -> tuple[list[_Weights], float]:
    """Train a network on each set of centred windows, all in the same steps; return them and the loss."""
    load_tensorflow()
    length = sets[0].shape[1]
    scales = (np.sqrt(mean_square(x).mean(axis=0, dtype=np.float64)) for x in sets)
    features = [patches.patch_features(short(scale), length) for scale in scales]
    chosen = [patches.choose_patches(f.of(x), f.patch) for f, x in zip(features, sets, strict=True)]
    weights, loss = patches.train_folds(chosen, features[0], settings.steps, settings.training.seed, on_epoch)
    return [_Weights(*parts) for parts in zip(features, weights, sets, strict=True)], loss


def _choose_quantization(network: _Weights, settings: FitSettings) -> _Chosen:
    """Return the quantization asked for, or float16 if that one loses too much and may be left.

    A machine that the network reproduces almost perfectly leaves errors below the steps of int8.
    """
    exact = network.graph("float32")

    def compared(name: Quantization) -> _Chosen:
        part = _waveform(network.features, name)
        return _Chosen(name, compare(part, network.graph(name), exact, network.windows))

    chosen = compared(settings.quantization)
    if not chosen.fidelity.faithful and settings.may_leave_quantization:
        chosen = compared("float16")
    if not chosen.fidelity.faithful:
        others = {str(name): compared(name).fidelity for name in QUANTIZATIONS}
        refuse_unfaithful(chosen.quantization, chosen.fidelity, others)
    return chosen


def _parts(windows: FloatArray, axes: Sequence[str], network: _Network, settings: FitSettings) -> Parts:
    """Fit the four parts to windows; the network is fitted already."""
    x = centred(windows)
    return (
        replace(fit_level(windows, axes), weight=_LEVEL),
        fit_time(x, _TIME),
        fit_bands(x, _SPECTRUM),
        _waveform(network.features, settings.quantization),
    )


def _waveform(features: PatchFeatures, quantization: Quantization) -> ReconstructionPart:
    return ReconstructionPart(
        "reconstruction", "waveform", _WAVEFORM, features, MODEL, RECIPE, quantization, "mse"
    )


def _out_of_fold(
    folded: FoldedWindows, axes: Sequence[str], networks: Sequence[_Network], settings: FitSettings
) -> list[FloatArray]:
    """Return each part's raw scores, (n_windows, n_columns), every window judged by the other folds."""
    scores: list[FloatArray] = []
    for fold, network in enumerate(networks[:FOLDS]):
        inside = folded.fold == fold
        parts = _parts(folded.windows[~inside], axes, network, settings)
        models = {MODEL: TFLiteModel(network.graph)}
        for index, raw in enumerate(raw_scores(parts, models, folded.windows[inside])):
            if fold == 0:
                scores.append(np.empty((len(inside), raw.shape[1]), np.float32))
            scores[index][inside] = raw
    return scores


def _false_alarms(
    manifest: Manifest, calibration: Calibration, independent: float
) -> tuple[FalseAlarms, ...]:
    levels = [manifest.thresholds.level(score) for score in calibration.scores.tolist()]
    return tuple(count_false_alarms(levels, level, independent) for level in (Level.WARNING, Level.ALARM))
