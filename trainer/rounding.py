"""Numbers as a manifest holds them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def short(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """Return numbers rounded to six digits: a manifest need not hold more than float32 can."""
    return tuple(float(f"{value:.6g}") for value in values)
