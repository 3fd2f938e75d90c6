"""Who judges a sensor's windows: one model or several, behind one face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from agent.inference.arrays import FloatArray
from agent.inference.detector import Explanation, Verdict
from agent.inference.manifest import Manifest
from agent.inference.scoring import Thresholds


class Judge(Protocol):
    """What a monitor asks: a detector, or an ensemble of them. Not for several threads at once."""

    @property
    def manifest(self) -> Manifest:
        """What windows it takes, and its thresholds."""
        ...

    def judge(self, windows: FloatArray) -> list[Verdict]:
        """Return the verdict on each window, shape (n_windows, length, n_axes); see ``Detector.judge``.

        Raises:
            WindowError: If the shape is another, or a sample or score is not finite.
        """
        ...

    def explain(self, window: FloatArray, part: str) -> Explanation:
        """Return what is abnormal about a window of shape (length, n_axes); see ``Detector.explain``."""
        ...


def joined_manifest(manifests: Sequence[Manifest], separator: str, version: str) -> Manifest:
    """Return what several models that take the same windows say as one, whatever their order.

    Of each threshold it is the highest, and of what healthy scores wander the most: what any member excuses.

    Args:
        manifests: One a model, at least one.
        separator: Between their titles, which make the name.
        version: What stands for the version.

    Raises:
        ValueError: If they do not take the same windows; with the first that differs.
    """
    _check_alike(manifests)
    return replace(
        manifests[0],
        name=separator.join(manifest.title for manifest in manifests),
        version=version,
        wander=max(manifest.wander for manifest in manifests),
        thresholds=_highest([manifest.thresholds for manifest in manifests]),
    )


def _check_alike(manifests: Sequence[Manifest]) -> None:
    first = manifests[0]
    for other in manifests[1:]:
        if (other.window, other.axes, other.unit) != (first.window, first.axes, first.unit):
            raise ValueError(
                f"{other.title} takes windows of {other.window.length} (hop {other.window.hop}) of "
                f"{', '.join(other.axes)}, {first.title} of {first.window.length} "
                f"(hop {first.window.hop}) of {', '.join(first.axes)}"
            )


def _highest(thresholds: Sequence[Thresholds]) -> Thresholds:
    return Thresholds(
        max((t.warning for t in thresholds), key=lambda threshold: threshold.score),
        max((t.alarm for t in thresholds), key=lambda threshold: threshold.score),
    )
