"""Rules between the fields of a table: what goes together, and what excludes what."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.sensor import Ensemble, RegimeModel, Regimes, Sensor
from agent.config.uplink import BrokerSettings, SparkplugSettings, TlsSettings
from firmware_bridge.bus.fault_plan import FaultPlan

BUNDLE = Path("a.judder")
BY_COMMAND = Regimes("command", {"slow": RegimeModel(BUNDLE)})
REAL: dict[str, Any] = {"bus": "/dev/i2c-1", "rate_hz": 800.0, "bundle": BUNDLE}
SIMULATED: dict[str, Any] = REAL | {"bus": "sim:press", "signal": {"kind": "silence"}}
KERNEL: dict[str, Any] = REAL | {"bus": "iio:0", "chip": "iio"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (REAL | {"bundle": None}, "give either 'bundle', or a table 'regimes'"),
        (REAL | {"regimes": BY_COMMAND}, "give either 'bundle', or a table 'regimes'"),
        (
            REAL | {"bundle": None, "regimes": BY_COMMAND, "ensemble": Ensemble((BUNDLE,))},
            "'ensemble' goes with 'bundle', not with 'regimes'",
        ),
        (SIMULATED | {"signal": None}, "a simulated bus needs a table 'signal'"),
        (REAL | {"signal": {"kind": "rotor"}}, "'signal' is for simulated buses; /dev/i2c-1 is a real one"),
        (KERNEL | {"faults": FaultPlan()}, "'faults' is for simulated buses; iio:0 is a real one"),
        (KERNEL | {"chip": "adxl345"}, "go together; here: adxl345 on iio:0"),
        (SIMULATED | {"chip": "iio"}, "go together; here: iio on sim:press"),
        (KERNEL | {"address": 0x53}, "the kernel knows that of an iio device"),
    ],
)
def test_what_a_sensor_cannot_be(fields: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        Sensor(**fields)


@pytest.mark.parametrize(
    "fields",
    [REAL, SIMULATED | {"faults": FaultPlan()}, KERNEL, REAL | {"bundle": None, "regimes": BY_COMMAND}],
)
def test_what_a_sensor_can_be(fields: dict[str, Any]) -> None:
    assert Sensor(**fields).simulated is fields["bus"].startswith("sim:")


def test_the_bundles_of_a_sensor_by_their_places() -> None:
    models = {"slow": RegimeModel(Path("s.judder")), "fast": RegimeModel(Path("f.judder"))}
    by_regime = Sensor(**REAL | {"bundle": None, "regimes": Regimes("command", models)})
    assert by_regime.bundles == {
        "regimes.models.slow.bundle": Path("s.judder"),
        "regimes.models.fast.bundle": Path("f.judder"),
    }
    assert Sensor(**REAL).bundles == {"bundle": BUNDLE}


def by_speed(search: tuple[float, ...] | None, **bands: tuple[float, ...] | None) -> Regimes:
    return Regimes("speed", {name: RegimeModel(BUNDLE, band) for name, band in bands.items()}, search)


@pytest.mark.parametrize(
    ("search", "bands", "expected"),
    [
        ((5, 60), {"slow": None}, 'models.slow: needs speed_hz, with by = "speed"'),
        (None, {"slow": (10, 20)}, 'search_hz and by = "speed" go together'),
        ((5, 60), {"slow": (10, 20, 30)}, r"models.slow.speed_hz: expected [low, high] in Hz"),
        ((5, 60), {"slow": (20, 20)}, r"models.slow.speed_hz: expected [low, high] in Hz"),
        ((60, 5), {"slow": (10, 20)}, r"search_hz: expected [low, high] in Hz"),
        ((5, 60), {"slow": (4.9, 20)}, "models.slow.speed_hz: reaches beyond search_hz"),
        ((5, 60), {"slow": (10, 60.1)}, "models.slow.speed_hz: reaches beyond search_hz"),
        (
            (5, 60),
            {"fast": (20, 30), "slow": (10, 20)},
            "models.slow.speed_hz and models.fast.speed_hz overlap",
        ),
        ((5, 60), {}, "models: at least one table is needed"),
    ],
)
def test_bands_of_speed_that_cannot_be(
    search: tuple[float, ...] | None, bands: dict[str, tuple[float, ...]], expected: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        by_speed(search, **bands)


def test_who_is_told_the_regime_needs_no_speed() -> None:
    with pytest.raises(ValueError, match="must not have speed_hz"):
        Regimes("command", {"slow": RegimeModel(BUNDLE, (10.0, 20.0))})
    with pytest.raises(ValueError, match="go together"):
        Regimes("command", {"slow": RegimeModel(BUNDLE)}, search_hz=(5.0, 60.0))


edges = st.lists(st.integers(1, 100), min_size=2, max_size=2, unique=True).map(
    lambda pair: tuple(sorted(pair))
)


@given(st.lists(edges, min_size=1, max_size=4))
def test_bands_are_taken_just_if_no_speed_lies_in_two(bands: list[tuple[int, int]]) -> None:
    named = {f"r{number}": (float(low), float(high)) for number, (low, high) in enumerate(bands)}
    shared = any(sum(low <= speed <= high for low, high in bands) > 1 for speed in range(1, 101))
    if shared:
        with pytest.raises(ValueError, match="overlap"):
            by_speed((1.0, 100.0), **named)
    else:
        assert len(by_speed((1.0, 100.0), **named).models) == len(bands)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"password_file": BUNDLE}, "a password needs username"),
        ({"password_credential": "mqtt"}, "a password needs username"),
        (
            {"username": "u", "password_file": BUNDLE, "password_credential": "mqtt"},
            "password_file and password_credential exclude each other",
        ),
        (
            {"sparkplug": SparkplugSettings(), "commands": True},
            "'commands' speaks JSON, and 'sparkplug' is spoken",
        ),
        ({"sparkplug": SparkplugSettings(), "home_assistant": True}, "'home_assistant' speaks JSON"),
    ],
)
def test_what_an_uplink_cannot_be(fields: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        BrokerSettings("broker", **fields)


def test_a_key_needs_its_certificate() -> None:
    with pytest.raises(ValueError, match="key_file needs cert_file"):
        TlsSettings(key_file=BUNDLE)
    assert TlsSettings(cert_file=BUNDLE).key_file is None  # the key may be in the certificate's file
