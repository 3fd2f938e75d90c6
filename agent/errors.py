"""What can go wrong on the gateway, one class per reaction."""

from __future__ import annotations

from pathlib import Path


class AgentError(Exception):
    """Root of all errors of this package."""


class ConfigError(AgentError, ValueError):
    """The configuration cannot be used; the message holds every problem, one per line.

    Attributes:
        path: The file, or None for the embedded defaults.
        problems: One line each: key path, value, what was expected.
    """

    def __init__(self, path: Path | None, problems: list[str]) -> None:
        place = str(path) if path is not None else "configuration"
        super().__init__("\n".join(f"{place}: {problem}" for problem in problems))
        self.path = path
        self.problems = tuple(problems)

    def at(self, path: Path) -> ConfigError:
        """Return the same problems as those of a file, if it was not known where they stand."""
        return self if self.path is not None else ConfigError(path, list(self.problems))


class BundleError(AgentError, ValueError):
    """A model bundle is damaged, not trusted, from another version, or fails its golden windows.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class ModelError(AgentError):
    """The TFLite runtime is missing or refuses the model."""


class WindowError(AgentError, ValueError):
    """A window cannot be scored: wrong shape, or a sample or score that is not finite."""


class StoreError(AgentError):
    """The alert store cannot be opened, read or written.

    Attributes:
        path: The database file.
    """

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class UplinkError(AgentError, ConnectionError):
    """The broker cannot be reached, refuses the connection, or did not confirm in time."""


class ControlError(AgentError):
    """The daemon cannot be reached on its control socket, or answers with an error."""


class ServiceError(AgentError):
    """judder cannot be made a service of systemd, or systemd refuses."""


def refusal_of_the_system(error: OSError | ValueError) -> str | None:
    """Return in one line what the operating system refuses, for a person at a command.

    None if that is not for people: a fault of ours, or a reader of the output who has had enough.
    """
    match error:
        case BrokenPipeError():
            return None
        case OSError(filename=None):
            return str(error.strerror or error)
        case OSError():
            return f"{error.filename}: {error.strerror or error}"
        case ValueError() if "embedded null" in str(error):
            return "a file's name cannot hold a NUL byte"
    return None
