"""The way from recordings to a bundle, step by step."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agent.inference.detector import Detector
from agent.inference.features import Features, centred
from agent.inference.manifest import Manifest
from agent.inference.model import TFLiteModel
from agent.inference.parts import LevelPart, ReconstructionPart
from agent.inference.scoring import Level
from agent.inference.window import WindowSpec
from trainer.bundle import MODEL, check_writable, golden_windows, write_bundle
from trainer.calibration import Calibration, calibrate
from trainer.datasets import Dataset, Source, build_dataset
from trainer.errors import ConversionError
from trainer.evaluation import FalseAlarms, Fidelity, compare, count_false_alarms, refuse_unfaithful
from trainer.models import check_network
from trainer.provenance import Provenance, TrainingRecord, WindowCounts, tell
from trainer.quantization import QUANTIZATIONS, Quantization, convert, time_per_window_us
from trainer.scaling import LEVEL_WEIGHT, fit_features, fit_level
from trainer.settings import FitSettings
from trainer.signing import Signer
from trainer.thresholds import place
from trainer.training import EpochCallback, Trained, train

# int8 kernels round differently from processor to processor, float kernels add up in another order.
_GOLDEN_TOLERANCE = {"int8": 0.25, "dynamic": 0.25, "float16": 0.05, "float32": 0.05}


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
    network_us: float | None = None
    """Microseconds that the network takes per window on this machine, in the gateway's runtime."""


@dataclass(frozen=True)
class Graph:
    """The network as it ships."""

    content: bytes
    fidelity: Fidelity | None
    """Against its float32 twin; None if there is none."""
    training: TrainingRecord


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
        ChoiceError: If the settings do not go together.
        TrainingError: If the network does not learn.
        ConversionError: If the network cannot be quantized, or loses too much by it.
        OutputError: If the bundle cannot be written, or a gateway would refuse it.
        WindowError: If a sample or score is not finite.
    """
    check_writable(target.path)
    dataset = build_dataset(sources, settings.window_length, settings.hop)
    level = fit_level(dataset.train.windows, dataset.axes)
    features = fit_features(settings.features, dataset.train.windows, dataset.axes, settings.bands)
    shape = features.shape(dataset.window.length)
    check_network(settings.network, shape, settings.features, settings.quantization)
    trained = _train(dataset, features, settings, on_epoch)
    reconstruction = reconstruction_part(features, settings)
    graph = _graph(dataset, reconstruction, trained)
    return bundle_up(dataset, (level, reconstruction), graph, settings, target, signer)


def bundle_up(
    dataset: Dataset,
    parts: tuple[LevelPart, ReconstructionPart],
    graph: Graph,
    settings: FitSettings,
    target: Target,
    signer: Signer | None,
) -> FitReport:
    """Calibrate a network on the validation windows, count its false alarms on the test windows and write it.

    Args:
        dataset: The windows.
        parts: Without tails.
        graph: The network.
        settings: The choices.
        target: What to write.
        signer: Signs the bundle; None for an unsigned one.

    Raises:
        DataError: If no threshold can be placed.
        ModelError: If the graph does not fit its features.
        OutputError: If the bundle cannot be written, or a gateway would refuse it.
        WindowError: If a sample or score is not finite.
    """
    model = TFLiteModel(graph.content)
    calibration = calibrate(parts, {MODEL: model}, dataset.validation.windows, dataset.validation.independent)
    manifest = build_manifest(
        target, settings, calibration, dataset.axes, dataset.window, dataset.rate_hz, model.runtime
    )
    detector = Detector(manifest, {MODEL: graph.content})
    counts = (len(part.windows) for part in (dataset.train, dataset.validation, dataset.test))
    provenance = tell(
        dataset.sources,
        settings,
        WindowCounts(*counts),
        graph.training,
        graph.fidelity,
        _false_alarms(detector, dataset),
    )
    golden = golden_windows(detector, dataset.test.windows, settings.training.seed)
    manifest = replace(manifest, provenance=provenance.document())
    written = write_bundle(target.path, manifest, graph.content, golden, signer)
    signed_by = signer.public_key if signer else None
    network_us = time_per_window_us(model, parts[1].features.of(centred(dataset.test.windows)))
    return FitReport(target, written, provenance, target.path.stat().st_size, signed_by, network_us)


def _train(dataset: Dataset, features: Features, settings: FitSettings, on_epoch: EpochCallback) -> Trained:
    learnt, checked = (features.of(centred(part.windows)) for part in (dataset.train, dataset.validation))
    return train(learnt, checked, settings.network, settings.training, on_epoch)


def reconstruction_part(features: Features, settings: FitSettings) -> ReconstructionPart:
    """Return the network's part, without tails."""
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


def _graph(dataset: Dataset, part: ReconstructionPart, trained: Trained) -> Graph:
    """Convert the network, and refuse if its scores are no longer those of the float network."""
    representatives = part.features.of(centred(dataset.train.windows))
    unseen = np.concatenate((dataset.validation.windows, dataset.test.windows))
    exact = convert(trained.model, "float32", representatives)

    def converted(quantization: Quantization) -> tuple[bytes, Fidelity]:
        float32 = quantization == "float32"
        content = exact if float32 else convert(trained.model, quantization, representatives)
        return content, compare(part, content, exact, unseen)

    content, fidelity = converted(part.quantization)
    if not fidelity.faithful:
        others: dict[str, Fidelity] = {}
        for name in QUANTIZATIONS:
            with contextlib.suppress(ConversionError):
                others[name] = converted(name)[1]
        refuse_unfaithful(part.quantization, fidelity, others)
    record = TrainingRecord(
        trained.parameters, trained.epochs, trained.best_epoch, trained.loss, trained.validation_loss
    )
    return Graph(content, fidelity, record)


def build_manifest(
    target: Target,
    settings: FitSettings,
    calibration: Calibration,
    axes: tuple[str, ...],
    window: WindowSpec,
    rate_hz: float | None,
    runtime: str,
) -> Manifest:
    """Return the manifest of a calibrated detector, without hashes and provenance."""
    return Manifest(
        schema=1,
        name=target.name,
        version=target.version,
        axes=axes,
        unit="g",
        window=window,
        parts=calibration.parts,
        combination=calibration.combination,
        thresholds=place(settings.warning, settings.alarm, calibration.scores),
        runtime=runtime,
        golden_tolerance=_GOLDEN_TOLERANCE[settings.quantization],
        members={},
        provenance={},
        rate_hz=rate_hz,
    )


def _false_alarms(detector: Detector, dataset: Dataset) -> tuple[FalseAlarms, ...]:
    levels = [verdict.level for verdict in detector.judge(dataset.test.windows)]
    return tuple(
        count_false_alarms(levels, level, dataset.test.independent) for level in (Level.WARNING, Level.ALARM)
    )
