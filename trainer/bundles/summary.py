"""The report on a fit, as lines of text or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from agent.decode import encode
from agent.inference.features import RawFeatures, SpectrumFeatures
from agent.inference.manifest import Manifest, manifest_bytes
from agent.inference.reconstruction import ReconstructionPart
from agent.inference.scoring import Threshold
from trainer.bundles.making import FitReport
from trainer.bundles.provenance import Provenance
from trainer.evaluation.false_alarms import FalseAlarms
from trainer.networks.models import ARCHITECTURES
from trainer.networks.training import TrainingRecord
from trainer.parts.choosing import SpectrumChoices
from trainer.settings import PATCHES

_INTERNAL = ("parts", "combination", "members", "golden_tolerance")


def summary(report: FitReport) -> str:
    """Return the report as a few lines of text."""
    return "\n".join(f"{topic:<12}{text}" for topic, text in _lines(report))


def summary_json(report: FitReport) -> str:
    """Return the report as JSON: the manifest without its numbers for the gateway, file, size and key."""
    manifest = json.loads(manifest_bytes(report.manifest))
    shown = {key: value for key, value in manifest.items() if key not in _INTERNAL}
    file = {
        "bundle": str(report.target.path),
        "bytes": report.size_bytes,
        "signed_by": report.signed_by,
        "network_us": report.network_us,
        "modes": encode(report.modes),
        "exported": encode(report.exported),
    }
    return json.dumps(file | shown, indent=1, ensure_ascii=False)


def _lines(report: FitReport) -> Iterator[tuple[str, str]]:
    yield from _about_data(report)
    yield from _about_parts(report)
    yield from _about_network(report)
    yield from _about_lines(report)
    yield from _about_file(report)


def _about_data(report: FitReport) -> Iterator[tuple[str, str]]:
    manifest, provenance = report.manifest, report.provenance
    for record in provenance.data:
        gaps = f", {record.gaps} gaps" if record.gaps else ""
        yield "data", f"{record.name}: {record.samples} samples{gaps}"
        yield from (("", note) for note in record.notes)
    yield "input", f"{', '.join(manifest.axes)}, {_rate(manifest)}"
    counts = provenance.windows
    yield (
        "windows",
        f"{manifest.window.length} samples, hop {manifest.window.hop}: {counts.total} in {counts.folds} "
        "folds, each judged by what the others taught",
    )


def _about_parts(report: FitReport) -> Iterator[tuple[str, str]]:
    manifest, choices = report.manifest, report.provenance.choices
    yield "parts", ", ".join(f"{part.name} {part.weight:.2g}" for part in manifest.parts)
    if report.network_us is not None:
        yield "features", _features(manifest)
    if choices is not None:
        yield "spectrum", _choices(choices)


def _about_lines(report: FitReport) -> Iterator[tuple[str, str]]:
    """Yield the two lines, and how many healthy windows lie above them."""
    manifest, provenance = report.manifest, report.provenance
    yield "warning", _threshold(manifest.thresholds.warning)
    yield "alarm", _threshold(manifest.thresholds.alarm)
    for counted in provenance.false_alarms:
        yield "out of fold", _false_alarms(counted)
    for session in provenance.left_out:
        yield "left out", f"{', '.join(session.names)}: {_false_alarms(session.warning)}"
    if len(provenance.data) == 1:
        yield (
            "note",
            "one recording is one session: another mounting or season may look abnormal, and how often "
            "cannot be said; add recordings of other days and mountings",
        )


def _about_file(report: FitReport) -> Iterator[tuple[str, str]]:
    signed = f"signed by {report.signed_by}" if report.signed_by else "not signed"
    yield "bundle", f"{report.target.path}, {report.size_bytes / 1000:.1f} kB, {signed}"
    if report.exported:
        yield "exported", ", ".join(str(path) for path in report.exported)
    yield "next", f"judder replay RECORDING --model {report.target.path}"


def _about_network(report: FitReport) -> Iterator[tuple[str, str]]:
    if report.network_us is None:
        yield "network", "none: slow process values are watched by where they stand and how much they vary"
        return
    yield "network", _network(report)
    if report.provenance.training.loss is not None:
        yield "loss", _loss(report.provenance.training)
    yield from _quantization(report.provenance)
    yield from _modes(report)
    runtime = report.manifest.runtime
    yield "speed", f"{report.network_us:.0f} us per window for the network here, on {runtime}"


def _rate(manifest: Manifest) -> str:
    if manifest.rate_hz is None:
        return "sample rate unknown: the daemon needs one, state it with --rate"
    return f"{manifest.rate_hz:g} Hz"


def _features(manifest: Manifest) -> str:
    features = _reconstruction(manifest).features
    if isinstance(features, RawFeatures):
        scales = zip(manifest.axes, features.scale_g, strict=True)
        divisor = "range, from 0 to 1" if features.offset_g else "RMS"
        return f"raw, mean removed, divided by {divisor}: " + ", ".join(f"{a} {s:.3g}" for a, s in scales)
    if isinstance(features, SpectrumFeatures):
        if features.scale == "linear":
            return f"amplitude spectrum in {len(features.mean)} rows, standardised per row"
        return f"log spectrum, standardised per bin, floor {features.floor_g:.3g}"
    return f"patches of {features.patch} samples, divided by RMS"


def _network(report: FitReport) -> str:
    training, settings = report.provenance.training, report.provenance.settings
    network = settings.network
    if network.architecture == PATCHES:
        return (
            f"convolutional autoencoder of patches, {training.parameters} parameters, {training.epochs} steps"
        )
    if network.architecture not in ARCHITECTURES:
        return f"{network.architecture}, as it came"
    if ARCHITECTURES[network.architecture].closed_form:
        return f"{network.architecture} by {network.view}, {training.parameters} parameters, solved"
    units = "-".join(str(size) for size in network.units)
    return (
        f"{network.architecture} {units} {network.activation}, {training.parameters} parameters, "
        f"{training.best_epoch} epochs, best by the held-out windows of {training.epochs} tried"
    )


def _choices(choices: SpectrumChoices) -> str:
    chosen, others = choices.chosen, [one for one in choices.tried if one != choices.chosen]
    beside = ", ".join(f"{one.scale} {one.bands} {one.found:.0%}" for one in others)
    return (
        f"{chosen.scale} amplitude in {chosen.bands} bands finds {chosen.found:.0%} of virtual defects of "
        f"half the level ({beside})"
    )


def _loss(training: TrainingRecord) -> str:
    held_out = training.validation_loss
    return f"{training.loss:.4g}" + ("" if held_out is None else f", {held_out:.4g} on held-out windows")


def _quantization(provenance: Provenance) -> Iterator[tuple[str, str]]:
    if provenance.settings.quantization == "float32":
        yield "float32", "nothing was rounded"
        return
    fidelity = provenance.fidelity
    if fidelity is None:
        yield provenance.settings.quantization, "as imported; there is no float32 network to compare with"
        return
    yield (
        provenance.settings.quantization,
        f"scores correlate with float32 by {fidelity.correlation:.4f}, largest difference "
        f"{fidelity.largest_difference:.1%} of the median score",
    )


def _modes(report: FitReport) -> Iterator[tuple[str, str]]:
    topic = "modes"
    for mode in report.modes:
        if mode.impossible is not None:
            yield topic, f"{mode.mode}: {mode.impossible}"
        else:
            yield (
                topic,
                f"{mode.mode}: {mode.size_bytes or 0:,} bytes, {mode.per_window_us:.0f} us a window, "
                f"correlation {mode.correlation:.4f}, ROC AUC {mode.roc_auc_difference:+.4f} (defects)",
            )
        topic = ""


def _threshold(threshold: Threshold) -> str:
    return f"score {threshold.score:.2f} ({threshold.method})"


def _false_alarms(counted: FalseAlarms) -> str:
    return (
        f"{counted.alarms} of {counted.windows} windows at {counted.level} or above; 95 % upper limit of the "
        f"rate {counted.upper_limit:.2g} ({counted.independent} independent windows)"
    )


def _reconstruction(manifest: Manifest) -> ReconstructionPart:
    return next(part for part in manifest.parts if part.kind == "reconstruction")
