"""What a person may choose about a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from trainer.models import NetworkSettings
from trainer.quantization import Quantization
from trainer.scaling import FeatureKind
from trainer.thresholds import Method
from trainer.training import TrainingSettings

Metric = Literal["mae", "mse"]


@dataclass(frozen=True)
class FitSettings:
    """All choices of ``judder-train fit``."""

    window_length: int | None = None
    """Samples per window; None for the nearest power of two to 0.64 s."""
    hop: int | None = None
    """Samples between windows; None for a quarter of the length."""
    features: FeatureKind = "raw"
    metric: Metric = "mae"
    """How a reconstruction is scored: by its mean absolute or mean squared error. The absolute error lies on
    the scale of the amplitude, and its tail is shorter than that of its square."""
    quantization: Quantization = "int8"
    warning: Method = field(default_factory=lambda: Method("rate", 0.005))
    alarm: Method = field(default_factory=lambda: Method("rate", 0.001))
    network: NetworkSettings = field(default_factory=NetworkSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
