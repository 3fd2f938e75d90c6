"""A configuration that cannot work: everything that is wrong, in one go, each with its key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent import assembly
from agent.config.file import parse_config
from agent.errors import ConfigError
from firmware_bridge.clock import SimulatedClock

TEXT = """
[gateway]
site = "plant"
name = "gateway"
[sensors.unknown]
bus = "sim:a"
chip = "adxl999"
rate_hz = 800
bundle = "good.judder"
signal = {{ kind = "silence" }}
[sensors.press]
bus = "/dev/i2c-1"
rate_hz = 801
range_g = 3
address = 0x10
bundle = "missing.judder"
[sensors.fan]
bus = "sim:b"
rate_hz = 400
bundle = "good.judder"
signal = {{ kind = "banana" }}
[sensors.pump]
bus = "sim:c"
rate_hz = 800
bundle = "{axes}"
signal = {{ kind = "silence" }}
"""


def problems(text: str, folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        assembly.prepare(parse_config(text, folder / "judder.toml"), SimulatedClock())
    return list(caught.value.problems)


def test_every_problem_is_told_with_its_key(tmp_path: Path, make_bundle: Callable[..., Path]) -> None:
    make_bundle("good.judder")
    make_bundle("current.judder", axes=("current",))
    found = problems(TEXT.format(axes="current.judder"), tmp_path)
    beginnings = [
        "sensors.unknown.chip: unknown accelerometer 'adxl999'; known are: ",
        "sensors.press.address: adxl345 has no address 0x10; choose 0x53 or 0x1d",
        "sensors.press.rate_hz: adxl345 offers no rate of 801 Hz; choose ",
        "sensors.press.range_g: adxl345 offers no range of 3 g; choose 2, 4, 8, 16",
        f"sensors.press.bundle: {tmp_path / 'missing.judder'}: ",
        "sensors.fan.signal: ",
        "sensors.fan.rate_hz = 400: good.judder was trained at 800 Hz",
        "sensors.pump.bundle: it takes the axes current; a sensor has x, y and z",
    ]
    assert len(found) == len(beginnings)
    for problem, beginning in zip(found, beginnings, strict=True):
        assert problem.startswith(beginning), problem


def test_a_bundle_of_an_ensemble_is_told_by_its_place(
    tmp_path: Path, make_bundle: Callable[..., Path]
) -> None:
    make_bundle("good.judder")
    text = """
    gateway = { site = "plant", name = "gateway" }
    [sensors.press]
    bus = "sim:a"
    rate_hz = 800
    bundle = "good.judder"
    signal = { kind = "silence" }
    ensemble = { bundles = ["good.judder", "none.judder"] }
    """
    (problem,) = problems(text, tmp_path)
    assert problem.startswith("sensors.press.ensemble.bundles[1]: ")
