"""What learns to judge from healthy windows: parts with a network, or, of slow process values, without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Protocol

from agent.inference.arrays import FloatArray
from agent.inference.error_distance import ErrorView
from agent.inference.features import Features
from agent.inference.manifest import AnyPart
from agent.inference.model import TFLiteModel
from agent.inference.part import Models
from agent.inference.reconstruction import ReconstructionPart
from agent.inference.window_numbers import WindowNumbers
from trainer.bundles.writing import MODEL
from trainer.calibration.tails import Calibration, error_line
from trainer.conversion.quantization import time_per_window_us
from trainer.evaluation.fidelity import Fidelity
from trainer.evaluation.modes import ModeFigures
from trainer.networks.training import TrainingRecord
from trainer.parts.error_covariance import fit_error_distance
from trainer.parts.fitting import fit_parts, weight
from trainer.parts.process import fit_process
from trainer.recordings.subject import Subject
from trainer.settings import PATCHES, ErrorLine, FitSettings, Metric
from trainer.system.quiet import diverted_output

_METRICS: Mapping[Metric, Literal["mse", "mae", "mahalanobis"]] = {
    "mse": "mse",
    "mae": "mae",
    "mahalanobis-row": "mahalanobis",
    "mahalanobis-axis": "mahalanobis",
}

_TIMED_WINDOWS = 50


class Learner(Protocol):
    """Fits the parts of a detector to healthy windows, whichever they are."""

    @property
    def content(self) -> Mapping[str, bytes]:
        """Graphs by member of the bundle."""
        ...

    @property
    def models(self) -> Models:
        """The same, in the gateway's runtime."""
        ...

    def parts(self, windows: FloatArray) -> tuple[AnyPart, ...]:
        """Return parts without tails, fitted to windows of shape (n_windows, length, n_axes).

        Raises:
            DataError: If an axis is silent in half of the windows.
        """
        ...

    def error_line(self, calibration: Calibration, scores: Sequence[FloatArray]) -> ErrorLine | None:
        """Return what places a line by the network's errors; None without a network.

        Args:
            calibration: Of all parts.
            scores: Raw scores of each part, (n_windows, n_columns), every window judged by the other folds.
        """
        ...

    def time_per_window_us(self, windows: FloatArray) -> float | None:
        """Return how many µs the network takes per window here; None without a network."""
        ...


@dataclass(frozen=True, kw_only=True)
class Learned:
    """Learners of one bundle, and what their networks came to."""

    folds: Sequence[Learner]
    """The k-th network has not learnt from fold k."""
    sessions: Sequence[Learner]
    """The k-th network has not learnt from the k-th group of recordings."""
    final: Learner
    """Has learnt from everything, and ships."""
    record: TrainingRecord
    fidelity: Fidelity | None = None
    """Of the final network against its float32 twin; None if there is none."""
    modes: tuple[ModeFigures, ...] = ()
    """The final network in every quantization; none if it came as it is."""


@dataclass(frozen=True)
class ProcessLearner:
    """Slow process values: where each channel stands, and how it varies (see ``Learner``)."""

    subject: Subject

    @property
    def content(self) -> Mapping[str, bytes]:
        """Nothing: there is no network."""
        return {}

    @property
    def models(self) -> Models:
        """Nothing."""
        return {}

    def parts(self, windows: FloatArray) -> tuple[AnyPart, ...]:
        """Return ``value`` and ``variation``, fitted to windows of shape (n_windows, length, n_channels)."""
        folded = self.subject.folded
        return fit_process(windows, self.subject.axes, folded.independence, folded.stretches(windows))

    def error_line(self, calibration: Calibration, scores: Sequence[FloatArray]) -> ErrorLine | None:
        """Return None."""
        return None

    def time_per_window_us(self, windows: FloatArray) -> float | None:
        """Return None."""
        return None


@dataclass(frozen=True)
class NetworkLearner:
    """Vibration: level, time features, spectrum, and a network as a gateway runs it (see ``Learner``)."""

    features: Features
    graph: bytes
    subject: Subject
    settings: FitSettings

    @property
    def content(self) -> Mapping[str, bytes]:
        """The network's graph."""
        return {MODEL: self.graph}

    @cached_property
    def models(self) -> Mapping[str, TFLiteModel]:
        """The network in the gateway's runtime."""
        with diverted_output():  # the runtime announces its delegate
            return {MODEL: TFLiteModel(self.graph)}

    def parts(self, windows: FloatArray) -> tuple[AnyPart, ...]:
        """Return the chosen parts in their order, fitted to windows of shape (n_windows, length, n_axes)."""
        part = self._judging(network_part(self.features, self.settings), windows)
        folded = self.subject.folded
        return fit_parts(self.settings, windows, self.subject.axes, part, folded.independence)

    def error_line(self, calibration: Calibration, scores: Sequence[FloatArray]) -> ErrorLine | None:
        """Return the line of the last part's errors, which are the network's."""
        return lambda sigmas: error_line(calibration, scores[-1], sigmas)

    def time_per_window_us(self, windows: FloatArray) -> float | None:
        """Return how many µs the network takes per window here."""
        features = self.features.of(WindowNumbers(windows[:_TIMED_WINDOWS]))
        return time_per_window_us(self.models[MODEL], features)

    def _judging(self, part: ReconstructionPart, windows: FloatArray) -> ReconstructionPart:
        """Return the part with what its metric must know of healthy errors.

        Args:
            part: The network's part.
            windows: Of a healthy machine, shape (n_windows, length, n_axes).
        """
        if part.metric != "mahalanobis":
            return part
        view: ErrorView = "row" if self.settings.metric == "mahalanobis-row" else "axis"
        distance = fit_error_distance(part, self.models[MODEL], windows, view, self.settings.eps)
        return replace(part, distance=distance)


def learned_without_network(subject: Subject) -> Learned:
    """Return the learners of slow process values."""
    learner = ProcessLearner(subject)
    folds, sessions = [learner] * subject.folded.count, [learner] * len(subject.groups)
    return Learned(folds=folds, sessions=sessions, final=learner, record=TrainingRecord(0, 0, 0, None, None))


def network_part(features: Features, settings: FitSettings) -> ReconstructionPart:
    """Return the network's part, without tails."""
    patches = settings.network.architecture == PATCHES
    return ReconstructionPart(
        kind="reconstruction",
        name="waveform" if patches else "reconstruction",
        weight=weight("network", settings.parts),
        features=features,
        model=MODEL,
        architecture=settings.network.architecture,
        quantization=settings.quantization,
        metric="mse" if patches else _METRICS[settings.metric],
    )
