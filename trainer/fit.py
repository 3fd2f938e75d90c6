"""The way from recordings to a bundle, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agent.inference.detector import Detector
from agent.inference.features import Features, centred
from agent.inference.manifest import Manifest
from agent.inference.model import TFLiteModel
from agent.inference.parts import ReconstructionPart
from agent.inference.scoring import Level
from trainer.bundle import MODEL, check_writable, golden_windows, write_bundle
from trainer.calibration import Calibration, calibrate
from trainer.datasets import Dataset, Source, build_dataset
from trainer.errors import ConversionError
from trainer.evaluation import FalseAlarms, Fidelity, compare, count_false_alarms
from trainer.provenance import Provenance, tell
from trainer.quantization import QUANTIZATIONS, Quantization, convert
from trainer.scaling import LEVEL_WEIGHT, fit_features, fit_level
from trainer.settings import FitSettings
from trainer.signing import Signer
from trainer.thresholds import place
from trainer.training import EpochCallback, Trained, train

# int8 kernels round differently from processor to processor, float kernels add up in another order.
_GOLDEN_TOLERANCE = {"int8": 0.25, "float16": 0.05, "float32": 0.05}


@dataclass(frozen=True)
class Target:
    """What the bundle is called and where it goes."""

    path: Path
    name: str
    version: str


@dataclass(frozen=True)
class FitReport:
    """What came out."""

    target: Target
    manifest: Manifest
    provenance: Provenance
    size_bytes: int
    signed_by: str | None
    """Public key in hex; None for an unsigned bundle."""


@dataclass(frozen=True)
class _Graph:
    """The network as it ships."""

    content: bytes
    fidelity: Fidelity


def fit(
    sources: Sequence[Source],
    settings: FitSettings,
    target: Target,
    signer: Signer | None,
    on_epoch: EpochCallback,
) -> FitReport:
    """Learn from recordings of a healthy machine and write a bundle.

    Args:
        sources: The recordings.
        settings: The choices.
        target: What to write.
        signer: Signs the bundle; None for an unsigned one.
        on_epoch: Told of the training's progress.

    Raises:
        DataError: If the recordings cannot be learnt from.
        TrainingError: If the network does not learn.
        ConversionError: If the network cannot be quantized, or loses too much by it.
        OutputError: If the bundle cannot be written, or a gateway would refuse it.
        WindowError: If a sample or score is not finite.
    """
    check_writable(target.path)
    dataset = build_dataset(sources, settings.window_length, settings.hop)
    level = fit_level(dataset.train.windows, dataset.axes)
    features = fit_features(settings.features, dataset.train.windows, dataset.axes)
    trained = _train(dataset, features, settings, on_epoch)
    reconstruction = _reconstruction(features, settings)
    graph = _graph(dataset, reconstruction, trained)
    calibration = calibrate(
        (level, reconstruction),
        {MODEL: TFLiteModel(graph.content)},
        dataset.validation.windows,
        dataset.validation.independent,
    )
    manifest = _manifest(dataset, settings, target, calibration, graph)
    detector = Detector(manifest, {MODEL: graph.content})
    provenance = tell(dataset, settings, trained, graph.fidelity, _false_alarms(detector, dataset))
    golden = golden_windows(detector, dataset.test.windows, settings.training.seed)
    manifest = replace(manifest, provenance=provenance.document())
    written = write_bundle(target.path, manifest, graph.content, golden, signer)
    return FitReport(
        target,
        written,
        provenance,
        target.path.stat().st_size,
        signer.public_key if signer else None,
    )


def _train(dataset: Dataset, features: Features, settings: FitSettings, on_epoch: EpochCallback) -> Trained:
    learnt, checked = (features.of(centred(part.windows)) for part in (dataset.train, dataset.validation))
    return train(learnt, checked, settings.network, settings.training, on_epoch)


def _reconstruction(features: Features, settings: FitSettings) -> ReconstructionPart:
    return ReconstructionPart(
        "reconstruction",
        "reconstruction",
        1.0 - LEVEL_WEIGHT,
        features,
        MODEL,
        settings.network.architecture,
        settings.quantization,
        settings.metric,
    )


def _graph(dataset: Dataset, part: ReconstructionPart, trained: Trained) -> _Graph:
    """Convert the network, and refuse if its scores are no longer those of the float network."""
    representatives = part.features.of(centred(dataset.train.windows))
    unseen = np.concatenate((dataset.validation.windows, dataset.test.windows))
    exact = convert(trained.model, "float32", representatives)

    def converted(quantization: Quantization) -> _Graph:
        float32 = quantization == "float32"
        content = exact if float32 else convert(trained.model, quantization, representatives)
        return _Graph(content, compare(part, content, exact, unseen))

    graph = converted(part.quantization)
    if graph.fidelity.faithful:
        return graph
    passing = [name for name in QUANTIZATIONS if converted(name).fidelity.faithful]
    raise ConversionError(
        f"{part.quantization} loses too much: its scores correlate with those of float32 by "
        f"{graph.fidelity.correlation:.2f} only; choose --quantize {' or '.join(passing)}"
    )


def _manifest(
    dataset: Dataset, settings: FitSettings, target: Target, calibration: Calibration, graph: _Graph
) -> Manifest:
    return Manifest(
        schema=1,
        name=target.name,
        version=target.version,
        axes=dataset.axes,
        unit="g",
        window=dataset.window,
        parts=calibration.parts,
        combination=calibration.combination,
        thresholds=place(settings.warning, settings.alarm, calibration.scores),
        runtime=TFLiteModel(graph.content).runtime,
        golden_tolerance=_GOLDEN_TOLERANCE[settings.quantization],
        members={},
        provenance={},
        rate_hz=dataset.rate_hz,
    )


def _false_alarms(detector: Detector, dataset: Dataset) -> tuple[FalseAlarms, ...]:
    levels = [verdict.level for verdict in detector.judge(dataset.test.windows)]
    return tuple(
        count_false_alarms(levels, level, dataset.test.independent) for level in (Level.WARNING, Level.ALARM)
    )
