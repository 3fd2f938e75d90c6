"""Names of the arrays that window and score are made of."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float32]
"""Samples in g, features, errors: single precision, as the sensor and the network have it."""

ScoreArray: TypeAlias = npt.NDArray[np.float64]
"""Scores and logarithms of probabilities."""

BoolArray: TypeAlias = npt.NDArray[np.bool_]
"""What is true of each window or sample."""
