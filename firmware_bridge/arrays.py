"""The arrays that hold samples, signals and times."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float32]
"""Samples as they are passed on and stored, shape (n_samples, n_axes); acceleration in g."""
SignalArray: TypeAlias = npt.NDArray[np.float64]
"""Acceleration in g before a chip rounds it, shape (n, 3)."""
TimeArray: TypeAlias = npt.NDArray[np.float64]
"""Times in seconds, shape (n,)."""
CountArray: TypeAlias = npt.NDArray[np.int32]
"""What a converter gives, in least significant bits, shape (n, n_axes)."""
Array: TypeAlias = npt.NDArray[Any]
"""What a file holds, of any type."""
