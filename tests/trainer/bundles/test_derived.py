"""A calibration refits all that is not the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.inference.bundle import Bundle, read_bundle
from agent.inference.distance import DistancePart
from agent.inference.features import centred
from agent.inference.level import LevelPart
from trainer.bundles.derived import recalibrate
from trainer.bundles.writing import Target
from trainer.errors import DataError
from trainer.parts.distances import fit_bands, fit_time

Run = Callable[..., Any]
DEMO = Path(__file__).parents[3] / "agent" / "demo" / "demo-1.judder"


@pytest.fixture
def bundle() -> Bundle:
    """The demo's network beside parts fitted to noise of 1 g."""
    found = read_bundle(DEMO)
    noise = np.random.default_rng(0).standard_normal((200, 256, 3)).astype(np.float32)
    level, network = found.manifest.parts
    time, bands = fit_time(centred(noise), 0.2, 1.0), fit_bands(centred(noise), 0.3, 1.0)
    named = replace(bands, name="hum")
    return replace(found, manifest=replace(found.manifest, parts=(level, time, named, network)))


def test_levels_distances_and_tails_follow_the_new_mounting(
    bundle: Bundle, make_source: Run, tmp_path: Path
) -> None:
    noise = 0.25 * np.random.default_rng(1).standard_normal((16_000, 3)).astype(np.float32)
    source = make_source(noise, rate_hz=800.0)
    report = recalibrate(bundle, [source], Target(tmp_path / "demo-2.judder", "demo", "2"), None)
    old, new = bundle.manifest.parts, report.manifest.parts
    assert [(part.name, part.weight) for part in new] == [(part.name, part.weight) for part in old]
    level, time, bands, network = new
    assert isinstance(level, LevelPart)
    assert level.median_rms_g == pytest.approx((0.25, 0.25, 0.25, 0.433), rel=0.02)
    for part in (time, bands):
        assert isinstance(part, DistancePart)
        assert part.tails
    assert isinstance(time, DistancePart)
    assert time.columns.kind == "time"
    assert time.columns.median_rms_g == pytest.approx((0.25,) * 3, rel=0.02)
    assert replace(network, tails=()) == replace(old[3], tails=())
    assert network.tails != old[3].tails
    # Of independent noise about one window in 200 is a warning, whatever the calibration has seen.
    warning, alarm = report.false_alarms
    assert (warning.windows, warning.independent) == (465, 58)  # 93 in each of five blocks of 3200 rows
    assert alarm.alarms <= warning.alarms <= 20


def test_too_short_and_of_another_rate_are_refused(bundle: Bundle, make_source: Run, tmp_path: Path) -> None:
    target = Target(tmp_path / "demo-2.judder", "demo", "2")
    noise = np.random.default_rng(1).standard_normal((4_000, 3)).astype(np.float32)
    with pytest.raises(DataError, match="a calibration needs about 6400 samples"):
        recalibrate(bundle, [make_source(noise, rate_hz=800.0)], target, None)
    with pytest.raises(DataError, match="sampled at 400 Hz, the model was trained at 800 Hz"):
        recalibrate(bundle, [make_source(noise, rate_hz=400.0)], target, None)
    assert list(tmp_path.iterdir()) == []
