"""A bundle of the default detector, learnt quickly: how long a window takes does not depend on how well."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agent.inference.bundle import Bundle, read_bundle
from firmware_bridge.recording import Recording, Segment
from trainer.bundles.writing import Target
from trainer.fit import fit
from trainer.networks.models.patches import REPORTS
from trainer.recordings.datasets import simulated_source
from trainer.settings import FitSettings

RATE_HZ = 3200.0

_SECONDS = 20.0
_SHAFT_HZ = 25.0
_NOISE_G = 0.05


def healthy(seconds: float) -> npt.NDArray[np.float32]:
    """Return three axes of a shaft's first harmonics in noise, shape (n_samples, 3)."""
    random = np.random.default_rng(0)
    turns = _SHAFT_HZ * np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    samples = random.normal(0.0, _NOISE_G, (len(turns), 3))
    for harmonic in (1, 2, 3, 5):
        phases, amplitudes = random.uniform(0, 1, 3), random.uniform(0.02, 0.2, 3)
        samples += amplitudes * np.sin(2 * np.pi * (harmonic * turns[:, np.newaxis] + phases))
    return samples.astype(np.float32)


def default_bundle() -> Bundle:
    """Return the default detector of a machine with three axes at 3.2 kHz, int8, windows of 512."""
    samples = healthy(_SECONDS)
    whole = (Segment(0, len(samples)),)
    recording = Recording(Path("healthy.npz"), ("x", "y", "z"), samples, RATE_HZ, whole, ())
    settings = FitSettings(steps=REPORTS, folds=2)
    with tempfile.TemporaryDirectory() as folder:
        target = Target(Path(folder) / "default-1.judder", "default", "1")
        fit([simulated_source("healthy", recording)], settings, target, None, lambda what, share: None)
        return read_bundle(target.path)
