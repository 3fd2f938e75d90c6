"""Opening a real bus: every way it fails names the bus, the cause and the next step."""

from __future__ import annotations

import errno
import grp
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_bridge.bus.protocol import open_bus
from firmware_bridge.errors import BridgeError, BusError


@pytest.fixture
def unreadable(tmp_path: Path) -> Iterator[Path]:
    """A node that this process may not open, even when the tests run as root."""
    node = tmp_path / "i2c-7"
    node.touch(mode=0o000)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield node
    os.seteuid(user)


def test_absent_bus_says_how_to_enable_i2c() -> None:
    with pytest.raises(BusError, match=r"/dev/i2c-250: no such bus; enable I2C .*modprobe i2c-dev") as caught:
        open_bus("250")
    assert caught.value.code == errno.ENOENT
    assert caught.value.bus == "/dev/i2c-250"


def test_a_bus_of_root_alone_says_how_to_share_it(unreadable: Path) -> None:
    message = (
        r"i2c-7: permission denied; only root may open it. Give it to the group i2c .*usermod -aG i2c USER"
    )
    with pytest.raises(BusError, match=message) as caught:
        open_bus(str(unreadable))
    assert caught.value.code == errno.EACCES


def test_a_refused_bus_names_its_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = next((group for group in grp.getgrall() if group.gr_gid), None)
    if group is None or os.geteuid() != 0:
        pytest.skip("needs root and a group")
    node = tmp_path / "i2c-7"
    node.touch()
    os.chown(node, 0, group.gr_gid)
    node.chmod(0o660)

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    message = f"i2c-7: permission denied; add the user to the group {group.gr_name} .usermod -aG"
    with pytest.raises(BusError, match=message):
        open_bus(str(node))


def test_another_device_is_not_a_bus() -> None:
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(BusError, match=r"/dev/null: this is not an I2C bus; name a node"):
        open_bus("/dev/null")
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_a_folder_is_not_a_bus(tmp_path: Path) -> None:
    with pytest.raises(BusError, match=r"cannot be opened: Is a directory"):
        open_bus(str(tmp_path))


def test_bus_errors_are_caught_by_domain_and_by_standard_type() -> None:
    error = BusError("no answer", bus="/dev/i2c-1", address=0x53, register=0x2D, code=errno.ENXIO)
    assert isinstance(error, BridgeError)
    assert isinstance(error, OSError)
    assert str(error) == "/dev/i2c-1 address 0x53 register 0x2d: no answer (errno 6, ENXIO)"
    assert error.errno == errno.ENXIO


def test_simulated_sensors_do_not_need_smbus2() -> None:
    program = (
        "import sys, firmware_bridge.bus.protocol, firmware_bridge.bus.simulated\n"
        "import firmware_bridge.chips, "
        "firmware_bridge.adxl345.driver, firmware_bridge.adxl345.simulator, firmware_bridge.signals\n"
        "sys.exit('smbus2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
