"""A report on a bundle: one HTML file that needs no network, for a screen or a phone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from agent.inference.bundle import Bundle
from agent.inference.manifest import Manifest
from agent.inference.scoring import Threshold, rate_from_score
from trainer.errors import OutputError
from trainer.evaluation_text import (
    evaluation_detections,
    evaluation_head,
    evaluation_rows,
    evaluation_rule,
)
from trainer.metrics import Evaluation
from trainer.report_charts import (
    curves,
    error_histograms,
    histograms,
    overlays,
    reconstruction_errors,
    score_over_time,
    spectra,
    typical_and_worst,
    waveforms,
)
from trainer.scored import ScoredRecording

MAX_RECORDINGS = 20
"""Recordings whose score is drawn over time."""

_METHODS = {
    "rate": "the score that this share of healthy windows reaches",
    "sigma": "mean of the healthy scores and so many standard deviations",
    "percentile": "this percentile of the healthy scores",
    "fbeta": "largest F-beta over labelled windows, of all possible lines",
    "pot": "extrapolated to this rate from the peaks of healthy scores (generalised Pareto)",
}


def build_report(bundle: Bundle, scored: Sequence[ScoredRecording], evaluation: Evaluation | None) -> str:
    """Return the report as HTML.

    Args:
        bundle: The bundle.
        scored: Recordings that it has judged, one window or more.
        evaluation: Its figures on them; None if nothing is known about their rows.

    Raises:
        ModelError: If the runtime refuses the graph.
    """
    manifest = bundle.manifest
    sections = "\n".join(
        f"<section><h2>{escape(title)}</h2>{body}</section>"
        for title, body in _sections(bundle, scored, evaluation)
        if body
    )
    window = manifest.window
    rate = f"{manifest.rate_hz:g} Hz" if manifest.rate_hz else "unknown rate"
    subtitle = f"{', '.join(manifest.axes)} at {rate}, windows of {window.length} samples, hop {window.hop}"
    page = Template((files("trainer") / "templates" / "report.html").read_text(encoding="utf-8"))
    return page.substitute(title=escape(manifest.title), subtitle=escape(subtitle), sections=sections)


def write_report(path: Path, html: str) -> None:
    """Write the report; what stood there before is replaced only by the whole of it.

    Raises:
        OutputError: If it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_text(html, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise OutputError(path, f"cannot be written: {error.strerror}") from error


def _sections(
    bundle: Bundle, scored: Sequence[ScoredRecording], evaluation: Evaluation | None
) -> Iterator[tuple[str, str]]:
    manifest = bundle.manifest
    yield "Thresholds", _thresholds(manifest)
    if evaluation is not None:
        yield "Figures", _figures(evaluation)
    yield "Score over time", _charts([score_over_time(one, manifest) for one in _drawn(scored)])
    errors = reconstruction_errors(scored, manifest, bundle)
    distributions = [histograms(scored, manifest)]
    if errors is not None:
        distributions.append(error_histograms(scored, errors))
    yield "Distributions", _charts(distributions)
    yield "How well the classes part", _charts(curves(scored, manifest))
    windows = typical_and_worst(scored, manifest.window.length)
    yield "Signal", "".join(_charts(waveforms(name, window, manifest)) for name, window in windows)
    yield "Spectrum", _charts(spectra(scored, manifest))
    made = (overlays(name, window, manifest, bundle) for name, window in windows)
    yield "Reconstruction", "".join(_charts(charts) for charts in made)
    yield "Quantization", _quantization(manifest)
    yield "Origin", _table(_origin(bundle))


def _drawn(scored: Sequence[ScoredRecording]) -> list[ScoredRecording]:
    return [one for one in scored if len(one.starts)][:MAX_RECORDINGS]


def _charts(charts: Sequence[str]) -> str:
    return f'<div class="charts">{"".join(charts)}</div>' if charts else ""


def _thresholds(manifest: Manifest) -> str:
    lines = (("warning", manifest.thresholds.warning), ("alarm", manifest.thresholds.alarm))
    return _table(
        (level, f"score\N{NO-BREAK SPACE}{line.score:.2f}", line.method, _derivation(line))
        for level, line in lines
    )


def _figures(evaluation: Evaluation) -> str:
    head = "".join(f"<p>{escape(line)}</p>" for line in evaluation_head(evaluation))
    table = _table([("", "warning", "alarm"), *evaluation_rows(evaluation)])
    rule = f"<p>{evaluation_rule(evaluation).capitalize()}:</p>"
    found = "".join(f"<li>{escape(line)}</li>" for line in evaluation_detections(evaluation))
    return head + table + (f"{rule}<ul>{found}</ul>" if found else "")


def _derivation(line: Threshold) -> str:
    derivation = _METHODS.get(line.method.partition(":")[0], "")
    one_in = 1.0 / max(rate_from_score(line.score), 1e-300)
    told = f"{float(f'{one_in:.3g}'):,.0f}" if one_in < 1e9 else f"{one_in:.1e}"
    return f"{derivation}; by the calibration 1 healthy window in {told} lies above"


def _quantization(manifest: Manifest) -> str:
    fidelity = manifest.provenance.get("fidelity")
    part = next((part for part in manifest.parts if part.kind == "reconstruction"), None)
    if part is None or not isinstance(fidelity, Mapping):
        return ""
    rows: list[tuple[str, str]] = [("network computes in", part.quantization)]
    rows += [(str(name).replace("_", " "), _value(value)) for name, value in fidelity.items()]
    note = '<p class="note">Reconstruction scores of the graph that ships against its float32 twin.</p>'
    return note + _table(rows)


def _origin(bundle: Bundle) -> Iterator[tuple[str, str]]:
    provenance = bundle.manifest.provenance
    yield "parts", ", ".join(f"{part.name} (weight {part.weight:.2g})" for part in bundle.manifest.parts)
    for record in provenance.get("data", ()):
        yield "learnt from", f"{record['name']}, {record['samples']} samples, SHA-256 {record['sha256'][:16]}"
    for topic in ("windows", "training"):
        if isinstance(provenance.get(topic), Mapping):
            yield topic, ", ".join(f"{name} {_value(value)}" for name, value in provenance[topic].items())
    for step in provenance.get("derived", ()):
        data = ", ".join(record["name"] for record in step["data"]) or "no data"
        yield f"then {step['step']}", f"of {step['bundle']}, on {data}"
    versions = provenance.get("versions", {})
    yield "made with", ", ".join(f"{name} {version}" for name, version in versions.items())
    yield "signed by", bundle.signed_by or "nobody"


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    body = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for name, *cells in rows
    )
    return f'<div class="scroll"><table>{body}</table></div>'


def _value(value: Any) -> str:  # noqa: ANN401 - provenance is what its trainer wrote
    return f"{value:.4g}" if isinstance(value, float) else str(value)
