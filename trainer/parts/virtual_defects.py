"""Defects added to healthy windows: they show how well a choice would see, before anything has failed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from agent.inference.arrays import FloatArray

SEVERITY = 0.5
"""RMS of what is added, as a part of the axis' own."""

KINDS = ("tone", "noise", "impacts")


def with_defect(kind: str, windows: FloatArray, random: np.random.Generator) -> FloatArray:
    """Return the windows with a defect of ``SEVERITY`` on one axis each, which the generator draws.

    ``tone`` is a line at any frequency, as of unbalance or a gear mesh; ``noise`` is broadband, as of
    cavitation or a dry bearing; ``impacts`` are periodic blows that ring at any frequency, as of a spalled
    bearing (McFadden and Smith, Journal of Sound and Vibration 96, 1984).

    Args:
        kind: One of ``KINDS``.
        windows: Healthy, shape (n_windows, length, n_axes).
        random: Draws axis, frequency, phase and period.
    """
    n_windows, length, n_axes = windows.shape
    added = {"tone": _tones, "noise": _noise, "impacts": _impacts}[kind](n_windows, length, random)
    added /= np.sqrt(np.mean(np.square(added), axis=1, keepdims=True))
    axis, every = random.integers(0, n_axes, n_windows), np.arange(n_windows)
    healthy = windows[every, :, axis]
    result = windows.copy()
    result[every, :, axis] += (SEVERITY * healthy.std(axis=1, keepdims=True) * added).astype(np.float32)
    return result


def _tones(n_windows: int, length: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    cycles = random.uniform(2.0, length / 2 - 2.0, (n_windows, 1))
    phase = random.uniform(0.0, 2.0 * np.pi, (n_windows, 1))
    return np.asarray(np.sin(2.0 * np.pi * cycles * np.arange(length) / length + phase))


def _noise(n_windows: int, length: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    return random.standard_normal((n_windows, length))


def _impacts(n_windows: int, length: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    period = random.uniform(length / 16, length / 3, (n_windows, 1))
    since = (np.arange(length) + random.uniform(0.0, 1.0, (n_windows, 1)) * period) % period
    cycles = random.uniform(length / 8, length / 2 - 2.0, (n_windows, 1))
    return np.asarray(np.exp(-6.0 * since / period) * np.sin(2.0 * np.pi * cycles * since / length))
