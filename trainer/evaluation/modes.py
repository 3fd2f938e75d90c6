"""What each quantization takes from the network and gives for it, measured on the gateway's runtime."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.metrics import roc_auc_score

from agent.inference.arrays import FloatArray, ScoreArray
from agent.inference.detector import raw_scores
from agent.inference.model import TFLiteModel
from agent.inference.reconstruction import ReconstructionPart
from agent.inference.window_numbers import WindowNumbers
from trainer.conversion.quantization import time_per_window_us
from trainer.errors import ConversionError
from trainer.evaluation.fidelity import Fidelity, compare, refuse_unfaithful
from trainer.parts.virtual_defects import KINDS, with_defect
from trainer.settings import QUANTIZATIONS, Quantization
from trainer.system.quiet import diverted_output

_JUDGED = 1000
_TIMED = 50


@dataclass(frozen=True, kw_only=True)
class ModeFigures:
    """One quantization of a network: its graph in bytes, its time in µs; what cannot be had is None."""

    mode: Quantization
    size_bytes: int | None = None
    """Of the graph."""
    correlation: float | None = None
    """Of its scores with those of float32 (Pearson), on the worst axis."""
    largest_difference: float | None = None
    """Of any score, as a part of the median float32 score of the axis."""
    roc_auc_difference: float | None = None
    """How much better than float32 its scores separate healthy windows from those with a virtual defect."""
    per_window_us: float | None = None
    """On this machine. It is not kept in a bundle: the same work gives the same bytes."""
    impossible: str | None = None
    """Why there is no such graph."""

    @property
    def fidelity(self) -> Fidelity | None:
        """How faithful it is to float32; None if it is impossible."""
        if self.correlation is None or self.largest_difference is None:
            return None
        return Fidelity(self.correlation, self.largest_difference)

    def kept(self) -> ModeFigures:
        """Return what a bundle says of it."""
        return replace(self, per_window_us=None)


def compare_modes(
    part: ReconstructionPart,
    graph: Callable[[Quantization], bytes],
    windows: FloatArray,
    seed: int,
    modes: Sequence[Quantization] = QUANTIZATIONS,
) -> tuple[ModeFigures, ...]:
    """Return the figures of quantizations.

    Args:
        part: The network's part, with or without tails; its quantization does not count.
        graph: Converts the network.
        windows: Of the healthy machine, shape (n_windows, length, n_axes).
        seed: Of the virtual defects.
        modes: Which ones.

    Raises:
        ConversionError: If there is no float32 graph.
        WindowError: If a score is not finite.
    """
    some = windows[:: max(len(windows) // _JUDGED, 1)]
    random = np.random.default_rng(seed)
    # Every mode judges the same windows and defects: what differs is the graph alone.
    defects = [with_defect(kind, some, random) for kind in KINDS]
    exact = graph("float32")
    expected = _auc(part, exact, some, defects)
    figures = []
    for mode in modes:
        try:
            content = exact if mode == "float32" else graph(mode)
        except ConversionError as error:
            figures.append(ModeFigures(mode=mode, impossible=str(error)))
            continue
        fidelity = compare(part, content, exact, some)
        with diverted_output():  # the runtime announces its delegate
            model = TFLiteModel(content)
        figures.append(
            ModeFigures(
                mode=mode,
                size_bytes=len(content),
                correlation=fidelity.correlation,
                largest_difference=fidelity.largest_difference,
                roc_auc_difference=_auc(part, content, some, defects) - expected,
                per_window_us=time_per_window_us(model, part.features.of(WindowNumbers(some[:_TIMED]))),
            )
        )
    return tuple(figures)


def choose_mode(
    figures: Sequence[ModeFigures], wanted: Quantization, other: Quantization | None
) -> ModeFigures:
    """Return the figures of the mode asked for, or of another one if that one loses too much.

    Args:
        figures: Of every mode.
        wanted: The mode asked for.
        other: Taken where the one asked for loses too much; None to refuse it.

    Raises:
        ConversionError: If neither passes, with the reason and the modes that do.
    """
    by_mode = {one.mode: one for one in figures}
    for mode in (wanted, other):
        if mode is not None and (fidelity := by_mode[mode].fidelity) is not None and fidelity.faithful:
            return by_mode[mode]
    fidelities = {one.mode: one.fidelity for one in figures if one.fidelity is not None}
    chosen = by_mode[wanted]
    if chosen.impossible is not None:
        raise ConversionError(chosen.impossible)
    return refuse_unfaithful(
        wanted, fidelities[wanted], {str(mode): fidelity for mode, fidelity in fidelities.items()}
    )


def _auc(
    part: ReconstructionPart, content: bytes, healthy: FloatArray, defects: Sequence[FloatArray]
) -> float:
    with diverted_output():
        models = {part.model: TFLiteModel(content)}
    groups = [_scores(part, models, windows) for windows in (healthy, *defects)]
    truth = np.repeat([False, True], [len(groups[0]), sum(map(len, groups[1:]))])
    area = float(roc_auc_score(truth, np.concatenate(groups)))
    return area if math.isfinite(area) else 0.5


def _scores(part: ReconstructionPart, models: dict[str, TFLiteModel], windows: FloatArray) -> ScoreArray:
    scores: ScoreArray = raw_scores([part], models, windows)[0].astype(np.float64).max(axis=1)
    return scores
