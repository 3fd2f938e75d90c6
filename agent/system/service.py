"""judder as a service of systemd: the files that make it one, and where they go."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.errors import ServiceError

UNIT = "judder.service"
EXECUTABLE = "/usr/bin/judder"
"""Stands in the unit for the judder that is installed."""
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108  named, not used
"""Folders that the unit does not let the daemon see (ProtectHome=, PrivateTmp=)."""
COMMAND_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Place:
    """One file of the service."""

    source: str
    """Its name among the files that come with judder."""
    target: str
    mode: int = 0o644
    is_kept: bool = False
    """True if an existing file is left as it is, and stays when the service is removed."""
    is_optional: bool = False
    """True if it is installed only when it is asked for."""


REAL_TIME = Place("real-time.conf", "/etc/systemd/system/judder.service.d/real-time.conf", is_optional=True)
"""Lets the threads that drain FIFOs go before all others, for a little less of a sandbox."""

PLACES = (
    Place(UNIT, "/etc/systemd/system/judder.service"),
    Place("judder.sysusers", "/etc/sysusers.d/judder.conf"),
    Place("judder.tmpfiles", "/etc/tmpfiles.d/judder.conf"),
    Place("judder.modules", "/etc/modules-load.d/judder.conf"),
    Place("60-judder-i2c.rules", "/etc/udev/rules.d/60-judder-i2c.rules"),
    Place("judder.toml", "/etc/judder/judder.toml", mode=0o640, is_kept=True),
    REAL_TIME,
)

PREPARE = (
    ("systemd-sysusers", "/etc/sysusers.d/judder.conf"),
    ("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/judder.conf"),
    ("udevadm", "control", "--reload"),
    ("udevadm", "trigger", "--subsystem-match=i2c-dev"),
    ("systemctl", "daemon-reload"),
)


@dataclass(frozen=True)
class ServiceStatus:
    """How the service stands."""

    missing: tuple[str, ...]
    """Files that are not installed."""
    changed: tuple[str, ...]
    """Files that differ from those of this judder."""
    enabled: str
    """As ``systemctl is-enabled`` says."""
    active: str
    """As ``systemctl is-active`` says."""


class Service:
    """The service below a root folder.

    Args:
        root: ``/``, or the root of an image that is being built.
        executable: The judder that the unit runs; this one if None.
    """

    def __init__(self, root: Path = Path("/"), executable: Path | None = None) -> None:
        self._root = root
        self._executable = executable or own_executable()

    def install(self, real_time: bool = False) -> list[Path]:
        """Write the files, but no configuration over one that is there; return those written.

        Args:
            real_time: Allow real-time priority; a drop-in that allows it is otherwise removed.

        Raises:
            ServiceError: If the unit could not see this judder, or a file cannot be written.
        """
        hidden = [folder for folder in HIDDEN if self._executable.is_relative_to(folder)]
        if hidden:
            raise ServiceError(
                f"{self._executable}: the service cannot see what lies in {hidden[0]}; "
                "install judder elsewhere, such as in /opt/judder"
            )
        if not real_time:
            self._unlink(self._target(REAL_TIME))
        return [
            self._write(place)
            for place in PLACES
            if not (place.is_kept and self._target(place).exists()) and (real_time or not place.is_optional)
        ]

    def remove(self) -> list[Path]:
        """Remove the files, but neither configuration nor state; return those removed.

        Raises:
            ServiceError: If a file cannot be removed.
        """
        found = [self._target(place) for place in PLACES if not place.is_kept]
        removed = [path for path in found if path.exists()]
        for path in removed:
            self._unlink(path)
        return removed

    def status(self) -> ServiceStatus:
        """Return what is installed, and what systemd says.

        Raises:
            ServiceError: If systemd is not there.
        """
        places = [place for place in PLACES if not place.is_kept]
        missing = [p for p in places if not p.is_optional and not self._target(p).exists()]
        there = [place for place in places if self._target(place).exists()]
        changed = [place for place in there if self._target(place).read_text() != self._content(place)]
        return ServiceStatus(
            tuple(place.target for place in missing),
            tuple(place.target for place in changed),
            _said(("systemctl", "is-enabled", UNIT)),
            _said(("systemctl", "is-active", UNIT)),
        )

    def _target(self, place: Place) -> Path:
        return self._root / place.target.lstrip("/")

    def _content(self, place: Place) -> str:
        text = (source_folder() / place.source).read_text(encoding="utf-8")
        return text.replace(EXECUTABLE, str(self._executable)) if place.source == UNIT else text

    def _unlink(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ServiceError(f"{path}: {error.strerror}; run as root") from error

    def _write(self, place: Place) -> Path:
        path = self._target(place)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._content(place), encoding="utf-8")
            path.chmod(place.mode)
        except OSError as error:
            raise ServiceError(f"{path}: {error.strerror}; run as root") from error
        return path


def prepare() -> None:
    """Make the user, the folders and the devices known to the running system.

    Raises:
        ServiceError: If a command is missing or fails.
    """
    for command in PREPARE:
        run(command)
    _said(("modprobe", "--quiet", "i2c-dev"))  # a kernel without it may still drive the chip itself (IIO)


def run(command: Sequence[str]) -> str:
    """Run a command of systemd's and return what it printed.

    Raises:
        ServiceError: If it is missing or fails.
    """
    result = _result(command)
    if result.returncode != 0:
        raise ServiceError(f"{' '.join(command)}: {result.stderr.strip() or f'exit {result.returncode}'}")
    return result.stdout.strip()


def _said(command: Sequence[str]) -> str:
    """Return what a command says, whatever its exit code."""
    result = _result(command)
    return result.stdout.strip() or result.stderr.strip()


def _result(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - fixed commands
            command, capture_output=True, text=True, check=False, timeout=COMMAND_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceError(f"{command[0]}: {error}; is this a machine with systemd?") from error


def own_executable() -> Path:
    """Return the ``judder`` command of this installation.

    Raises:
        ServiceError: If there is none.
    """
    beside = Path(sys.executable).with_name("judder")
    found = beside if os.access(beside, os.X_OK) else shutil.which("judder")
    if found is None:
        raise ServiceError("the command 'judder' is not found; install judder with pip first")
    return Path(found)


def source_folder() -> Path:
    """Return the folder with the files that come with judder: in a source tree, or where pip put them.

    Raises:
        ServiceError: If it is missing.
    """
    for folder in _candidates():
        if (folder / UNIT).is_file():
            return folder
    raise ServiceError(f"{UNIT} did not come with this installation; install judder with pip again")


def _candidates() -> Iterator[Path]:
    yield Path(__file__).parents[2] / "systemd"
    yield Path(sys.prefix) / "share" / "judder" / "systemd"
