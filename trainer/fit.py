"""The way from recordings of a healthy machine to a bundle, step by step.

    recordings -> windows in folds -> networks -> parts -> out-of-fold scores -> tails -> lines -> bundle

All statistics and the network are fitted once without each fold, whose scores then calibrate the tails, and
once on everything; that one ships. No healthy window is spent on validation, and none is judged by what it
taught.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Literal

from agent.inference.arrays import FloatArray
from agent.inference.detector import Detector
from agent.inference.error_distance import ErrorView
from agent.inference.features import Features
from agent.inference.manifest import Manifest
from agent.inference.model import TFLiteModel
from agent.inference.part import Models
from agent.inference.reconstruction import ReconstructionPart
from agent.inference.window_numbers import WindowNumbers
from trainer.bundle import MODEL, check_writable, golden_windows, write_bundle
from trainer.calibration import AnyPart, Calibration, calibrate_scores, error_line
from trainer.checkpoint import Checkpoint
from trainer.choosing import SpectrumChoices, choose_spectrum
from trainer.converter import shared_converter
from trainer.crossfit import false_alarms, left_out_sessions, out_of_fold
from trainer.datasets import Source
from trainer.error_covariance import fit_error_distance
from trainer.errors import ChoiceError
from trainer.evaluation import Fidelity
from trainer.export import check_folder, export
from trainer.models import check_network, with_layers
from trainer.modes import ModeFigures, choose_mode, compare_modes
from trainer.networks import Networks, Task, train_networks
from trainer.parts import fit_parts, weight
from trainer.process import fit_process
from trainer.provenance import Provenance, TrainingRecord, WindowCounts, tell
from trainer.quantization import Quantization, time_per_window_us
from trainer.quiet import diverted_output
from trainer.scaling import fit_features
from trainer.settings import PATCHES, FitSettings, Metric
from trainer.signing import Signer
from trainer.subject import Subject, take
from trainer.thresholds import ErrorLine, place

OnProgress = Callable[[str, float], None]
"""Told what is being done, and the share of it that is done."""

_METRICS: Mapping[Metric, Literal["mse", "mae", "mahalanobis"]] = {
    "mse": "mse",
    "mae": "mae",
    "mahalanobis-row": "mahalanobis",
    "mahalanobis-axis": "mahalanobis",
}

# int8 kernels round differently from processor to processor, float kernels add up in another order.
_GOLDEN_TOLERANCE = {"int8": 0.25, "dynamic": 0.25, "float16": 0.05, "float32": 0.05}


_UNTRAINED = TrainingRecord(0, 0, 0, None, None)


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
    network_us: float | None
    """Microseconds that the network takes per window here, in the gateway's runtime; None without one."""
    modes: tuple[ModeFigures, ...] = ()
    """What each quantization would be like; none for an imported network, or without one."""
    exported: tuple[Path, ...] = ()
    """Files with the network by itself."""


@dataclass(frozen=True)
class Graph:
    """A network as a gateway runs it."""

    features: Features
    content: bytes


@dataclass(frozen=True)
class Graphs:
    """All networks of one bundle, converted."""

    folds: Sequence[Graph]
    sessions: Sequence[Graph]
    final: Graph
    fidelity: Fidelity | None
    """Of the final one against its float32 twin; None if there is none."""
    record: TrainingRecord
    modes: tuple[ModeFigures, ...] = ()
    """The final one in every quantization; none if it came as it is."""


def fit(
    sources: Sequence[Source],
    settings: FitSettings,
    target: Target,
    signer: Signer | None,
    on_progress: OnProgress,
    checkpoint: Checkpoint | None = None,
    export_to: Path | None = None,
) -> FitReport:
    """Learn from recordings of a healthy machine and write a bundle.

    Args:
        sources: The recordings.
        settings: The choices.
        target: What to write.
        signer: Signs the bundle; None for an unsigned one.
        on_progress: Told of the progress.
        checkpoint: Keeps what is learnt on the way; None to keep nothing.
        export_to: Folder for the network as files of its own; None for none.

    Raises:
        DataError: If the recordings cannot be learnt from.
        ChoiceError: If the settings do not go together.
        TrainingError: If the network does not learn.
        ConversionError: If the network cannot be quantized, or loses too much by it.
        OutputError: If the bundle cannot be written, or a gateway would refuse it.
        WindowError: If a sample or score is not finite.
    """
    check_writable(target.path)
    if export_to is not None:
        check_folder(export_to)
    shared_converter().start()
    subject = take(sources, settings)
    if subject.process:
        if export_to is not None:
            raise ChoiceError("slow process values are watched without a network, so there is none to export")
        return bundle_up(subject, None, settings, target, signer)
    settings, choices = decided(subject, laid_out(subject, settings), on_progress)
    networks = learn(subject, settings, on_progress, checkpoint)
    settings, graphs = converted(subject, networks, settings, on_progress)
    report = bundle_up(subject, graphs, settings, target, signer, choices)
    if export_to is None:
        return report
    final = networks.final
    name = f"{target.name}-{target.version}"
    return replace(report, exported=tuple(export(final.build(), name, final.representatives, export_to)))


def laid_out(subject: Subject, settings: FitSettings) -> FitSettings:
    """Return the settings with the network's layers, if none were asked for.

    Raises:
        ChoiceError: If the network could not be trained, converted or run.
    """
    if settings.network.architecture == PATCHES:
        return settings
    features = fit_features(settings.features, subject.folded.windows, subject.axes, settings.bands)
    shape = features.shape(subject.window.length)
    network = with_layers(settings.network, shape)
    check_network(network, shape, settings.features, settings.quantization)
    return replace(settings, network=network)


def decided(
    subject: Subject, settings: FitSettings, on_progress: OnProgress
) -> tuple[FitSettings, SpectrumChoices | None]:
    """Return the settings with what the healthy windows decide, and what was tried for that."""
    if "spectrum" not in settings.parts or (settings.spectrum_scale and settings.spectrum_bands):
        return settings, None
    on_progress("choosing the spectrum", 0.0)
    choices = choose_spectrum(
        subject.folded, settings.spectrum_scale, settings.spectrum_bands, settings.training.seed
    )
    chosen = choices.chosen
    return replace(settings, spectrum_scale=chosen.scale, spectrum_bands=chosen.bands), choices


def learn(
    subject: Subject, settings: FitSettings, on_progress: OnProgress, checkpoint: Checkpoint | None = None
) -> Networks:
    """Train all networks of a bundle.

    Args:
        subject: What is learnt about.
        settings: The choices, ``laid_out``.
        on_progress: Told of the progress.
        checkpoint: Keeps what is learnt on the way; None to keep nothing.

    Raises:
        TrainingError: If a network does not learn.
    """
    recordings = [source.recording for source in subject.sources]
    task = Task(recordings, subject.window, subject.folded, subject.axes, subject.groups)
    return train_networks(
        task, settings, lambda share, loss: on_progress(f"training, loss {loss:.3g}", share), checkpoint
    )


def converted(
    subject: Subject, networks: Networks, settings: FitSettings, on_progress: OnProgress
) -> tuple[FitSettings, Graphs]:
    """Convert the networks; return the settings with the quantization that was chosen, too.

    Args:
        subject: What was learnt about.
        networks: The networks.
        settings: The choices.
        on_progress: Told of the progress.

    Raises:
        ConversionError: If the network cannot be quantized, or loses too much by it.
    """
    final_graph = cache(networks.final.graph)
    modes = _compared(networks.final.features, final_graph, subject.folded.windows, settings)
    on_progress("converting", 1 / 2)
    # A machine that the network reproduces almost perfectly leaves errors below the steps of int8.
    other: Quantization | None = "float16" if settings.may_leave_quantization else None
    chosen = choose_mode(modes, settings.quantization, other)
    settings = replace(settings, quantization=chosen.mode)
    left_out = (*networks.folds, *networks.sessions)
    graphs = []
    for number, network in enumerate(left_out, start=1):
        graphs.append(Graph(network.features, network.graph(chosen.mode)))
        on_progress("converting", (1 + number / len(left_out)) / 2)
    folds, final = len(networks.folds), Graph(networks.final.features, final_graph(chosen.mode))
    return settings, Graphs(graphs[:folds], graphs[folds:], final, chosen.fidelity, networks.record, modes)


def bundle_up(
    subject: Subject,
    graphs: Graphs | None,
    settings: FitSettings,
    target: Target,
    signer: Signer | None,
    choices: SpectrumChoices | None = None,
) -> FitReport:
    """Fit the other parts, calibrate all of them across the folds, and write the bundle.

    Args:
        subject: What is learnt about.
        graphs: The networks; None for process values.
        settings: The choices.
        target: What to write.
        signer: Signs the bundle; None for an unsigned one.
        choices: What the healthy windows decided, for the record.

    Raises:
        DataError: If no line can be placed.
        ModelError: If a graph does not fit its features.
        OutputError: If the bundle cannot be written, or a gateway would refuse it.
        WindowError: If a sample or score is not finite.
    """
    folded, axes = subject.folded, subject.axes

    def parts(windows: FloatArray, graph: Graph | None) -> tuple[AnyPart, ...]:
        if graph is None:
            return fit_process(windows, axes, folded.independence, folded.stretches(windows))
        part = _judging(network_part(graph.features, settings), graph, windows, settings)
        return fit_parts(settings, windows, axes, part, folded.independence)

    def fitted(
        graph_of: Sequence[Graph | None],
    ) -> Callable[[FloatArray, int], tuple[tuple[AnyPart, ...], Models]]:
        return lambda windows, left_out: (parts(windows, graph_of[left_out]), _loaded(graph_of[left_out]))

    folds, sessions, final = _every(graphs, subject)
    scores = out_of_fold(folded, fitted(folds))
    calibration = calibrate_scores(parts(folded.windows, final), scores, folded.independent)
    # The network's part is the last.
    errors = partial(error_line, calibration, scores[-1]) if graphs else None
    manifest = _manifest(target, settings, calibration, subject, errors, _loaded(final))
    names = [source.name for source in subject.sources]
    provenance = tell(
        subject.sources,
        settings,
        WindowCounts(len(folded.windows), folded.count, int(folded.independent)),
        graphs.record if graphs else _UNTRAINED,
        graphs.fidelity if graphs else None,
        false_alarms(manifest.thresholds, calibration.scores, folded.independent),
        left_out_sessions(folded, scores, subject.groups, fitted(sessions), manifest.thresholds, names),
        choices,
        tuple(mode.kept() for mode in graphs.modes) if graphs else (),
    )
    manifest = replace(manifest, provenance=provenance.document())
    contents = {MODEL: final.content} if final else {}
    with diverted_output():
        detector = Detector(manifest, contents)
    golden = golden_windows(detector, folded.windows, settings.training.seed)
    written = write_bundle(target.path, manifest, contents, golden, signer)
    signed_by = signer.public_key if signer else None
    size_bytes, network_us = target.path.stat().st_size, _time_us(final, folded.windows)
    modes = graphs.modes if graphs else ()
    return FitReport(target, written, provenance, size_bytes, signed_by, network_us, modes)


def _every(
    graphs: Graphs | None, subject: Subject
) -> tuple[Sequence[Graph | None], Sequence[Graph | None], Graph | None]:
    """Return the networks without each fold, without each group of recordings, and the one that ships."""
    if graphs is None:
        return [None] * subject.folded.count, [None] * len(subject.groups), None
    return graphs.folds, graphs.sessions, graphs.final


def _time_us(graph: Graph | None, windows: FloatArray) -> float | None:
    if graph is None:
        return None
    return time_per_window_us(_loaded(graph)[MODEL], graph.features.of(WindowNumbers(windows[:50])))


def network_part(features: Features, settings: FitSettings) -> ReconstructionPart:
    """Return the network's part, without tails."""
    patches = settings.network.architecture == PATCHES
    return ReconstructionPart(
        "reconstruction",
        "waveform" if patches else "reconstruction",
        weight("network", settings.parts),
        features,
        MODEL,
        settings.network.architecture,
        settings.quantization,
        "mse" if patches else _METRICS[settings.metric],
    )


def _compared(
    features: Features, graph: Callable[[Quantization], bytes], windows: FloatArray, settings: FitSettings
) -> tuple[ModeFigures, ...]:
    """Return the figures of all quantizations, or of the wanted one alone if that is enough."""
    part = network_part(features, settings)
    if part.metric == "mahalanobis":  # what it must know of healthy errors comes later
        part = replace(part, metric="mae")
    wanted = settings.quantization
    if not settings.compare_modes:
        figures = compare_modes(part, graph, windows, settings.training.seed, (wanted,))
        if figures[0].fidelity is not None and figures[0].fidelity.faithful:
            return figures
    return compare_modes(part, graph, windows, settings.training.seed)


def _judging(
    part: ReconstructionPart, graph: Graph, windows: FloatArray, settings: FitSettings
) -> ReconstructionPart:
    """Return the part with what its metric must know of healthy errors."""
    if part.metric != "mahalanobis":
        return part
    view: ErrorView = "row" if settings.metric == "mahalanobis-row" else "axis"
    distance = fit_error_distance(part, _loaded(graph)[MODEL], windows, view, settings.eps)
    return replace(part, distance=distance)


def _loaded(graph: Graph | None) -> dict[str, TFLiteModel]:
    if graph is None:
        return {}
    with diverted_output():  # the runtime announces its delegate
        return {MODEL: TFLiteModel(graph.content)}


def _manifest(
    target: Target,
    settings: FitSettings,
    calibration: Calibration,
    subject: Subject,
    errors: ErrorLine | None,
    models: Models,
) -> Manifest:
    """Return the manifest of a calibrated detector, without hashes and provenance."""
    return Manifest(
        schema=1,
        name=target.name,
        version=target.version,
        axes=subject.axes,
        unit="as recorded" if subject.process else "g",
        window=subject.window,
        parts=calibration.parts,
        combination=calibration.combination,
        thresholds=place(settings.warning, settings.alarm, calibration.scores, errors),
        runtime=models[MODEL].runtime if models else "none needed",
        golden_tolerance=_GOLDEN_TOLERANCE[settings.quantization],
        members={},
        provenance={},
        rate_hz=subject.rate_hz,
        wander=calibration.wander,
    )
