"""What a fit has learnt so far, in one file, so that Ctrl-C or a power cut costs seconds and not hours.

    with Checkpoint(path, identity, resumed) as checkpoint:
        first = train(..., checkpoint.slot("fold 1"))
        second = train(..., checkpoint.slot("fold 2"))

Each training has a slot of its own. It keeps a snapshot there after its epochs, and begins with the one that
it finds; a snapshot holds all that decides how training goes on, so the outcome is the same to the last bit.
The file is removed when all went well.
"""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from trainer.errors import CheckpointError, Interrupted
from trainer.system.atomic import replacing, write_through

Array = npt.NDArray[Any]
Clock = Callable[[], float]

SNAPSHOT_S = 1.0
"""Seconds of training that an interrupt may cost."""
WRITE_S = 30.0
"""Seconds of training that a power cut may cost."""

CHECKPOINT_SUFFIX = ".checkpoint"

_DOCUMENT = "document"


@dataclass(frozen=True)
class Snapshot:
    """One training at the end of an epoch."""

    document: Mapping[str, Any]
    """What JSON can hold: epoch, losses, the state of random generators."""
    arrays: Sequence[Array]
    """Weights and moments."""


@dataclass
class Slot:
    """The place of one training; see the module."""

    found: Snapshot | None
    """Where the training was when it was interrupted; None to begin."""
    _put: Callable[[Snapshot, bool], None]
    _clock: Clock
    _kept: float = field(init=False)

    def __post_init__(self) -> None:
        self._kept = self._clock()

    def keep(self, take: Callable[[], Snapshot], over: bool = False) -> None:
        """Keep the training as it is now, unless it was kept less than ``SNAPSHOT_S`` seconds ago.

        Args:
            take: Takes the snapshot.
            over: True at the end of the training, which is kept in any case.
        """
        now = self._clock()
        if over or now - self._kept >= SNAPSHOT_S:
            self._kept = now
            self._put(take(), over)


class Checkpoint:
    """The file, and the snapshots that go into it.

    A context manager. On Ctrl-C it writes the file and raises ``Interrupted``; when all goes well, or when
    another error ends what was begun anew, it removes it.
    """

    def __init__(
        self,
        path: Path,
        identity: Mapping[str, str],
        resumed: bool = False,
        clock: Clock = time.monotonic,
    ) -> None:
        """Begin anew, or where the file ends.

        Args:
            path: The file; when beginning anew, one that is there is replaced with the first snapshot.
            identity: All that decides what is learnt, by name: settings, hashes of recordings, versions.
            resumed: Go on with what the file holds.
            clock: In seconds.

        Raises:
            CheckpointError: If the file cannot be read, or is of another training.
        """
        self.path = path
        self._identity = dict(identity)
        self._resumed = resumed
        self._snapshots = _read(path, self._identity) if resumed else {}
        self._clock = clock
        self._written = clock()
        self._saved = resumed

    def slot(self, name: str) -> Slot:
        """Return the place of one training; the same name finds the same training again."""

        def put(snapshot: Snapshot, over: bool) -> None:
            self._snapshots[name] = snapshot
            if self._clock() - self._written >= WRITE_S:
                self.save()

        return Slot(self._snapshots.get(name), put, self._clock)

    def save(self) -> None:
        """Write the file.

        Raises:
            OutputError: If it cannot be written.
        """
        arrays = {
            f"{number}.{index}": array
            for number, snapshot in enumerate(self._snapshots.values())
            for index, array in enumerate(snapshot.arrays)
        }
        trainings = {
            name: {"arrays": len(snapshot.arrays), "document": dict(snapshot.document)}
            for name, snapshot in self._snapshots.items()
        }
        document = json.dumps({"identity": self._identity, "trainings": trainings})
        buffer = io.BytesIO()
        np.savez(buffer, **{_DOCUMENT: np.array(document), **arrays})
        with replacing(self.path) as draft:
            write_through(draft, buffer.getvalue())
            draft.replace(self.path)
        self._written = self._clock()
        self._saved = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            self._interrupted()
        if self._saved and (error is None or not self._resumed):
            self.path.unlink(missing_ok=True)

    def _interrupted(self) -> None:
        if not self._snapshots:
            raise Interrupted("interrupted before anything was learnt; nothing is kept") from None
        self.save()
        raise Interrupted(
            f"interrupted; what was learnt is kept in {self.path}: give the same command again with "
            f"--resume {self.path}"
        ) from None


def identify(settings: object, recordings: Sequence[str]) -> dict[str, str]:
    """Return all that decides what is learnt, by name.

    Args:
        settings: The choices.
        recordings: The hash of each.
    """
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    versions = [f"{name} {metadata.version(name)}" for name in ("judder", "keras", "numpy")]
    return {
        "settings": repr(settings),
        "recordings": " ".join(recordings),
        "versions": ", ".join([*versions, f"on {backend}"]),
    }


def _read(path: Path, identity: Mapping[str, str]) -> dict[str, Snapshot]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            document = json.loads(str(content[_DOCUMENT]))
            _compare(path, document["identity"], identity)
            return {
                name: Snapshot(
                    training["document"],
                    [content[f"{number}.{index}"] for index in range(training["arrays"])],
                )
                for number, (name, training) in enumerate(document["trainings"].items())
            }
    except OSError as error:
        raise CheckpointError(path, f"cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(path, "is no checkpoint, or damaged; leave --resume out") from error


def _compare(path: Path, found: Mapping[str, str], expected: Mapping[str, str]) -> None:
    others = [name for name in expected if found.get(name) != expected[name]]
    if others:
        raise CheckpointError(
            path,
            f"is of a training with other {' and '.join(others)}; give the same command as then, or leave "
            "--resume out",
        )
