"""What a configuration needs of this machine: told before the daemon starts, in one go, each with its key."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent import preflight
from agent.config.file import Config, parse_config
from agent.errors import ConfigError

MakeBundle = Callable[..., Path]

SENSOR = """
[gateway]
site = "plant"
name = "gateway"
[sensors.press]
bus = "/dev/i2c-1"
rate_hz = 800
bundle = "good.judder"
"""


def config(folder: Path, text: str) -> Config:
    return parse_config(text, folder / "judder.toml")


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        preflight.check(config(folder, text))
    return list(caught.value.problems)


@pytest.fixture
def folder(tmp_path: Path, make_bundle: MakeBundle) -> Path:
    """A folder with a bundle, and with what is in the way of others."""
    make_bundle("good.judder")
    (tmp_path / "file").write_text("no folder")
    return tmp_path


def test_everything_is_told_in_one_go(folder: Path) -> None:
    text = f"""
    state_dir = "file"
    runtime_dir = "file/run"
    {SENSOR.replace("/dev/i2c-1", "banana").replace("good.judder", "none.judder")}
    [sensors.fan]
    bus = "sim:fan"
    rate_hz = 800
    bundle = "good.judder"
    signal = {{ kind = "replay", path = "absent.csv" }}
    [uplink]
    host = "broker"
    username = "judder"
    password_file = "password"
    [uplink.tls]
    ca_file = "ca.pem"
    cert_file = "own.pem"
    """
    beginnings = [
        "sensors.press.bus: 'banana' is no bus; name a device node such as /dev/i2c-1, iio:NAME or sim:NAME",
        f"sensors.press.bundle: {folder / 'none.judder'}: no such file",
        "sensors.fan.signal: absent.csv: ",
        f"state_dir = {folder / 'file'}: cannot be used: it is a file",
        f"runtime_dir = {folder / 'file' / 'run'}: cannot be used: Not a directory",
        f"uplink.password_file: password file {folder / 'password'}: No such file or directory; check ",
        f"uplink.tls.ca_file: TLS file {folder / 'ca.pem'}: No such file or directory; check ca_file",
        f"uplink.tls.cert_file: TLS file {folder / 'own.pem'}: No such file or directory; check cert_file",
    ]
    found = problems(folder, text)
    assert len(found) == len(beginnings), found
    for problem, beginning in zip(found, beginnings, strict=True):
        assert problem.startswith(beginning), problem


@pytest.mark.parametrize("bus", ["banana", "mqtt:x", "i2c-1", "", "dev/i2c-1", "SIM:a", "1.5", "-1"])
def test_what_is_no_bus(folder: Path, bus: str) -> None:
    (problem,) = problems(folder, SENSOR.replace("/dev/i2c-1", bus))
    assert problem.startswith(f"sensors.press.bus: '{bus}' is no bus; ")


@pytest.mark.parametrize("bus", ["/dev/i2c-250", "250", "/dev/serial/by-id/adapter"])
def test_a_bus_that_may_come_later_is_no_problem_but_noted(folder: Path, bus: str) -> None:
    good = config(folder, SENSOR.replace("/dev/i2c-1", bus))
    preflight.check(good)
    (note,) = preflight.absent_buses(good)
    assert note.startswith("sensors.press.bus: /dev/")


def test_simulated_and_kernel_buses_are_not_looked_for(folder: Path) -> None:
    simulated = SENSOR.replace("/dev/i2c-1", "sim:a") + 'signal = { kind = "silence" }'
    assert list(preflight.absent_buses(config(folder, simulated))) == []
    kernel = SENSOR.replace('"/dev/i2c-1"', '"iio:0"\nchip = "iio"')
    assert list(preflight.absent_buses(config(folder, kernel))) == []


@pytest.mark.parametrize("place", ["new", "new/and/newer", "."])
def test_folders_that_can_be_made_are_not(folder: Path, place: str) -> None:
    before = sorted(folder.iterdir())
    preflight.check(config(folder, f'state_dir = "{place}"\nruntime_dir = "{place}"\n{SENSOR}'))
    assert sorted(folder.iterdir()) == before


def test_a_folder_that_the_system_refuses(folder: Path) -> None:
    (problem,) = problems(folder, f'state_dir = "/proc/judder"\n{SENSOR}')
    assert problem.startswith("state_dir = /proc/judder: cannot be used: ")


def test_a_folder_on_a_disk_that_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda folder: SimpleNamespace(f_flag=os.ST_RDONLY))
    (problem,) = problems(folder, f'state_dir = "."\n{SENSOR}')
    assert problem.startswith(f"state_dir = {folder}: cannot be used: the disk is mounted read-only")


def test_a_socket_whose_path_is_too_long(folder: Path) -> None:
    (problem,) = problems(folder, f'runtime_dir = "{"long/" * 20}"\n{SENSOR}')
    assert "at most 107 are possible" in problem


def test_a_credential_is_left_to_systemd(folder: Path) -> None:
    uplink = '[uplink]\nhost = "b"\nusername = "u"\npassword_credential = "broker-password"\n'
    preflight.check(config(folder, SENSOR + uplink))


def test_files_of_the_uplink_that_are_good(folder: Path) -> None:
    (folder / "password").write_text("secret")
    uplink = '[uplink]\nhost = "b"\nusername = "u"\npassword_file = "password"\ntls = {}\n'
    preflight.check(config(folder, SENSOR + uplink))
