"""What a bundle's manifest says of itself: lines, quantization, where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from agent.inference.bundle import Bundle
from agent.inference.manifest import Manifest
from agent.inference.scoring import Threshold, rate_from_score
from trainer.report.markup import note, table
from trainer.report.network import network_part

_METHODS = {
    "rate": "the score that this share of healthy windows reaches",
    "sigma": "mean of the healthy scores and so many standard deviations",
    "error-sigma": "mean of the network's healthy errors and so many standard deviations",
    "percentile": "this percentile of the healthy scores",
    "fbeta": "largest F-beta over labelled windows, of all possible lines",
    "pot": "extrapolated to this rate from the peaks of healthy scores (generalised Pareto)",
}
_MODE_COLUMNS = (
    ("size_bytes", "size"),
    ("correlation", "correlation"),
    ("largest_difference", "largest difference"),
    ("roc_auc_difference", "ROC AUC difference"),
    ("per_window_us", "time per window"),
)


def thresholds(manifest: Manifest) -> str:
    """Return the lines, and how each was derived, as HTML."""
    pairs = (("warning", manifest.thresholds.warning), ("alarm", manifest.thresholds.alarm))
    body = "".join(
        f'<div><dt><i class="key rule {level}"></i>{level} at {line.score:.2f}</dt>'
        f"<dd>{escape(line.method)}: {escape(_derivation(line))}</dd></div>"
        for level, line in pairs
    )
    return f'<dl class="lines">{body}</dl>'


def quantization(bundle: Bundle) -> str:
    """Return how the network compares with float32, mode by mode, as HTML; empty without a network."""
    part = network_part(bundle.manifest)
    if part is None:
        return ""
    modes = _modes(bundle, part.quantization, len(bundle.models[part.model]))
    drawn = [(key, name) for key, name in _MODE_COLUMNS if any(key in mode for mode in modes)]
    rows = [
        (_mode_name(mode, part.quantization), *(_shown(key, mode.get(key)) for key, _ in drawn))
        for mode in modes
    ]
    explained = (
        "Reconstruction scores of the graph in each mode, run by the gateway's runtime, against its float32 "
        "twin. Differences are parts of the median float32 score."
    )
    return note(explained) + table(rows, ("numbers", *(name for _, name in drawn)))


def untaught(manifest: Manifest) -> str:
    """Return why there is no learning curve, and what is known instead."""
    training = manifest.provenance.get("training")
    if not isinstance(training, Mapping) or not training.get("epochs"):
        return "The network came from elsewhere: nothing is known of its training."
    losses = [
        f"{name} {training[key]:.4g}"
        for key, name in (("loss", "training"), ("validation_loss", "held-out"))
        if isinstance(training.get(key), float)
    ]
    ended = f" It ended at a loss of {', '.join(losses)}." if losses else ""
    if training["epochs"] == 1:
        return f"The network was solved, not trained step by step.{ended}"
    return f"The bundle does not hold the course of its training.{ended}"


def origin_rows(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """Yield what the bundle says of its origin: topic and text."""
    provenance = bundle.manifest.provenance
    yield "parts", ", ".join(f"{part.name} (weight {part.weight:.2g})" for part in bundle.manifest.parts)
    for record in provenance.get("data", ()):
        yield "learnt from", f"{record['name']}, {record['samples']} samples, SHA-256 {record['sha256'][:16]}"
    for topic in ("windows", "training"):
        if isinstance(provenance.get(topic), Mapping):
            yield topic, _plain_values(provenance[topic])
    if chosen := _chosen(provenance.get("choices")):
        yield "healthy windows chose", chosen
    yield from _steps(provenance.get("derived", ()))
    versions = provenance.get("versions", {})
    yield "made with", ", ".join(f"{name} {version}" for name, version in versions.items())
    yield "oldest runtime", bundle.manifest.runtime
    yield "signed by", bundle.signed_by or "nobody"


def _plain_values(record: Mapping[str, Any]) -> str:
    """Return the numbers and words of a record; what is nested is left out."""
    return ", ".join(f"{name} {_value(value)}" for name, value in record.items() if _is_plain(value))


def _steps(derived: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield how the bundle came from another one, step by step."""
    for step in derived:
        data = ", ".join(record["name"] for record in step["data"]) or "no data"
        yield f"then {step['step']}", f"of {step['bundle']}, on {data}"


def _chosen(choices: Any) -> str:  # noqa: ANN401 - provenance is what its trainer wrote
    """Return how the spectrum is watched, and how many virtual defects that found; empty if it was given."""
    if not isinstance(choices, Mapping) or len(choices.get("tried", ())) < 2:
        return ""
    ways = [
        f"{one['scale']} amplitude in {one['bands']} bands ({one['found']:.0%} of virtual defects found)"
        for one in (choices["chosen"], *(other for other in choices["tried"] if other != choices["chosen"]))
    ]
    return f"{ways[0]}, not {' nor '.join(ways[1:])}"


def _derivation(line: Threshold) -> str:
    derivation = _METHODS.get(line.method.partition(":")[0], "as it was given")
    one_in = 1.0 / max(rate_from_score(line.score), 1e-300)
    windows = f"{float(f'{one_in:.3g}'):,.0f}" if one_in < 1e9 else f"{one_in:.1e}"
    return f"{derivation}; by the calibration 1 healthy window in {windows} lies above"


def _modes(bundle: Bundle, shipped: str, size_bytes: int) -> Sequence[Mapping[str, Any]]:
    """Return the figures of each mode; of bundles that know only their own, those of that one."""
    provenance = bundle.manifest.provenance
    modes = provenance.get("quantization")
    if isinstance(modes, Sequence) and modes and all(isinstance(mode, Mapping) for mode in modes):
        return modes
    fidelity = provenance.get("fidelity")
    known = fidelity if isinstance(fidelity, Mapping) else {}
    return [{"mode": shipped, "size_bytes": size_bytes, **known}]


def _mode_name(mode: Mapping[str, Any], shipped: str) -> str:
    name = str(mode.get("mode", "unknown"))
    return f"{name} (ships)" if name == shipped else name


def _shown(key: str, value: Any) -> str:  # noqa: ANN401 - provenance is what its trainer wrote
    if not isinstance(value, int | float):
        return "-"
    match key:
        case "size_bytes":
            return f"{value / 1000:.1f} kB"
        case "largest_difference":
            return f"{100 * value:.3g} %"
        case "per_window_us":
            return f"{value:.3g} µs"
        case "roc_auc_difference":
            return f"{value:+.4f}"
        case _:
            return f"{value:.4f}"


def _is_plain(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, int | float | str)


def _value(value: Any) -> str:  # noqa: ANN401
    return f"{value:.4g}" if isinstance(value, float) else str(value)
