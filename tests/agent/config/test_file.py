"""The configuration file, as a technician would get it wrong."""

from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import Path

import pytest

from agent.config.file import load_config, parse_config
from agent.config.sensor import Combination
from agent.errors import ConfigError
from firmware_bridge.bus.fault_plan import Fault, FaultKind, FaultPlan

ROOT = Path(__file__).parents[3]

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


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    path = tmp_path / "judder.toml"
    path.write_bytes(BOM_UTF8 + GOOD.replace("\n", "\r\n").encode())
    assert load_config(path).gateway.site == "plant-1"


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('"/dev/i2c-1"', '"/dev/i2c\\u0000"', "sensors.press.bus"),
        ('"press-1.judder"', '"a\\u0000"', "sensors.press.bundle"),
        (
            '"/dev/i2c-1"',
            '"sim:a"\nsignal = { kind = "replay", path = "\\u0000.csv" }',
            "sensors.press.signal.path",
        ),
        ('"gw-3"', '"gw-3"\n[uplink]\nhost = "a\\u0000"', "uplink.host"),
    ],
)
def test_a_nul_byte_is_told_with_its_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    (problem,) = refused(GOOD.replace(old, new), tmp_path)
    assert problem.startswith(f"{key} = ")


def test_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "judder.toml"
    path.write_text(GOOD, encoding="utf-16")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_config(path)


def test_the_bundles_of_an_ensemble_start_at_the_file(tmp_path: Path) -> None:
    text = GOOD + '[sensors.press.ensemble]\nbundles = ["b.judder"]\ncombine = "vote"\n'
    sensor = parse_config(text, tmp_path / "judder.toml").sensors["press"]
    assert sensor.bundles == {
        "bundle": tmp_path / "press-1.judder",
        "ensemble.bundles[0]": tmp_path / "b.judder",
    }
    assert sensor.ensemble is not None
    assert sensor.ensemble.combine is Combination.VOTE


@pytest.mark.parametrize(
    ("listen", "address"), [("127.0.0.1:9110", ("127.0.0.1", 9110)), ("[::1]:80", ("::1", 80))]
)
def test_the_address_of_the_metrics(tmp_path: Path, listen: str, address: tuple[str, int]) -> None:
    config = parse_config(GOOD + f'[metrics]\nlisten = "{listen}"\n', tmp_path / "judder.toml")
    assert config.metrics is not None
    assert config.metrics.address == address


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
        (
            ("rate_hz = 800", 'rate_hz = "fast"'),
            "sensors.press.rate_hz = 'fast': expected a number, 0.1 to 100000 Hz",
        ),
        (("rate_hz = 800", "rate_hz = 0"), "sensors.press.rate_hz = 0: expected 0.1 to 100000 Hz"),
        (("rate_hz", "rate"), "sensors.press.rate: unknown key; did you mean 'rate_hz'?"),
        (('bundle = "press-1.judder"', ""), "sensors.press: give either 'bundle', or a table"),
        (
            ('"plant-1"', '"plant/1"'),
            "gateway.site = 'plant/1': expected 1 to 64 letters",
        ),
        (("[sensors.press]", '[sensors."a b"]'), "expected 1 to 64 letters, digits, '_' or '-'"),
        (('"/dev/i2c-1"', '"sim:bench"'), "a simulated bus needs a table 'signal'"),
        (("rate_hz = 800", "rate_hz = 800\naddress = 0x99"), "sensors.press.address = 153"),
        (("rate_hz = 800", "rate_hz = 800\nalarm = {k = 3, n = 2}"), "can never happen"),
        (("rate_hz = 800", "rate_hz = 800\nalarm = {persistence_hours = 0.5}"), "1 h or more, or 0"),
        (("rate_hz = 800", "rate_hz = 800\nalarm = {persistence_hours = -1}"), "persistence_hours = -1"),
        (("[gateway]", "[gateway"), "not valid TOML"),
        (
            ("[gateway]", '[metrics]\nlisten = "0.0.0.0:9110"\n[gateway]'),
            "metrics.listen = '0.0.0.0:9110': expected a local address",
        ),
        (
            ("[gateway]", "[history]\ncleared_alerts = -1\n[gateway]"),
            "history.cleared_alerts = -1: expected 0 to 1e+07 alerts",
        ),
        (
            ("[gateway]", '[uplink]\nhost = "b"\ntransport = "udp"\n[gateway]'),
            "uplink.transport = 'udp': expected one of tcp, websockets",
        ),
        (
            (
                "[sensors.press]",
                '[sensors.press.ensemble]\nbundles = ["b"]\ncombine = "x"\n[sensors.press]',
            ),
            "sensors.press.ensemble.combine = 'x': expected one of max, mean, vote",
        ),
        (("[sensors.press]", "[sensors.press.ensemble]\nbundles = []\n[sensors.press]"), "at least one"),
        (('"/dev/i2c-1"', '"iio:0"'), "chip 'iio' and a bus 'iio:NAME' go together; here: adxl345 on iio:0"),
        (('"/dev/i2c-1"', '"/dev/i2c-1"\nchip = "iio"'), "go together; here: iio on /dev/i2c-1"),
        (('"/dev/i2c-1"', '"iio:0"\nchip = "iio"\naddress = 0x53'), "'address' is for chips on an I2C bus"),
    ],
)
def test_mistakes(change: tuple[str, str], expected: str, tmp_path: Path) -> None:
    text = GOOD.replace(*change)
    assert text != GOOD
    assert any(expected in problem for problem in refused(text, tmp_path))


def test_a_device_of_the_kernel(tmp_path: Path) -> None:
    text = GOOD.replace('"/dev/i2c-1"', '"iio:lis3dh_accel"\nchip = "iio"')
    sensor = parse_config(text, tmp_path / "judder.toml").sensors["press"]
    assert (sensor.bus, sensor.chip, sensor.simulated) == ("iio:lis3dh_accel", "iio", False)


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


SIMULATED = GOOD.replace("/dev/i2c-1", "sim:press") + '[sensors.press.signal]\nkind = "rotor"\n'


def test_faults_of_a_simulated_sensor(tmp_path: Path) -> None:
    text = SIMULATED + '[sensors.press.faults]\nseed = 3\nplan = [{kind = "nak", at_s = 2, share = 0.5}]\n'
    faults = parse_config(text, tmp_path / "judder.toml").sensors["press"].faults
    assert faults == FaultPlan((Fault(FaultKind.NAK, 2.0, 1.0, 0.5),), seed=3)


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ('{kind = "knock", at_s = 2}', "sensors.press.faults.plan[0].kind = 'knock': expected one of nak"),
        ('{kind = "nak"}', "sensors.press.faults.plan[0].at_s: missing"),
        ('{kind = "nak", at_s = -2}', "sensors.press.faults.plan[0]: fault 'nak': at_s = -2.0"),
        ('{kind = "frozen_axis", at_s = 0, axis = "w"}', "axis = 'w': expected one of x, y, z"),
    ],
)
def test_mistakes_in_a_fault_plan(plan: str, expected: str, tmp_path: Path) -> None:
    (problem,) = refused(SIMULATED + f"[sensors.press.faults]\nplan = [{plan}]\n", tmp_path)
    assert expected in problem


def test_faults_of_a_real_sensor_are_refused(tmp_path: Path) -> None:
    (problem,) = refused(GOOD + "[sensors.press.faults]\nplan = []\n", tmp_path)
    assert "'faults' is for simulated buses; /dev/i2c-1 is a real one" in problem


def test_evidence(tmp_path: Path) -> None:
    config = parse_config(GOOD, tmp_path / "judder.toml")
    assert (config.evidence.before_s, config.evidence.after_s, config.evidence.max_mb) == (10.0, 5.0, 100.0)
    (problem,) = refused(GOOD + "[evidence]\nafter_s = 0\n", tmp_path)
    assert "evidence.after_s = 0: expected 0.1 to 300 s" in problem
