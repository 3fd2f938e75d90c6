"""New versions of a bundle that need no training: other lines, or another calibration."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent.decode import encode
from agent.inference.arrays import FloatArray
from agent.inference.bundle import Bundle, Golden
from agent.inference.detector import Detector
from agent.inference.manifest import AnyPart, Manifest
from agent.inference.model import TFLiteModel
from agent.inference.part import Models
from trainer.bundles.signing import Signer
from trainer.bundles.writing import Target, golden_windows, write_bundle
from trainer.calibration.crossfit import false_alarms, out_of_fold
from trainer.calibration.tails import Calibration, calibrate_scores
from trainer.calibration.tuning import LineMethod, replaced, tuned_line
from trainer.errors import DataError
from trainer.evaluation.false_alarms import FalseAlarms
from trainer.evaluation.scored import ScoredRecording, check_rate, learnt_from
from trainer.parts.fitting import refit_parts
from trainer.progress import OnProgress
from trainer.recordings.datasets import Source, check_sources
from trainer.recordings.folds import FoldedWindows, fold_windows
from trainer.system.quiet import diverted_output

MIN_INDEPENDENT = 25
"""Windows laid end to end that a calibration needs: five a fold."""


@dataclass(frozen=True, kw_only=True)
class DerivedReport:
    """The bundle that was derived, and its size in bytes."""

    target: Target
    source: str
    """Name and version of the bundle that it was derived from."""
    manifest: Manifest
    size_bytes: int
    signed_by: str | None
    """Public key in hex; None for an unsigned bundle."""
    false_alarms: tuple[FalseAlarms, ...] = ()
    """After a calibration: its windows at warning and alarm, each judged by what the others taught."""


def move_lines(
    bundle: Bundle,
    scored: Sequence[ScoredRecording],
    methods: Mapping[str, LineMethod],
    target: Target,
    signer: Signer | None,
) -> DerivedReport:
    """Write a bundle with other lines.

    Args:
        bundle: The bundle as it is.
        scored: Recordings that it has judged; none if the methods are all ``rate``.
        methods: How the lines are derived, by level, ``warning`` or ``alarm``.
        target: What to write.
        signer: Signs the bundle; None for an unsigned one.

    Raises:
        DataError: See ``trainer.calibration.tuning.tuned_line``.
        OutputError: If the bundle cannot be written.
    """
    thresholds = bundle.manifest.thresholds
    for level in sorted(methods, reverse=True):  # the warning line first: the alarm line is held against it
        line = tuned_line(methods[level], scored, bundle.manifest)
        thresholds = replaced(thresholds, level, line, methods[level])
    # The false alarms that were counted are those of the former lines.
    kept = {key: value for key, value in bundle.manifest.provenance.items() if key != "false_alarms"}
    changed = replace(bundle.manifest, thresholds=thresholds, provenance=kept)
    sources = [recording.source for recording in scored]
    return _write(
        bundle, changed, golden=bundle.golden, step="threshold", sources=sources, target=target, signer=signer
    )


def recalibrate(
    bundle: Bundle,
    sources: Sequence[Source],
    target: Target,
    signer: Signer | None,
    on_progress: OnProgress = lambda doing, share: None,
) -> DerivedReport:
    """Write a bundle that takes other recordings as healthy: a new mounting, or another machine of the kind.

    Medians, scales, covariances and tails are fitted anew, across folds; the network, the scale of its
    features and the lines stay.

    Args:
        bundle: The bundle as it is.
        sources: Recordings of the healthy machine.
        target: What to write.
        signer: Signs the bundle; None for an unsigned one.
        on_progress: Called with what is being done, and the share of it that is done.

    Raises:
        DataError: If the recordings do not fit the bundle, are too short, or were learnt from.
        OutputError: If the bundle cannot be written.
        WindowError: If a sample or score is not finite.
    """
    folded = _healthy_windows(bundle.manifest, sources)
    calibration = _calibration(bundle, folded, on_progress)
    counted = false_alarms(bundle.manifest.thresholds, calibration.scores, folded.independent)
    changed = replace(
        bundle.manifest,
        parts=calibration.parts,
        combination=calibration.combination,
        wander=calibration.wander,
        provenance={**bundle.manifest.provenance, "false_alarms": encode(counted)},
    )
    with diverted_output():
        detector = Detector(changed, bundle.models)
    golden = golden_windows(detector, folded.windows, seed=0)
    report = _write(
        bundle, changed, golden=golden, step="calibrate", sources=sources, target=target, signer=signer
    )
    return replace(report, false_alarms=counted)


def _healthy_windows(manifest: Manifest, sources: Sequence[Source]) -> FoldedWindows:
    """Return the windows to calibrate with, shape (n_windows, length, n_axes), in folds.

    Raises:
        DataError: If the recordings do not fit the bundle, are too short, or were learnt from.
    """
    check_sources(sources)
    for source in sources:
        check_rate(source, manifest)
    if known := learnt_from(sources, manifest):
        raise DataError(
            f"{known[0]}: the network has learnt from it, so it errs too little there; give others"
        )
    folded = fold_windows([source.recording for source in sources], manifest.window)
    if folded.independent < MIN_INDEPENDENT:
        needed = MIN_INDEPENDENT * manifest.window.length
        raise DataError(f"too short: a calibration needs about {needed} samples without a gap; record longer")
    return folded


def _calibration(bundle: Bundle, folded: FoldedWindows, on_progress: OnProgress) -> Calibration:
    """Return the bundle's parts, refitted and calibrated across the folds."""
    manifest = bundle.manifest
    with diverted_output():
        models = {name: TFLiteModel(content) for name, content in bundle.models.items()}

    def refitted(windows: FloatArray, left_out: int) -> tuple[tuple[AnyPart, ...], Models]:
        on_progress("calibrating", left_out / (folded.count + 1))
        return refit_parts(manifest.parts, windows, manifest.axes, models, folded), models

    scores = out_of_fold(folded, refitted)
    parts, _ = refitted(folded.windows, folded.count)
    return calibrate_scores(parts, scores, folded.independent)


def _write(
    bundle: Bundle,
    manifest: Manifest,
    *,
    golden: Golden,
    step: str,
    sources: Sequence[Source],
    target: Target,
    signer: Signer | None,
) -> DerivedReport:
    entry = _entry(bundle, step, sources)
    history = [*manifest.provenance.get("derived", ()), entry]
    named = replace(
        manifest,
        name=target.name,
        version=target.version,
        provenance={**manifest.provenance, "derived": history},
    )
    written = write_bundle(target.path, named, bundle.models, golden, signer)
    size_bytes = target.path.stat().st_size
    signed_by = signer.public_key if signer else None
    return DerivedReport(
        target=target,
        source=bundle.manifest.title,
        manifest=written,
        size_bytes=size_bytes,
        signed_by=signed_by,
    )


def _entry(bundle: Bundle, step: str, sources: Sequence[Source]) -> dict[str, Any]:
    """Return what the provenance says about one step: from what, how, and with which data."""
    return {
        "step": step,
        "bundle": bundle.manifest.title,
        "sha256": hashlib.sha256(bundle.path.read_bytes()).hexdigest(),
        "data": [
            {"name": one.name, "sha256": one.sha256, "samples": len(one.recording.samples)} for one in sources
        ],
    }
