"""What is learnt about: recordings of a healthy machine, checked and cut into windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.inference.window import WindowSpec
from trainer.errors import DataError
from trainer.recordings.datasets import Source, check_sources, choose_window, common_rate
from trainer.recordings.folds import FoldedWindows, fold_windows, session_groups
from trainer.settings import PROCESS_LENGTH, FitSettings, is_process


@dataclass(frozen=True)
class Subject:
    """What is learnt about: the windows, shape (n_windows, length, n_axes), of some recordings."""

    sources: Sequence[Source]
    axes: tuple[str, ...]
    rate_hz: float | None
    window: WindowSpec
    folded: FoldedWindows
    process: bool
    """Slow process values: no network is needed."""

    @property
    def groups(self) -> list[npt.NDArray[np.int64]]:
        """Recordings that are left out together, to see what the others know of them."""
        return session_groups(self.folded.session, self.folded.count)


def take(sources: Sequence[Source], settings: FitSettings) -> Subject:
    """Check the recordings and cut them into windows of shape (n_windows, length, n_axes).

    Raises:
        DataError: If columns or rates differ, a channel is constant, or there is too little to learn from.
    """
    axes = check_sources(sources)
    rate_hz = common_rate(sources)
    process = settings.kind == "process" if settings.kind else is_process(rate_hz)
    if process and settings.kind is None:
        _refuse_guess(sources)
    length, hop = settings.window_length, settings.hop
    if process:
        length = length or PROCESS_LENGTH
        hop = hop or max(length // 4, 1)
    window = choose_window(rate_hz, length, hop, settings.padding)
    folded = fold_windows([source.recording for source in sources], window, settings.folds)
    return Subject(sources, axes, rate_hz, window, folded, process)


def _refuse_guess(sources: Sequence[Source]) -> None:
    """What kind of model is learnt does not hang on a unit that nobody states."""
    for source in sources:
        if source.recording.rate_guessed:
            raise DataError(
                f"{source.name}: would be {source.recording.rate_hz:.4g} Hz if its times were seconds, which "
                "they do not say; name their unit, as in 'time (s)', or say --kind process or --rate"
            )
