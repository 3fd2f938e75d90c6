"""Where a model comes from: the data, the settings, the libraries, and what was measured."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from trainer.calibration.crossfit import SessionFalseAlarms
from trainer.evaluation.false_alarms import FalseAlarms
from trainer.evaluation.fidelity import Fidelity
from trainer.evaluation.modes import ModeFigures
from trainer.networks.training import TrainingRecord
from trainer.parts.choosing import SpectrumChoices
from trainer.recordings.datasets import Source
from trainer.settings import FitSettings

_LIBRARIES = ("judder", "keras", "tensorflow", "numpy")


@dataclass(frozen=True)
class SourceRecord:
    """A recording that was learnt from, with its length in samples and its rate in Hz."""

    name: str
    sha256: str
    samples: int
    gaps: int
    rate_hz: float | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class WindowCounts:
    """The windows that were learnt from."""

    total: int
    folds: int
    """Each window was judged by what the other folds taught."""
    independent: int
    """Laid end to end, rounded down."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """All that the manifest says about a model's origin. No date: the same work gives the same bytes."""

    data: tuple[SourceRecord, ...]
    windows: WindowCounts
    settings: FitSettings
    training: TrainingRecord
    fidelity: Fidelity | None
    """Quantized against float32; None if there is no float32 network."""
    false_alarms: tuple[FalseAlarms, ...]
    """For warning and alarm, every window judged by what the other folds taught."""
    left_out: tuple[SessionFalseAlarms, ...]
    """For each recording that the others did not know; none if there is one only."""
    choices: SpectrumChoices | None
    """What the healthy windows decided; None if all was given."""
    quantization: tuple[ModeFigures, ...]
    """What each quantization of the network is like; none if it came as it is."""
    versions: Mapping[str, str]
    revision: str | None
    """Of the trainer in git, if it has one."""

    def document(self) -> dict[str, Any]:
        """Return the fields by name, as the manifest takes them."""
        return {name: value for name, value in vars(self).items() if value is not None}


def source_record(source: Source) -> SourceRecord:
    """Return what is kept of a recording that was learnt from."""
    recording = source.recording
    return SourceRecord(
        name=source.name,
        sha256=source.sha256,
        samples=len(recording.samples),
        gaps=len(recording.segments) - 1,
        rate_hz=recording.rate_hz,
        notes=recording.notes,
    )


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that shape a model."""
    versions = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            versions[library] = metadata.version(library)
        except metadata.PackageNotFoundError:  # TensorFlow has distributions of several names
            versions[library] = "unknown"
    return versions


def git_revision() -> str | None:
    """Return the git revision of this package, with ``-dirty`` if it was changed; None if it has none."""
    git, here = shutil.which("git"), Path(__file__)
    # Installed into an environment inside somebody's checkout, the package is not tracked there.
    if git is None or not _output(git, here.parent, "ls-files", here.name):
        return None
    return _output(git, here.parent, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") or None


def _output(git: str, folder: Path, *arguments: str) -> str:
    result = subprocess.run([git, "-C", str(folder), *arguments], capture_output=True, text=True, check=False)  # noqa: S603 - nothing a user wrote
    return result.stdout.strip()
