"""What can go wrong between recordings and a bundle, one class per reaction."""

from __future__ import annotations

from pathlib import Path


class TrainerError(Exception):
    """Root of all errors of this package."""


class DataError(TrainerError, ValueError):
    """The recordings cannot be learnt from; other recordings or another choice of columns are needed."""


class ChoiceError(TrainerError, ValueError):
    """Choices that do not go together; the message says which do."""


class SpaceError(TrainerError, ValueError):
    """What is to be searched makes no sense; the message names file and key."""


class SearchError(TrainerError):
    """A search cannot go on."""


class MethodError(TrainerError, ValueError):
    """The description of a threshold is not understood."""


class TrainingError(TrainerError):
    """The network does not learn; other training settings are needed."""


class BackendError(TrainerError):
    """Keras' backend is not there; install it, or choose another."""


class ConversionError(TrainerError):
    """The converter fails, or its graph is not fit for gateways; another quantization may be."""


class Interrupted(TrainerError):  # noqa: N818 - no error, but somebody's wish
    """Ctrl-C; the message says how to go on."""


class CheckpointError(TrainerError):
    """A checkpoint cannot be gone on with.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class OutputError(TrainerError):
    """A file cannot be written, or what was written does not pass the gateway's checks.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class KeyFileError(TrainerError):
    """A signing key cannot be read or made.

    Attributes:
        path: The key file.
    """

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
