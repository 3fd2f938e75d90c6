"""The way from recordings of a healthy machine to a bundle, step by step.

    recordings -> windows in folds -> networks -> parts -> out-of-fold scores -> tails -> lines -> bundle

All statistics and the network are fitted once without each fold, whose scores then calibrate the tails, and
once on everything; that one ships. No healthy window is spent on validation, and none is judged by what it
taught.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from agent.inference.arrays import FloatArray
from agent.inference.features import Features
from trainer.bundles.learners import Learned, NetworkLearner, learned_without_network, network_part
from trainer.bundles.making import FitReport, bundle_up
from trainer.bundles.signing import Signer
from trainer.bundles.writing import Target, check_writable
from trainer.conversion.converter import shared_converter
from trainer.conversion.export import check_folder, export
from trainer.conversion.quantization import convert_network
from trainer.errors import ChoiceError
from trainer.evaluation.modes import ModeFigures, choose_mode, compare_modes
from trainer.networks.checkpoint import Checkpoint
from trainer.networks.crossfit import Networks, Task, train_networks
from trainer.networks.features import fit_features
from trainer.networks.models import check_network, with_layers
from trainer.parts.choosing import SpectrumChoices, choose_spectrum
from trainer.progress import OnProgress
from trainer.recordings.datasets import Source
from trainer.recordings.subject import Subject, take
from trainer.settings import PATCHES, FitSettings, Quantization


def fit(
    sources: Sequence[Source],
    settings: FitSettings,
    target: Target,
    signer: Signer | None,
    on_progress: OnProgress,
    *,
    checkpoint: Checkpoint | None = None,
    export_to: Path | None = None,
) -> FitReport:
    """Learn from recordings of a healthy machine and write a bundle.

    Args:
        sources: The recordings.
        settings: The choices.
        target: What to write.
        signer: Signs the bundle; None for an unsigned one.
        on_progress: Called with what is being done, and the share of it that is done.
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
        return bundle_up(subject, learned_without_network(subject), settings, target, signer)
    settings, choices = decided(subject, laid_out(subject, settings), on_progress)
    networks = learn(subject, settings, on_progress, checkpoint)
    settings, learned = converted(subject, networks, settings, on_progress)
    report = bundle_up(subject, learned, settings, target, signer, choices)
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
        on_progress: Called with what is being done, and the share of it that is done.
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
) -> tuple[FitSettings, Learned]:
    """Convert the networks; return the settings with the quantization that was chosen, and the learners.

    Args:
        subject: What was learnt about.
        networks: The networks.
        settings: The choices.
        on_progress: Called with what is being done, and the share of it that is done.

    Raises:
        ConversionError: If the network cannot be quantized, or loses too much by it.
    """
    final_graph = cache(partial(convert_network, networks.final))
    modes = _compared(networks.final.features, final_graph, subject.folded.windows, settings)
    on_progress("converting", 1 / 2)
    # A machine that the network reproduces almost perfectly leaves errors below the steps of int8.
    other: Quantization | None = "float16" if settings.may_leave_quantization else None
    chosen = choose_mode(modes, settings.quantization, other)
    settings = replace(settings, quantization=chosen.mode)
    learners = []
    left_out = (*networks.folds, *networks.sessions)
    for number, network in enumerate(left_out, start=1):
        graph = convert_network(network, chosen.mode)
        learners.append(NetworkLearner(network.features, graph, subject, settings))
        on_progress("converting", (1 + number / len(left_out)) / 2)
    folds = len(networks.folds)
    final = NetworkLearner(networks.final.features, final_graph(chosen.mode), subject, settings)
    return settings, Learned(
        folds=learners[:folds],
        sessions=learners[folds:],
        final=final,
        record=networks.record,
        fidelity=chosen.fidelity,
        modes=modes,
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
