"""Models by regime: which one judges, and what is not judged at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import assembly
from agent.config.file import Config, parse_config
from agent.errors import ConfigError
from agent.inference.arrays import FloatArray
from agent.inference.detector import open_detector
from agent.inference.scoring import Level
from agent.judging.regime import Band, CommandedRegime, RegimeJudge, SpeedRegime, strongest_line_hz
from firmware_bridge.clock import SimulatedClock

MakeBundle = Callable[..., Path]
RATE_HZ = 800.0
SEARCH = Band(5.0, 100.0)
BANDS = {"slow": Band(15.0, 25.0), "fast": Band(40.0, 60.0)}


def running(speed_hz: float, *, length: int = 512, seed: int = 0, noise_g: float = 0.1) -> FloatArray:
    """Return a window of a machine: its speed's line, weaker harmonics, noise."""
    times_s = np.arange(length) / RATE_HZ
    line = sum(np.sin(2 * np.pi * n * speed_hz * times_s) / n**2 for n in (1, 2, 3))
    noise = noise_g * np.random.default_rng(seed).standard_normal((length, 3))
    window: FloatArray = (np.outer(line, (1.0, 0.3, 0.1)) + noise + (0, 0, 1)).astype(np.float32)
    return window


# A bin is 1.56 Hz wide; a Hann window's parabola is off by at most a twentieth of one, and noise adds to it.
@given(st.floats(7.0, 95.0), st.integers(0, 2**32 - 1))
def test_the_line_is_found_between_the_bins(speed_hz: float, seed: int) -> None:
    found = strongest_line_hz(running(speed_hz, seed=seed), RATE_HZ, SEARCH)
    assert found == pytest.approx(speed_hz, abs=0.25)


def test_noise_and_standstill_have_no_line() -> None:
    noise = np.random.default_rng(1).standard_normal((400, 512, 3)).astype(np.float32)
    assert [strongest_line_hz(window, RATE_HZ, SEARCH) for window in noise] == [None] * 400
    assert strongest_line_hz(np.zeros((512, 3), np.float32), RATE_HZ, SEARCH) is None


def test_a_line_outside_the_search_is_not_seen() -> None:
    assert strongest_line_hz(running(150.0), RATE_HZ, SEARCH) is None
    assert strongest_line_hz(running(20.0), RATE_HZ, Band(390.0, 399.0)) is None
    assert strongest_line_hz(running(20.0), RATE_HZ, Band(500.0, 600.0)) is None


@pytest.mark.parametrize(
    ("speed_hz", "regime"), [(20.0, "slow"), (50.0, "fast"), (33.0, None), (90.0, None), (12.0, None)]
)
def test_the_speed_tells_the_regime(speed_hz: float, regime: str | None) -> None:
    assert SpeedRegime(RATE_HZ, SEARCH, BANDS).regime_of(running(speed_hz)) == regime


@pytest.fixture
def told() -> CommandedRegime:
    return CommandedRegime(None)


@pytest.fixture
def judge(make_bundle: MakeBundle, told: CommandedRegime) -> RegimeJudge:
    """Return two models of windows of 64 that begin every 32."""
    members = {name: open_detector(make_bundle(f"{name}.judder"))[0] for name in ("slow", "fast")}
    return RegimeJudge(members, told)


NOISE = np.random.default_rng(0).standard_normal((64, 3)).astype(np.float32)


def test_a_window_is_judged_once_no_overlapping_one_says_otherwise(
    judge: RegimeJudge, told: CommandedRegime
) -> None:
    assert not judge.admits(NOISE)
    said = [None, "slow", "slow", "slow", "fast", "fast", "slow", "fast", "fast", "fast", None, "slow"]
    expected = [None, None, "slow", "slow", None, "fast", None, None, "fast", "fast", None, None]
    for name, regime in zip(said, expected, strict=True):
        told.name = name
        assert judge.admits(NOISE) == (regime is not None)
        assert judge.current == regime


def test_the_verdict_names_the_regime(judge: RegimeJudge, told: CommandedRegime) -> None:
    told.name = "fast"
    judge.admits(NOISE)
    assert judge.admits(NOISE)
    (verdict,) = judge.judge(3 * NOISE[np.newaxis])
    assert (verdict.part, verdict.level) == ("fast/level", Level.ALARM)
    assert judge.explain(NOISE, verdict.part).statistics[0].axis == "x"
    assert judge.manifest.title == "easy-1 / easy-1-regimes"
    assert judge.regimes == ("slow", "fast")


def test_models_of_other_windows_are_refused(make_bundle: MakeBundle) -> None:
    members = {str(n): open_detector(make_bundle(f"{n}.judder", length=n))[0] for n in (64, 128)}
    with pytest.raises(ValueError, match=r"easy-1 takes windows of 128"):
        RegimeJudge(members, CommandedRegime(None))


BY_SPEED = """
[gateway]
site = "plant-1"
name = "gw-3"
[sensors.press]
bus = "sim:press"
rate_hz = 800
[sensors.press.signal]
kind = "rotor"
[sensors.press.regimes]
by = "speed"
search_hz = [5, 200]
models.slow = { bundle = "slow.judder", speed_hz = [15, 30] }
models.fast = { bundle = "fast.judder", speed_hz = [40, 60] }
"""
BY_COMMAND = (
    BY_SPEED.replace('"speed"', '"command"').replace("search_hz = [5, 200]", "")
    .replace(", speed_hz = [15, 30]", "").replace(", speed_hz = [40, 60]", "")
)  # fmt: skip


def read(text: str, folder: Path) -> Config:
    return parse_config(text, folder / "judder.toml")


@pytest.mark.parametrize("text", [BY_SPEED, BY_COMMAND])
def test_a_good_configuration(text: str, tmp_path: Path, make_bundle: MakeBundle) -> None:
    for name in ("slow", "fast"):
        make_bundle(f"{name}.judder")
    config = read(text, tmp_path)
    assembly.prepare(config, SimulatedClock())
    assert config.sensors["press"].bundles == {
        "regimes.models.slow.bundle": tmp_path / "slow.judder",
        "regimes.models.fast.bundle": tmp_path / "fast.judder",
    }


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (('by = "speed"', 'by = "mood"'), "regimes.by = 'mood': expected one of command, speed"),
        ((", speed_hz = [15, 30]", ""), 'models.slow: needs speed_hz, with by = "speed"'),
        (("search_hz = [5, 200]", ""), 'search_hz and by = "speed" go together'),
        (('by = "speed"', 'by = "command"'), 'models.slow: must not have speed_hz, with by = "command"'),
        (("[15, 30]", "[15]"), "models.slow.speed_hz: expected [low, high] in Hz"),
        (("[15, 30]", "[30, 15]"), "models.slow.speed_hz: expected [low, high] in Hz"),
        (("[15, 30]", "[15, 45]"), "models.slow.speed_hz and models.fast.speed_hz overlap"),
        (("[40, 60]", "[40, 400]"), "models.fast.speed_hz: reaches beyond search_hz"),
        (("[15, 30]", "[-1, 30]"), "models.slow.speed_hz[0] = -1: expected 0.01 to 100000 Hz"),
        (("rate_hz = 800", 'rate_hz = 800\nbundle = "a"'), "give either 'bundle', or a table 'regimes'"),
        (("[sensors.press.regimes]", '[sensors.press.ensemble]\nbundles=["a"]\n[sensors.press.regimes]'),
         "'ensemble' goes with 'bundle', not with 'regimes'"),
    ],
)  # fmt: skip
def test_mistakes(change: tuple[str, str], expected: str, tmp_path: Path) -> None:
    text = BY_SPEED.replace(*change)
    assert text != BY_SPEED
    with pytest.raises(ConfigError) as caught:
        read(text, tmp_path)
    assert any(expected in problem for problem in caught.value.problems), caught.value.problems


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        # 800 Hz in windows of 64: 12.5 Hz.
        (("[15, 30]", "[15, 25]"), "models.slow.speed_hz is narrower than what a window tells apart"),
        (("[5, 200]", "[5, 100]"), "search_hz must be 150 Hz wide for these windows"),
    ],
)
def test_what_the_windows_do_not_resolve_is_refused(
    change: tuple[str, str], expected: str, tmp_path: Path, make_bundle: MakeBundle
) -> None:
    for name in ("slow", "fast"):
        make_bundle(f"{name}.judder")
    with pytest.raises(ConfigError, match=expected):
        assembly.prepare(read(BY_SPEED.replace(*change), tmp_path), SimulatedClock())
