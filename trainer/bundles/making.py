"""From learners to a bundle: parts are fitted, calibrated across the folds, and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agent.inference.arrays import FloatArray
from agent.inference.detector import Detector
from agent.inference.manifest import AnyPart, Manifest
from agent.inference.part import Models
from trainer.bundles.learners import Learned, Learner
from trainer.bundles.provenance import Provenance, WindowCounts, git_revision, library_versions, source_record
from trainer.bundles.signing import Signer
from trainer.bundles.writing import MODEL, Target, golden_windows, write_bundle
from trainer.calibration.crossfit import Fit, SessionFalseAlarms, false_alarms, left_out_sessions, out_of_fold
from trainer.calibration.tails import Calibration, calibrate_scores
from trainer.calibration.thresholds import place
from trainer.evaluation.false_alarms import FalseAlarms
from trainer.evaluation.modes import ModeFigures
from trainer.parts.choosing import SpectrumChoices
from trainer.recordings.subject import Subject
from trainer.settings import ErrorLine, FitSettings
from trainer.system.quiet import diverted_output

# int8 kernels round differently from processor to processor, float kernels add up in another order.
_GOLDEN_TOLERANCE = {"int8": 0.25, "dynamic": 0.25, "float16": 0.05, "float32": 0.05}


@dataclass(frozen=True, kw_only=True)
class FitReport:
    """The bundle that was made, its size in bytes, and what is known of it."""

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


def bundle_up(
    subject: Subject,
    learned: Learned,
    settings: FitSettings,
    target: Target,
    signer: Signer | None,
    choices: SpectrumChoices | None = None,
) -> FitReport:
    """Fit all parts, calibrate them across the folds, and write the bundle.

    Args:
        subject: What is learnt about.
        learned: What fits the parts.
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
    folded, final = subject.folded, learned.final
    # The parts that ship have learnt from all windows; those without a fold say what their scores mean.
    scores = out_of_fold(folded, _fitting(learned.folds))
    calibration = calibrate_scores(final.parts(folded.windows), scores, folded.independent)
    manifest = _manifest(
        target, settings, calibration, subject, final.error_line(calibration, scores), final.models
    )
    lines, names = manifest.thresholds, [source.name for source in subject.sources]
    provenance = _provenance(
        subject,
        learned,
        settings,
        alarms=false_alarms(lines, calibration.scores, folded.independent),
        left_out=left_out_sessions(folded, scores, subject.groups, _fitting(learned.sessions), lines, names),
        choices=choices,
    )
    written = _write(
        replace(manifest, provenance=provenance.document()), subject, settings, target, signer, final
    )
    return FitReport(
        target=target,
        manifest=written,
        provenance=provenance,
        size_bytes=target.path.stat().st_size,
        signed_by=signer.public_key if signer else None,
        network_us=final.time_per_window_us(folded.windows),
        modes=learned.modes,
    )


def _fitting(learners: Sequence[Learner]) -> Fit:
    """Return what fits parts to windows with the network that did not learn from what is left out."""

    def fit(windows: FloatArray, left_out: int) -> tuple[tuple[AnyPart, ...], Models]:
        return learners[left_out].parts(windows), learners[left_out].models

    return fit


def _provenance(
    subject: Subject,
    learned: Learned,
    settings: FitSettings,
    *,
    alarms: tuple[FalseAlarms, ...],
    left_out: tuple[SessionFalseAlarms, ...],
    choices: SpectrumChoices | None,
) -> Provenance:
    """Return the provenance of a model that was just made on this machine."""
    folded = subject.folded
    return Provenance(
        data=tuple(source_record(source) for source in subject.sources),
        windows=WindowCounts(len(folded.windows), folded.count, int(folded.independent)),
        settings=settings,
        training=learned.record,
        fidelity=learned.fidelity,
        false_alarms=alarms,
        left_out=left_out,
        choices=choices,
        quantization=tuple(mode.kept() for mode in learned.modes),
        versions=library_versions(),
        revision=git_revision(),
    )


def _write(
    manifest: Manifest,
    subject: Subject,
    settings: FitSettings,
    target: Target,
    signer: Signer | None,
    final: Learner,
) -> Manifest:
    with diverted_output():
        detector = Detector(manifest, final.content)
    golden = golden_windows(detector, subject.folded.windows, settings.training.seed)
    return write_bundle(target.path, manifest, final.content, golden, signer)


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
