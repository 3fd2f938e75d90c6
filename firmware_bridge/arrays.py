"""The arrays that hold samples, signals and times."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
"""Samples as they are passed on and stored, shape (n_samples, n_axes); acceleration in g."""
SignalArray = npt.NDArray[np.float64]
"""Acceleration in g before a chip rounds it, shape (n, 3)."""
TimeArray = npt.NDArray[np.float64]
"""Times in seconds, shape (n,)."""
CountArray = npt.NDArray[np.int32]
"""What a converter gives, in least significant bits, shape (n, n_axes)."""
Array = npt.NDArray[Any]
"""What a file holds, of any type."""
