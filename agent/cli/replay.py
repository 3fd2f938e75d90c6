"""``judder replay``: score a recording as the gateway would."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.options import json_option

if TYPE_CHECKING:
    from agent.inference.detector import Detector, Verdict
    from agent.inference.manifest import Manifest
    from agent.inference.window import IndexArray
    from firmware_bridge.recording import Recording

RATE_TOLERANCE = 0.05
"""A recording sampled at a rate further off than this is of another signal, as far as a model can tell."""


@dataclass(frozen=True)
class Episode:
    """An alert in the recording."""

    start: int
    """First sample of the window that raised it."""
    end: int | None
    """End of the window that cleared it; None if it was still open at the end."""
    level: str


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
    episodes = _episodes(detector, starts, verdicts)
    if as_json:
        click.echo(json.dumps(_summary(verdicts, episodes)))
    else:
        click.echo("\n".join(_told(recording, manifest, verdicts, episodes)))


def _check(recording: Recording, manifest: Manifest) -> None:
    from firmware_bridge.errors import RecordingError

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


def _write(out: Path, starts: IndexArray, verdicts: Sequence[Verdict], length: int) -> None:
    try:
        with out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("start", "end", "score", "level"))
            for start, verdict in zip(starts.tolist(), verdicts, strict=True):
                writer.writerow((start, start + length, f"{verdict.score:.6f}", str(verdict.level)))
    except OSError as error:
        raise click.ClickException(f"{out}: cannot be written: {error.strerror}") from error


def _episodes(detector: Detector, starts: IndexArray, verdicts: Sequence[Verdict]) -> list[Episode]:
    """Return the alerts that the gateway's default alarm rule would have raised."""
    from agent.alarm import Alarm, AlarmPolicy, Change

    alarm = Alarm(detector.manifest.thresholds, AlarmPolicy())
    length = detector.manifest.window.length
    episodes: list[Episode] = []
    began, level = 0, ""
    for start, verdict in zip(starts.tolist(), verdicts, strict=True):
        transition = alarm.update(verdict.score)
        if transition is None:
            continue
        level = str(transition.level)
        if transition.change is Change.RAISED:
            began = start
        elif transition.change is Change.CLEARED:
            episodes.append(Episode(began, start + length, level))
    if alarm.level:
        episodes.append(Episode(began, None, level))
    return episodes


def _summary(verdicts: Sequence[Verdict], episodes: Sequence[Episode]) -> dict[str, object]:
    counts = Counter(str(verdict.level) for verdict in verdicts)
    return {
        "windows": len(verdicts),
        **{level: counts[level] for level in ("normal", "warning", "alarm")},
        "score_max": max(verdict.score for verdict in verdicts),
        "alerts": [{"start": e.start, "end": e.end, "level": e.level} for e in episodes],
    }


def _told(
    recording: Recording, manifest: Manifest, verdicts: Sequence[Verdict], episodes: Sequence[Episode]
) -> list[str]:
    counts = Counter(str(verdict.level) for verdict in verdicts)
    worst = max(verdicts, key=lambda verdict: verdict.score)
    lines = [*recording.notes]
    lines.append(
        f"{recording.path.name}: {len(verdicts)} windows of {manifest.window.length} samples: "
        + ", ".join(f"{counts[level]} {level}" for level in ("normal", "warning", "alarm"))
    )
    lines.append(f"highest score {worst.score:.2f} (part {worst.part}); {len(episodes)} alerts")
    for episode in episodes:
        end = f"to {episode.end}" if episode.end is not None else "to the end"
        lines.append(
            f"  {episode.level}: samples {episode.start} {end}{_seconds(episode, recording.rate_hz)}"
        )
    return lines


def _seconds(episode: Episode, rate_hz: float | None) -> str:
    return f" (from {episode.start / rate_hz:.2f} s)" if rate_hz else ""
