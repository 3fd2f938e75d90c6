"""The public recordings as the detection benchmark uses them: to learn from, and to judge.

None of them is part of the repository: JUDDER_DATA names their folder; without it ``../shared/data`` is
looked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

from firmware_bridge.recording import Recording, Segment, load_recording

FloatArray = npt.NDArray[np.float32]

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("JUDDER_DATA", ROOT.parent / "shared" / "data"))

LORENZ_SEVERITIES = (0.05, 0.1, 0.2, 0.5)
_GATEWAY_LSB_G = 0.0039


@dataclass(frozen=True)
class RecordingSet:
    """One machine."""

    name: str
    healthy: tuple[Recording, ...]
    """To learn from."""
    unseen: dict[str, tuple[Recording, ...]]
    """Healthy, held out, by kind."""
    defective: dict[str, tuple[Recording, ...]]
    """By kind of defect."""


def _part(recording: Recording, begin: float, end: float) -> Recording:
    """Return the part between two shares of a recording."""
    low, high = round(begin * len(recording.samples)), round(end * len(recording.samples))
    clipped = ((max(s.start, low) - low, min(s.end, high) - low) for s in recording.segments)
    segments = tuple(Segment(start, stop) for start, stop in clipped if start < stop)
    return replace(recording, samples=recording.samples[low:high], segments=segments)


def _made(
    name: str, samples: npt.NDArray[np.floating], columns: tuple[str, ...], rate_hz: float
) -> Recording:
    whole = (Segment(0, len(samples)),)
    return Recording(Path(name), columns, samples.astype(np.float32), rate_hz, whole, ())


def fan() -> RecordingSet:
    """A ceiling fan, two mountings of the sensor learnt; a coin on a blade makes it quieter."""

    def load(kind: str) -> Recording:
        return load_recording(DATA / "ceiling_fan" / f"fan_0_{kind}.npz")

    low, deploy = load("low_0_weight"), load("low-deploy")
    kinds = ("low_1_weight", "med_0_weight", "high_0_weight", "high_1_weight", "off_0_weight")
    return RecordingSet(
        "fan, two mountings",
        (_part(low, 0, 0.8), _part(deploy, 0, 0.8)),
        {"low_0": (_part(low, 0.8, 1),), "deploy": (_part(deploy, 0.8, 1),)},
        {kind: (load(kind),) for kind in kinds},
    )


def lorenz(seed: int = 0) -> RecordingSet:
    """The Lorenz bearing model with 2 % noise, healthy to a fraction of the way to broken."""
    from firmware_bridge.signals import lorenz_points

    random = np.random.default_rng(seed)
    names = ("x", "y", "z")

    def noisy(points: npt.NDArray[np.float64], scale: npt.NDArray[np.float64]) -> FloatArray:
        return (points + 0.02 * scale * random.standard_normal(points.shape)).astype(np.float32)

    names_on_disk = ("healthy.csv", "healthy_phase_aligned.csv")
    files = [load_recording(DATA / "lorenz" / name, rate_hz=100.0) for name in names_on_disk]
    scale = files[0].samples.std(axis=0).astype(np.float64)
    first, second = (replace(f, samples=noisy(f.samples.astype(np.float64), scale)) for f in files)

    def defect(severity: float) -> Recording:
        points = lorenz_points(3000, a=10 + 20 * severity, b=28 + 100 * severity, c=8 / 3 + 20 / 3 * severity)
        return _made(f"severity {severity}", noisy(points, scale), names, 100.0)

    return RecordingSet(
        "Lorenz, 2 % noise",
        (_part(first, 0, 0.8),),
        {"same run": (_part(first, 0.8, 1),), "other run": (second,)},
        {f"severity {severity:.0%}": (defect(severity),) for severity in LORENZ_SEVERITIES},
    )


def cwru(noise_g: float, seed: int = 0) -> RecordingSet:
    """A motor bearing as a gateway would feel it: 3.2 kHz, white noise, 3.9 mg per LSB, drive end."""
    random = np.random.default_rng(seed)

    def load(name: str) -> Recording:
        samples = load_recording(DATA / "cwru" / f"{name}.npz", columns=["DE"], rate_hz=12000.0).samples
        slow = resample_poly(samples.astype(np.float64), 4, 15, axis=0)
        slow += noise_g * random.standard_normal(slow.shape)
        return _made(name, np.round(slow / _GATEWAY_LSB_G) * _GATEWAY_LSB_G, ("DE",), 3200.0)

    stems = sorted(path.stem for path in (DATA / "cwru").glob("*_*.npz"))
    faults = [stem for stem in stems if not stem.startswith("normal")]
    return RecordingSet(
        f"CWRU 3.2 kHz, {1000 * noise_g:.0f} mg noise",
        (load("normal_0_12k_train"), load("normal_0_12k_validation")),
        {"test": (load("normal_0_12k_test"),)},
        {fault: (load(fault),) for fault in faults},
    )


def recording_sets() -> Iterator[RecordingSet]:
    """Make the sets one by one."""
    yield fan()
    yield lorenz()
    yield cwru(0.004)
    yield cwru(0.05)
