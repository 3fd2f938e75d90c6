"""Fixtures that several folders share."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from agent.inference.bundle import GOLDEN, MANIFEST
from agent.inference.detector import Detector
from agent.inference.level import LevelPart
from agent.inference.manifest import Manifest, manifest_bytes
from agent.inference.scoring import Tail, Threshold, Thresholds
from agent.inference.window import WindowSpec

# A level detector whose numbers can be followed by hand: with one axis of healthy RMS 1 g the raw score is
# (RMS - 1) / 0.1 upwards and (1 - RMS) / 0.1 downwards; ranks reach from -1 to 1, from there on the tail is
# exponential with scale 1.
EASY_TAIL = Tail(body=(-1.0, 0.0, 1.0), shape=0.0, scale=1.0)

# How long an example takes says more of the machine than of the code.
settings.register_profile("judder", deadline=None)
settings.load_profile("judder")

MakeBundle = Callable[..., Path]


@pytest.fixture(scope="session")
def level_manifest() -> Manifest:
    """A detector of the level of one axis, 64 samples at 800 Hz, no network."""
    return level_bundle(("x",), 64, 800.0)


def level_bundle(axes: tuple[str, ...], length: int, rate_hz: float | None) -> Manifest:
    """Return the manifest of a detector of the level of all axes, which are healthy at 1 g RMS."""
    columns = 1 if len(axes) == 1 else len(axes) + 1
    medians = tuple([1.0] * len(axes) + [float(np.sqrt(len(axes)))] * (columns > 1))
    part = LevelPart(
        kind="level",
        name="level",
        weight=1.0,
        median_rms_g=medians,
        high=(0.1,) * columns,
        low=(0.1,) * columns,
        tails=(EASY_TAIL,) * columns,
    )
    return Manifest(
        schema=1,
        name="easy",
        version="1",
        axes=axes,
        unit="g",
        window=WindowSpec(length, length // 2),
        parts=(part,),
        combination=Tail(body=(0.0, 1.0, 2.302585), shape=0.0, scale=1.0),
        thresholds=Thresholds(Threshold(2.5, "rate:0.005"), Threshold(3.0, "rate:0.001")),
        runtime="none",
        golden_tolerance=0.1,
        members={},
        provenance={},
        rate_hz=rate_hz,
    )


@pytest.fixture
def make_bundle(tmp_path: Path) -> MakeBundle:
    """Return what writes a bundle without a network, of one part that watches the level."""

    def make(
        name: str = "easy-1.judder",
        axes: tuple[str, ...] = ("x", "y", "z"),
        length: int = 64,
        rate_hz: float | None = 800.0,
    ) -> Path:
        return write_bundle(tmp_path / name, level_bundle(axes, length, rate_hz))

    return make


def write_bundle(path: Path, manifest: Manifest) -> Path:
    """Write a bundle that fits the manifest, golden windows included; return its path."""
    noise = np.random.default_rng(0).standard_normal((4, manifest.window.length, len(manifest.axes)))
    windows = (noise * np.array([1.0, 1.0, 1.0, 3.0])[:, None, None]).astype(np.float32)
    scores = Detector(manifest, {}).scores(windows)
    golden = io.BytesIO()
    np.savez(golden, windows=windows, scores=scores.astype(np.float32))
    digest = hashlib.sha256(golden.getvalue()).hexdigest()
    document = manifest_bytes(Manifest(**{**vars(manifest), "members": {GOLDEN: digest}}))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MANIFEST, document)
        archive.writestr(GOLDEN, golden.getvalue())
    return path
