"""What a person may choose about a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, cast, get_args

import numpy as np

from agent.inference.arrays import ScoreArray
from agent.inference.columns import BandScale
from agent.inference.scoring import score_from_rate
from trainer.errors import MethodError

Metric = Literal["mae", "mse", "mahalanobis-row", "mahalanobis-axis"]

PartName = Literal["level", "time", "spectrum", "network"]
PART_NAMES: tuple[PartName, ...] = get_args(PartName)

Kind = Literal["vibration", "process"]
KINDS: tuple[Kind, ...] = get_args(Kind)

PATCHES = "patches"
"""The default architecture (``trainer.networks.models.patches``), whose training and features are fixed."""

PROCESS_BELOW_HZ = 5.0
"""Values that are sampled more slowly are process values unless it is said otherwise."""

USUAL_BANDS = 32
"""Bands an axis in which a spectrum is watched, if a window has so many bins."""

PROCESS_LENGTH = 20
"""Samples per window by default."""

FOLDS = 5
"""Contiguous blocks that each recording is cut into; block k of every recording is fold k."""

Quantization = Literal["int8", "float16", "float32", "dynamic"]
QUANTIZATIONS: tuple[Quantization, ...] = get_args(Quantization)

FeatureKind = Literal["raw", "minmax", "spectrum", "amplitude"]
"""The window over its RMS, or mapped to 0..1; the logarithm of the spectrum, or its amplitude."""

Loss = Literal["mse", "mae"]

ACTIVATIONS = ("relu", "tanh")
"""Those that every TFLite runtime computes in full int8."""

View = Literal["window", "time", "feature"]
"""What one observation of the principal components is: a whole window, the axes at one time step, or the
time steps of one axis."""

MethodKind = Literal["sigma", "error-sigma", "percentile", "rate"]

ErrorLine = Callable[[float], float]
"""Returns the score of a window whose network's error lies so many standard deviations above its mean."""

_EXAMPLES = "write sigma:3, percentile:99.5 or rate:0.005"


@dataclass(frozen=True)
class Method:
    """How a line is derived from healthy windows."""

    kind: MethodKind
    """``sigma``: mean + value x standard deviation of the healthy windows' scores; ``error-sigma``: the same
    of the network's errors, or of their Mahalanobis distances; ``percentile``: of the scores; ``rate``: the
    score that this fraction of healthy windows reaches, by the calibration."""
    value: float

    def __str__(self) -> str:
        return f"{self.kind}:{self.value:g}"

    def line(self, scores: ScoreArray, error_line: ErrorLine | None = None) -> float:
        """Return the line on the scale of the calibrated score.

        Args:
            scores: Calibrated scores of healthy windows, shape (n_windows,).
            error_line: For ``error-sigma``.

        Raises:
            MethodError: If the method needs the network's errors, and they are not there.
        """
        if self.kind == "error-sigma":
            if error_line is None:
                raise MethodError(f"'{self}' is for fit, where the network's healthy errors are known")
            return error_line(self.value)
        if self.kind == "rate":
            return score_from_rate(self.value)
        if self.kind == "percentile":
            return float(np.percentile(scores, self.value))
        return float(scores.mean() + self.value * scores.std())


def parse_method(text: str) -> Method:
    """Return the method that a text such as ``rate:0.001`` stands for.

    Raises:
        MethodError: If it stands for none, or its value is out of range.
    """
    kind, _, number = text.partition(":")
    if kind not in get_args(MethodKind):
        raise MethodError(f"'{text}' is no threshold method; {_EXAMPLES}")
    try:
        value = float(number)
    except ValueError:
        raise MethodError(f"'{text}': '{number}' is no number; {_EXAMPLES}") from None
    low, high = {"percentile": (0.0, 100.0), "rate": (1e-12, 0.5)}.get(kind, (0.0, 100.0))
    if not low <= value <= high:
        raise MethodError(f"'{text}': {kind} takes {low:g} to {high:g}; {_EXAMPLES}")
    return Method(cast(MethodKind, kind), value)


@dataclass(frozen=True)
class NetworkSettings:
    """What the network looks like."""

    architecture: str = "dense"
    """A key of ``ARCHITECTURES``."""
    units: tuple[int, ...] = (64, 16, 64)
    """Sizes of the hidden layers: all of them for dense, spectral and lstm; of the encoder, whose mirror the
    decoder is, for conv (filters), lstm-bottleneck and vae (the last is the latent size). Empty: those of
    ``with_layers``."""
    _: KW_ONLY
    activation: str = "relu"
    """One of ``ACTIVATIONS``; an LSTM has its own."""
    dropout: float = 0.0
    """Share of each hidden layer's outputs that is silenced in training."""
    kernel: int = 5
    """Steps that a filter of conv spans."""
    kl_weight: float = 0.1
    """Of vae: weight of the Kullback-Leibler divergence, which is the variance of what the decoder may leave,
    in units of the features' variance."""
    kl_warm_up_steps: int = 500
    """Batches over which that weight grows from 0, so that the latent space is used before it is punished."""
    view: View = "window"
    """Of pca."""
    components: int | float | None = None
    """Of pca: how many, or below 1 the share of variance to explain; None for the most likely number on
    held-out data."""


@dataclass(frozen=True)
class TrainingSettings:
    """How the network is trained."""

    epochs: int = 200
    """At most."""
    patience: int = 10
    """Epochs without a better validation loss after which training stops; the best weights are kept. Without
    validation windows all epochs are run, and the last weights are kept."""
    batch_size: int = 64
    learning_rate: float = 1e-3
    """Of Adam (Kingma and Ba 2015)."""
    seed: int = 0
    """Same seed and machine, same weights."""
    loss: Loss = "mse"
    """Mean squared or mean absolute error of the reconstructed features."""


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """All choices of ``judder-train fit``; lengths are in samples."""

    window_length: int | None = None
    """Samples per window; None for the nearest power of two to 0.64 s, and 20 of process values."""
    hop: int | None = None
    """Samples between windows; None for ``recordings.datasets.default_hop``; of process values a quarter."""
    features: FeatureKind = "raw"
    metric: Metric = "mae"
    """How a reconstruction is scored: by its mean absolute or mean squared error, or by the Mahalanobis
    distance of the absolute errors per row (time step or band) or per axis. The absolute error lies on the
    scale of the amplitude, and its tail is shorter than that of its square."""
    quantization: Quantization = "int8"
    warning: Method = field(default_factory=lambda: Method("rate", 0.005))
    alarm: Method = field(default_factory=lambda: Method("rate", 0.001))
    network: NetworkSettings = field(default_factory=lambda: NetworkSettings(PATCHES, ()))
    training: TrainingSettings = field(default_factory=TrainingSettings)
    parts: tuple[PartName, ...] = PART_NAMES
    """Which parts judge a window, in the order of ``PART_NAMES``."""
    spectrum_scale: BandScale | None = None
    """Of the amplitude in the spectrum's part; None lets virtual defects in healthy windows choose."""
    spectrum_bands: int | None = None
    """Bands an axis of the spectrum's part, likewise."""
    padding: Literal["none", "zeros"] = "none"
    """``zeros``: the first windows of a stretch are padded with zeros on the left."""
    folds: int = FOLDS
    """Contiguous blocks of each recording; windows of one are judged by what the others taught."""
    steps: int | None = None
    """Steps in which the default networks are trained; None for ``networks.models.patches.enough_steps``."""
    bands: int | None = None
    """Bands that a spectrum is summed up in; None for every bin."""
    eps: float = 1e-3
    """Added to the variances of the errors before they are inverted, as a share of their mean."""
    kind: Kind | None = None
    """What was recorded; None to decide by the sample rate (``trainer.parts.process``)."""
    compare_modes: bool = True
    """All quantizations are measured; otherwise only the one that is asked for, as long as it will do."""
    may_leave_quantization: bool = False
    """float16 is taken where the quantization loses too much; otherwise it is refused."""


def is_process(rate_hz: float | None) -> bool:
    """Decide whether recordings hold process values, from their sample rate."""
    return rate_hz is not None and rate_hz < PROCESS_BELOW_HZ
