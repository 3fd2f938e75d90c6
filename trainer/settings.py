"""What a person may choose about a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from agent.inference.columns import BandScale
from trainer.folds import FOLDS
from trainer.models import ARCHITECTURES, NetworkSettings
from trainer.quantization import Quantization
from trainer.scaling import FeatureKind
from trainer.thresholds import Method
from trainer.training import TrainingSettings

Metric = Literal["mae", "mse", "mahalanobis-row", "mahalanobis-axis"]

PartName = Literal["level", "time", "spectrum", "network"]
PART_NAMES: tuple[PartName, ...] = get_args(PartName)

Kind = Literal["vibration", "process"]
KINDS: tuple[Kind, ...] = get_args(Kind)

PATCHES = "patches"
"""The default architecture (``trainer.models.patches``), whose training and features are fixed."""

PROCESS_BELOW_HZ = 5.0
"""Values that are sampled more slowly are process values unless it is said otherwise."""

USUAL_BANDS = 32
"""Bands an axis in which a spectrum is watched, if a window has so many bins."""


@dataclass(frozen=True)
class FitSettings:
    """All choices of ``judder-train fit``."""

    window_length: int | None = None
    """Samples per window; None for the nearest power of two to 0.64 s, and 20 of process values."""
    hop: int | None = None
    """Samples between windows; None for ``trainer.datasets.default_hop``; of process values a quarter."""
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
    """Steps in which the default networks are trained; None for ``trainer.models.patches.enough_steps``."""
    bands: int | None = None
    """Bands that a spectrum is summed up in; None for every bin."""
    eps: float = 1e-3
    """Added to the variances of the errors before they are inverted, as a share of their mean."""
    kind: Kind | None = None
    """What was recorded; None to tell by the sample rate (``trainer.process``)."""
    compare_modes: bool = True
    """All quantizations are measured; otherwise only the one that is asked for, as long as it will do."""
    may_leave_quantization: bool = False
    """float16 is taken where the quantization loses too much; otherwise it is refused."""


def default_features(architecture: str) -> FeatureKind:
    """Return the features of an architecture if none are asked for."""
    known = ARCHITECTURES.get(architecture)
    return "spectrum" if known and known.spectrum else FitSettings.features
