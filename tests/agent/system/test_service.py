"""The unit and its companions against systemd's own checkers, and their installation below a root."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli.main import main
from agent.errors import ServiceError
from agent.system import service
from agent.system.service import PLACES, Service

ROOT = Path(__file__).parents[3]
SYSTEMD = ROOT / "systemd"
JUDDER = Path(sys.executable).with_name("judder")


def tool(name: str) -> str:
    """Return a command of systemd's; skip the test without it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (apt-get install systemd)")
    return found


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Return the root of an image with the service installed."""
    Service(tmp_path, Path("/opt/judder/bin/judder")).install()
    return tmp_path


def test_the_unit_has_no_mistake(tmp_path: Path) -> None:
    text = (SYSTEMD / "judder.service").read_text()
    unit = tmp_path / "judder.service"
    unit.write_text(text.replace("/usr/bin/judder", str(JUDDER)))  # what it starts must exist
    command = [tool("systemd-analyze"), "verify", "--man=no", "--recursive-errors=no", str(unit)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(("real_time", "exposure"), [(False, 13), (True, 15)])
def test_the_unit_exposes_as_little_as_it_can(tmp_path: Path, real_time: bool, exposure: int) -> None:
    analyze = tool("systemd-analyze")
    unit = tmp_path / "judder.service"
    # The drop-in behind the unit: analysing a file by itself, systemd does not look for drop-ins.
    text = (SYSTEMD / "judder.service").read_text().split("[Install]")[0]
    unit.write_text(text + ((SYSTEMD / "real-time.conf").read_text() if real_time else ""))
    command = [analyze, "security", "--offline=true", f"--threshold={exposure}", str(unit)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout.splitlines()[-1]


def test_the_daemon_sees_what_it_needs() -> None:
    lines = (SYSTEMD / "judder.service").read_text().splitlines()
    assert "DeviceAllow=char-i2c rw" in lines
    assert "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6" in lines
    assert not [line for line in lines if line.startswith("ProcSubset=")]  # hides /proc/cpuinfo
    assert "SystemCallErrorNumber=EPERM" in lines  # OpenBLAS calls mbind(2), and would be killed


def test_real_time_is_installed_when_asked_for_and_removed_when_not(tmp_path: Path) -> None:
    service = Service(tmp_path, Path("/opt/judder/bin/judder"))
    drop_in = tmp_path / "etc/systemd/system/judder.service.d/real-time.conf"
    assert drop_in not in service.install()
    assert not service.status().missing
    assert drop_in in service.install(real_time=True)
    assert "LimitRTPRIO=1" in drop_in.read_text().splitlines()
    service.install()
    assert not drop_in.exists()
    service.install(real_time=True)
    assert drop_in in service.remove()


def test_user_and_folders_can_be_made(image: Path) -> None:
    sysusers, tmpfiles = tool("systemd-sysusers"), tool("systemd-tmpfiles")
    subprocess.run([sysusers, f"--root={image}", "judder.conf"], check=True, capture_output=True)
    assert "judder:" in (image / "etc/passwd").read_text()
    assert "i2c:" in (image / "etc/group").read_text()
    made = subprocess.run(
        [tmpfiles, f"--root={image}", "--create", "judder.conf"], capture_output=True, text=True, check=False
    )
    assert (made.returncode, made.stderr) == (0, "")
    assert (image / "var/lib/judder/models").stat().st_mode & 0o777 == 0o750
    assert (image / "etc/judder/judder.toml").stat().st_mode & 0o777 == 0o640


def test_install_and_remove(tmp_path: Path) -> None:
    installed = Service(tmp_path, Path("/opt/judder/bin/judder"))
    written = installed.install()
    assert [str(path.relative_to(tmp_path)) for path in written] == [
        "etc/systemd/system/judder.service",
        "etc/sysusers.d/judder.conf",
        "etc/tmpfiles.d/judder.conf",
        "etc/modules-load.d/judder.conf",
        "etc/udev/rules.d/60-judder-i2c.rules",
        "etc/judder/judder.toml",
    ]
    unit = written[0].read_text()
    assert "ExecStart=/opt/judder/bin/judder run --config /etc/judder/judder.toml\n" in unit
    assert "/usr/bin/judder" not in unit
    config = tmp_path / "etc/judder/judder.toml"
    config.write_text("# mine")
    assert config not in installed.install()
    assert config.read_text() == "# mine"
    assert len(installed.remove()) == len(PLACES) - 2
    assert config.exists()
    assert installed.remove() == []


@pytest.mark.parametrize(
    "hidden", ["/home/ada/.venv/bin/judder", str(Path("/root", "judder", "bin", "judder"))]
)
def test_a_judder_that_the_unit_cannot_see_is_refused(tmp_path: Path, hidden: str) -> None:
    with pytest.raises(ServiceError, match="the service cannot see what lies in /"):
        Service(tmp_path, Path(hidden)).install()


def test_what_is_missing_or_differs_is_told(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool("systemctl")
    monkeypatch.setattr(service, "own_executable", lambda: Path("/opt/judder/bin/judder"))
    installed = Service(image)
    assert (installed.status().missing, installed.status().changed) == ((), ())
    (image / "etc/sysusers.d/judder.conf").write_text("# other")
    (image / "etc/tmpfiles.d/judder.conf").unlink()
    status = installed.status()
    assert (status.missing, status.changed) == (
        ("/etc/tmpfiles.d/judder.conf",),
        ("/etc/sysusers.d/judder.conf",),
    )
    result = CliRunner().invoke(main, ["service", "status", "--root", str(image)])
    assert (result.exit_code, "run 'judder service install'" in result.output) == (1, True)


def test_a_command_that_fails_is_told_in_one_line() -> None:
    with pytest.raises(ServiceError, match=r"^false: exit 1$"):
        service.run(("false",))
    with pytest.raises(ServiceError, match="is this a machine with systemd"):
        service.run(("/nonexistent/systemctl",))


def test_the_command_installs_below_a_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "own_executable", lambda: Path("/opt/judder/bin/judder"))
    result = CliRunner().invoke(main, ["service", "install", "--root", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "judder config check" in result.output
    result = CliRunner().invoke(main, ["service", "remove", "--root", str(tmp_path)])
    assert result.output.count("removed") == len(PLACES) - 2
