"""A report on a bundle: one HTML file that needs no network, for a screen or a phone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from agent.config.alarm import AlarmPolicy
from agent.inference.bundle import Bundle
from agent.inference.manifest import Manifest
from trainer.errors import OutputError
from trainer.evaluation.metrics import Evaluation
from trainer.evaluation.scored import ScoredRecording, learnt_from
from trainer.evaluation.text import evaluation_detections, evaluation_files, evaluation_rows, evaluation_rule
from trainer.report.findings import Finding
from trainer.report.markup import bullets, grid, heading, note, paragraph, section, table
from trainer.report.network import error_histograms, latent_space, learning_curve, network_part, overlays
from trainer.report.origin import origin_rows, quantization, thresholds, untaught
from trainer.report.scores import curves, score_histogram, score_over_time
from trainer.report.signals import signal_over_time, spectra, watches_values, waveforms
from trainer.report.trust import Figure, Trust, weigh
from trainer.report.windows import examples, kinds

MAX_RECORDINGS = 20
"""Recordings whose score is drawn over time."""

MAX_ANOMALIES = 20
"""Anomalies that are shown one by one."""

MAX_SIGNALS = 3
"""Recordings whose vibration is drawn over time."""


@dataclass(frozen=True)
class _Section:
    anchor: str
    title: str
    short: str
    """In the row of links."""
    body: str


def build_report(
    bundle: Bundle, scored: Sequence[ScoredRecording], evaluation: Evaluation | None, rule: AlarmPolicy
) -> str:
    """Return the report as HTML.

    Args:
        bundle: The bundle.
        scored: Recordings that it has judged, one window or more.
        evaluation: Its figures on them; None if nothing is known about their rows.
        rule: Of the alerts that are drawn.

    Raises:
        ModelError: If the runtime refuses the graph.
    """
    manifest = bundle.manifest
    sections = [part for part in _sections(bundle, scored, evaluation, rule) if part.body]
    templates = files("trainer.report") / "templates"
    page = Template((templates / "report.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=escape(manifest.title),
        style=(templates / "report.css").read_text(encoding="utf-8"),
        subtitle=escape(_subtitle(manifest, scored)),
        links="".join(f'<a href="#{part.anchor}">{escape(part.short)}</a>' for part in sections),
        sections="\n".join(section(part.anchor, part.title, part.body) for part in sections),
    )


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
    bundle: Bundle, scored: Sequence[ScoredRecording], evaluation: Evaluation | None, rule: AlarmPolicy
) -> Iterator[_Section]:
    manifest = bundle.manifest
    with_windows = [one for one in scored if len(one.starts)]
    learnt = learnt_from([one.source for one in scored], manifest)
    trust = weigh(manifest, with_windows, evaluation, learnt)
    yield _Section("trust", "Can it be trusted?", "Trust", _trust(trust))
    yield _Section("score", "Score over time", "Score", _scores(with_windows, manifest, rule))
    title = "Thresholds" if evaluation is None else "Figures"
    yield _Section("figures", title, title, _figures(manifest, evaluation))
    title = "How well the classes part" if len(kinds(with_windows)) > 1 else "Distribution"
    yield _Section("parting", title, "Distribution", _parting(bundle, with_windows))
    title = "Signal" if watches_values(manifest) else "Signal and spectrum"
    yield _Section("signal", title, "Signal", _signal(with_windows, manifest))
    yield _Section("learning", "Learning curve", "Learning", _learning(manifest))
    yield _Section("made", "Reconstruction", "Reconstruction", _overlays(bundle, with_windows))
    yield _Section("latent", "Latent space", "Latent space", _latent(bundle, with_windows))
    yield _Section("quantized", "Quantization", "Quantization", quantization(bundle))
    yield _Section("origin", "Origin", "Origin", table(origin_rows(bundle)))


def _subtitle(manifest: Manifest, scored: Sequence[ScoredRecording]) -> str:
    window, rate_hz = manifest.window, manifest.rate_hz
    rate = f"{rate_hz:g} Hz" if rate_hz else "an unknown rate"
    span = f" ({window.length / rate_hz:.3g} s)" if rate_hz else ""
    names = [one.source.name for one in scored]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (
        f"{', '.join(manifest.axes)} at {rate}; windows of {window.length} samples{span}, a new one every "
        f"{window.hop}. Tried on {', '.join(names[:5])}{more}."
    )


def _trust(trust: Trust) -> str:
    tiles = "".join(_tile(figure) for figure in trust.figures)
    findings = "".join(_finding(finding) for finding in trust.findings)
    lead = paragraph(trust.headline, "lead")
    return f'{lead}<dl class="tiles">{tiles}</dl><ul class="findings">{findings}</ul>'


def _tile(figure: Figure) -> str:
    return (
        f'<div><dt>{escape(figure.name)}</dt><dd class="value">{escape(figure.value)}</dd>'
        f"<dd>{escape(figure.detail)}</dd></div>"
    )


def _finding(finding: Finding) -> str:
    return f'<li class="{finding.verdict}"><b>{finding.verdict}</b> <span>{escape(finding.text)}</span></li>'


def _scores(scored: Sequence[ScoredRecording], manifest: Manifest, rule: AlarmPolicy) -> str:
    explained = note(
        "A score of 0 is the middle of healthy; 1 healthy window in 100 reaches 2.33, 1 in 1,000 3.09."
    )
    charts = [score_over_time(one, manifest, rule) for one in scored[:MAX_RECORDINGS]]
    left = len(scored) - MAX_RECORDINGS
    return (
        explained
        + grid(charts, "recordings")
        + (note(f"{left} more recordings are not drawn.") if left > 0 else "")
    )


def _figures(manifest: Manifest, evaluation: Evaluation | None) -> str:
    if evaluation is None:
        return thresholds(manifest)
    found = bullets(_first(list(evaluation_detections(evaluation)), MAX_ANOMALIES))
    rule = heading(f"Anomalies, {evaluation_rule(evaluation)}") if found else ""
    head, *rows = evaluation_files(evaluation)
    by_file = heading("By recording") + table(rows, head)
    left = table(evaluation_rows(evaluation), ("", "warning", "alarm"))
    return (
        f'<div class="columns"><div>{left}</div><div>{thresholds(manifest)}{by_file}{rule}{found}</div></div>'
    )


def _first(lines: Sequence[str], count: int) -> list[str]:
    left = len(lines) - count
    return [*lines[:count], f"and {left:,} more"] if left > 0 else list(lines)


def _parting(bundle: Bundle, scored: Sequence[ScoredRecording]) -> str:
    errors = error_histograms(scored, bundle)
    explained = note(
        "Error of the reconstruction on each axis. A line is the error that takes the score there by itself, "
        "while all else is at its healthy median."
    )
    first = [score_histogram(scored, bundle.manifest), *curves(scored, bundle.manifest)]
    return grid(first) + (heading("Reconstruction error") + explained + grid(errors) if errors else "")


def _signal(scored: Sequence[ScoredRecording], manifest: Manifest) -> str:
    overview = grid([figure for one in scored[:MAX_SIGNALS] for figure in signal_over_time(one, manifest)])
    chosen = examples(scored, manifest.window.length)
    windows = heading("Typical and highest-scoring window") + grid(waveforms(chosen, manifest))
    if watches_values(manifest):
        return overview + windows
    names = " and ".join(kind.name for kind in kinds(scored))
    explained = note(
        f"Amplitude of a sine wave in each bin of the Hann spectrum, over windows that are {names}."
    )
    return overview + windows + heading("Spectrum") + explained + grid(spectra(scored, manifest))


def _learning(manifest: Manifest) -> str:
    curve = learning_curve(manifest)
    if curve is not None:
        return grid([curve])
    return note(untaught(manifest)) if network_part(manifest) else ""


def _overlays(bundle: Bundle, scored: Sequence[ScoredRecording]) -> str:
    body = ""
    for example in examples(scored, bundle.manifest.window.length):
        title = f"{example.name}: score {example.score:.2f}, {example.part} speaks loudest"
        where = note(f"{example.file}, rows {example.start}-{example.start + len(example.window) - 1}")
        charts = overlays(example, bundle)
        body += heading(title) + where + grid(charts) if charts else ""
    return body


def _latent(bundle: Bundle, scored: Sequence[ScoredRecording]) -> str:
    found = latent_space(scored, bundle)
    if found is None:
        return ""
    figure, caption = found
    text = (
        f"Each point is a window. What is shown: {caption}, in the two directions in which these windows "
        "differ most. Groups that lie apart are told apart by the network itself. The detector may part more "
        "than is seen here, because it judges what the network cannot reproduce."
    )
    return f'<div class="columns"><div>{grid([figure])}</div><div>{note(text)}</div></div>'
