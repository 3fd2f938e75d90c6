"""``judder replay``: score a recording as the gateway would."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.options import json_option

if TYPE_CHECKING:
    from agent.inference.detector import Verdict
    from agent.inference.manifest import Manifest
    from agent.inference.window import IndexArray
    from firmware_bridge.recording import Recording


@dataclass(frozen=True)
class Alert:
    """An alert in the recording."""

    start: int
    """First sample of the window that raised it."""
    end: int | None
    """End of the window that cleared it; None if it was still open at the end."""
    level: str
    """Its highest."""
    rule: str
    """What gave it that level."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--model", "bundle", required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write a row per window as CSV.")
@click.option("--columns", help="Channels to take, comma separated, in the model's order.")
@click.option("--rate", "rate_hz", type=click.FloatRange(min=0, min_open=True), help="Sample rate in Hz.")
@json_option
def replay(
    file: Path, bundle: Path, out: Path | None, columns: str | None, rate_hz: float | None, as_json: bool
) -> None:
    """Score the recording FILE (CSV, NPZ or WAV) with a model bundle.

    Without --columns the channels that have the names of the model's axes are taken.
    """
    from agent.inference.detector import judge_recording, open_detector
    from firmware_bridge.recording import load_recording

    detector, _ = open_detector(bundle)
    manifest = detector.manifest
    names = [name.strip() for name in columns.split(",")] if columns else list(manifest.axes)
    if len(names) != len(manifest.axes):
        raise click.UsageError(f"--columns names {len(names)} channels, the model takes {len(manifest.axes)}")
    recording = load_recording(file, columns=names, rate_hz=rate_hz)
    _check(recording, manifest)
    segments = [(segment.start, segment.end) for segment in recording.segments]
    starts, verdicts = judge_recording(detector, recording.samples, segments)
    if out is not None:
        _write(out, starts, verdicts, manifest.window.length)
    alerts = _alerts(manifest, starts, verdicts, recording.rate_hz)
    if as_json:
        click.echo(json.dumps(_summary(verdicts, alerts)))
    else:
        click.echo("\n".join(_lines(recording, manifest, verdicts, alerts)))


def _check(recording: Recording, manifest: Manifest) -> None:
    from agent.inference.manifest import RATE_TOLERANCE
    from firmware_bridge.errors import RecordingError

    _check_units(recording, manifest)
    rate, expected = recording.rate_hz, manifest.rate_hz
    if rate and expected and abs(rate - expected) > RATE_TOLERANCE * expected:
        raise RecordingError(
            f"sampled at {rate:g} Hz, the model was trained at {expected:g} Hz; "
            "resample it, or state its true rate with --rate",
            path=recording.path,
        )
    longest = max((segment.end - segment.start for segment in recording.segments), default=0)
    if longest < manifest.window.length:
        raise RecordingError(
            f"no window of {manifest.window.length} samples fits: the longest stretch without a gap has "
            f"{longest}",
            path=recording.path,
        )


def _check_units(recording: Recording, manifest: Manifest) -> None:
    """Accelerations are read in g, whatever the file has."""
    from firmware_bridge.errors import RecordingError
    from firmware_bridge.recording.columns import g_per, split_unit

    for axis in manifest.axes:
        if g_per(split_unit(axis)[1] or "") not in (None, 1.0):
            message = f"is read in g, the model was trained on '{axis}'; train it again"
            raise RecordingError(message, path=recording.path)


def _write(out: Path, starts: IndexArray, verdicts: Sequence[Verdict], length: int) -> None:
    try:
        with out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("start", "end", "score", "level"))
            for start, verdict in zip(starts.tolist(), verdicts, strict=True):
                writer.writerow((start, start + length, f"{verdict.score:.6f}", str(verdict.level)))
    except OSError as error:
        raise click.ClickException(f"{out}: cannot be written: {error.strerror}") from error


def _alerts(
    manifest: Manifest, starts: IndexArray, verdicts: Sequence[Verdict], rate_hz: float | None
) -> list[Alert]:
    """Return the alerts that the gateway's default alarm rules would have raised."""
    from agent.config.alarm import AlarmPolicy
    from agent.judging.alarm import Alarm, episodes

    alarm = Alarm(replace(manifest, rate_hz=manifest.rate_hz or rate_hz), AlarmPolicy())
    found = episodes((verdict.score for verdict in verdicts), alarm)
    rows = starts.tolist()
    return [
        Alert(
            rows[episode.raised],
            None if episode.cleared is None else rows[episode.cleared] + manifest.window.length,
            str(episode.last.level),
            str(episode.last.rule),
        )
        for episode in found
    ]


def _summary(verdicts: Sequence[Verdict], alerts: Sequence[Alert]) -> dict[str, object]:
    counts = Counter(str(verdict.level) for verdict in verdicts)
    return {
        "windows": len(verdicts),
        **{level: counts[level] for level in ("normal", "warning", "alarm")},
        "score_max": max(verdict.score for verdict in verdicts),
        "alerts": [asdict(alert) for alert in alerts],
    }


def _lines(
    recording: Recording, manifest: Manifest, verdicts: Sequence[Verdict], alerts: Sequence[Alert]
) -> list[str]:
    counts = Counter(str(verdict.level) for verdict in verdicts)
    worst = max(verdicts, key=lambda verdict: verdict.score)
    lines = [*recording.notes]
    lines.append(
        f"{recording.path.name}: {len(verdicts)} windows of {manifest.window.length} samples: "
        + ", ".join(f"{counts[level]} {level}" for level in ("normal", "warning", "alarm"))
    )
    lines.append(f"highest score {worst.score:.2f} (part {worst.part}); {len(alerts)} alerts")
    for alert in alerts:
        end = f"to {alert.end}" if alert.end is not None else "to the end"
        seconds = _seconds(alert, recording.rate_hz)
        lines.append(f"  {alert.level}: samples {alert.start} {end}{seconds}, by {alert.rule}")
    return lines


def _seconds(alert: Alert, rate_hz: float | None) -> str:
    return f" (from {alert.start / rate_hz:.2f} s)" if rate_hz else ""
