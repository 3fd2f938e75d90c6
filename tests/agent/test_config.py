"""The configuration file, as a technician would get it wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import load_config, parse_config
from agent.errors import ConfigError

ROOT = Path(__file__).parents[2]

GOOD = """
[gateway]
site = "plant-1"
name = "gw-3"
[sensors.press]
bus = "/dev/i2c-1"
rate_hz = 800
bundle = "press-1.judder"
"""


def refused(text: str, tmp_path: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, tmp_path / "judder.toml")
    assert str(tmp_path / "judder.toml") in str(caught.value)
    return caught.value.problems


def test_defaults_and_relative_paths(tmp_path: Path) -> None:
    config = parse_config(GOOD, tmp_path / "judder.toml")
    sensor = config.sensors["press"]
    assert (sensor.chip, sensor.range_g, sensor.address, sensor.simulated) == ("adxl345", 16.0, None, False)
    assert sensor.bundle == tmp_path / "press-1.judder"
    assert (sensor.alarm.k, sensor.alarm.n) == (2, 3)
    assert config.uplink is None
    assert config.database == Path("/var/lib/judder/judder.db")
    assert config.control_socket == Path("/run/judder/control.sock")


def test_the_example_beside_the_unit_is_good() -> None:
    config = load_config(ROOT / "systemd/judder.toml")
    assert config.uplink is not None
    assert config.uplink.tls is not None
    assert config.uplink.port == 8883


def test_the_embedded_demo_is_good() -> None:
    assert load_config(ROOT / "agent/demo/demo.toml").sensors["demo"].simulated


def test_uplink_paths_start_at_the_file(tmp_path: Path) -> None:
    text = (
        GOOD
        + '[uplink]\nhost = "b"\nusername = "u"\npassword_file = "pw"\n[uplink.tls]\nca_file = "ca.pem"\n'
    )
    uplink = parse_config(text, tmp_path / "judder.toml").uplink
    assert uplink is not None
    assert uplink.tls is not None
    assert uplink.password_file == tmp_path / "pw"
    assert uplink.tls.ca_file == tmp_path / "ca.pem"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("rate_hz = 800", 'rate_hz = "fast"'), "sensors.press.rate_hz = 'fast': expected a number"),
        (("rate_hz = 800", "rate_hz = 0"), "sensors.press.rate_hz = 0: expected 0.1 to 100000 Hz"),
        (("rate_hz", "rate"), "sensors.press.rate: unknown key; did you mean 'rate_hz'?"),
        (('bundle = "press-1.judder"', ""), "sensors.press.bundle: missing"),
        (
            ('"plant-1"', '"plant/1"'),
            "gateway.site = 'plant/1': expected 1 to 64 letters",
        ),
        (("[sensors.press]", '[sensors."a b"]'), "expected 1 to 64 letters, digits, '_' or '-'"),
        (('"/dev/i2c-1"', '"sim:bench"'), "a simulated bus needs a table 'signal'"),
        (("rate_hz = 800", "rate_hz = 800\naddress = 0x99"), "sensors.press.address = 153"),
        (("rate_hz = 800", "rate_hz = 800\nalarm = {k = 3, n = 2}"), "can never happen"),
        (("[gateway]", "[gateway"), "not valid TOML"),
    ],
)
def test_mistakes(change: tuple[str, str], expected: str, tmp_path: Path) -> None:
    text = GOOD.replace(*change)
    assert text != GOOD
    assert any(expected in problem for problem in refused(text, tmp_path))


def test_a_signal_on_a_real_bus_is_refused(tmp_path: Path) -> None:
    (problem,) = refused(GOOD + '[sensors.press.signal]\nkind = "rotor"\n', tmp_path)
    assert "real one" in problem


def test_no_sensor_is_refused(tmp_path: Path) -> None:
    text = '[gateway]\nsite = "a"\nname = "b"\n[sensors]\n'
    assert "at least one" in refused(text, tmp_path)[0]


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("rate_hz = 800", "rate_hz = -1").replace("site", "sight")
    assert len(refused(text, tmp_path)) == 3


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "judder.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"judder\.toml"):
        load_config(path)
