"""Who may import whom, and what must not be loaded on a gateway."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.storage.alerts import AlertStore
from firmware_bridge.chips import CHIPS

ROOT = Path(__file__).parent.parent
PACKAGES = ("agent", "trainer", "firmware_bridge")

ALLOWED = {
    "firmware_bridge": ("firmware_bridge",),
    "agent/inference": ("agent.inference", "agent.errors", "agent.decode"),
    "agent": ("agent", "firmware_bridge"),
    "trainer": (
        "trainer",
        "agent.inference",
        "agent.errors",
        "agent.decode",
        "agent.judging.alarm",  # the trainer counts the alerts that the gateway would raise
        "agent.judging.alert",
        "agent.config.alarm",
        "firmware_bridge",
    ),
}
"""What modules below a folder may import of ours; the longest folder counts."""

ORDER = {
    "agent": (
        "errors",
        "decode",
        "utc",
        "config",
        "system",
        "inference",
        "sensing",
        "judging",
        "waveforms",
        "storage",
        "uplink",
        "station",
        "reporting",
        "control",
        "assembly",
        "preflight",
        "daemon",
        "cli",
    ),
    "firmware_bridge": (
        "errors",
        "clock",
        "arrays",
        "axes",
        "folders",
        "bus",
        "recording",
        "signals",
        "chip",
        *CHIPS,
        "iio",
        "chips",
    ),
    "trainer": (
        "errors",
        "rounding",
        "progress",
        "settings",
        "system",
        "recordings",
        "networks",
        "conversion",
        "parts",
        "evaluation",
        "calibration",
        "bundles",
        "fit",
        "demo",
        "report",
        "sweep",
        "benchmark",
        "cli",
    ),
}
"""The rooms of a package, the lowest first: folders, and modules at its root. None imports one above it."""

HEAVY = ("tensorflow", "keras", "matplotlib", "torch", "jax", "scipy", "h5py", "pyarrow", "PIL")


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def under(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package: str) -> None:
    files = modules(package)
    assert files
    for path in files:
        relative = path.relative_to(ROOT).as_posix()
        folder = max((f for f in ALLOWED if relative.startswith(f + "/")), key=len)
        for name in imported(path):
            if under(name, PACKAGES):
                assert under(name, ALLOWED[folder]), f"{relative} imports {name}"


@pytest.mark.parametrize("package", ORDER)
def test_no_room_imports_one_above_it(package: str) -> None:
    order = ORDER[package]
    for path in modules(package):
        room = path.relative_to(ROOT / package).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        assert room in order, f"{path}: which floor is {room} on?"
        for name in imported(path):
            if under(name, (package,)) and name != package:
                other = name.split(".")[1]
                if other in order:  # else it is a name of the package itself
                    assert order.index(other) <= order.index(room), f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("chip", CHIPS)
def test_no_chip_knows_another(chip: str) -> None:
    others = tuple(f"firmware_bridge.{other}" for other in CHIPS if other != chip)
    for path in modules(f"firmware_bridge/{chip}"):
        assert not any(under(name, others) for name in imported(path)), path


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_at_most_two_folders_deep_and_has_few_modules_at_its_root(package: str) -> None:
    assert all(len(path.relative_to(ROOT / package).parts) <= 3 for path in modules(package))
    at_the_root = [path for path in (ROOT / package).glob("*.py") if path.stem != "__init__"]
    assert len(at_the_root) <= 8


def test_the_configuration_needs_nothing_but_the_decoder() -> None:
    allowed = ("agent.config", "agent.decode", "agent.errors", "firmware_bridge.bus.fault_plan")
    for path in modules("agent/config"):
        for name in imported(path):
            if under(name, PACKAGES):
                assert under(name, allowed), f"{path} imports {name}"


@pytest.mark.parametrize("package", ["agent", "firmware_bridge"])
def test_the_gateway_never_imports_a_training_library(package: str) -> None:
    for path in modules(package):
        for name in imported(path):
            assert not under(name, HEAVY), f"{path} imports {name}"


def test_the_trainer_never_opens_a_real_bus_or_a_broker() -> None:
    for path in modules("trainer"):
        for name in imported(path):
            assert not under(name, ("smbus2", "paho", "firmware_bridge.bus.smbus")), f"{path} imports {name}"


@pytest.mark.parametrize(
    "code",
    [
        "import agent",
        "from agent.cli.main import main; main(['--help'], standalone_mode=False)",
        "import agent.daemon",
        "import firmware_bridge.chips, firmware_bridge.bus.protocol, firmware_bridge.signals",
    ],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    probe = f"{code}\nimport sys\nprint('LOADED', *sorted({{name.split('.')[0] for name in sys.modules}}))"
    result = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = set(result.stdout.rpartition("LOADED")[2].split())
    assert "sys" in loaded
    assert not loaded & {*HEAVY, "paho", "smbus2"}


@pytest.mark.parametrize(
    "needed",
    [
        "agent.cli.main",
        "agent.config.file",
        "agent.control.socket",
        "agent.storage.alerts",  # what 'judder alerts' reads
    ],
)
def test_a_command_that_asks_the_daemon_or_the_store_does_not_load_numpy(needed: str) -> None:
    probe = f"import {needed}, sys; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", probe], check=True, cwd=ROOT)


def test_alerts_are_listed_without_numpy(tmp_path: Path) -> None:
    AlertStore(tmp_path / "judder.db").close()
    config = tmp_path / "judder.toml"
    config.write_text(
        'gateway = { site = "a", name = "b" }\nstate_dir = "."\nruntime_dir = "."\n[sensors.press]\n'
        'bus = "sim:a"\nrate_hz = 800\nbundle = "x.judder"\nsignal = { kind = "silence" }\n'
    )
    program = (
        "import sys; from agent.cli.main import main\n"
        f"main(['alerts', '--config', {str(config)!r}], standalone_mode=False)\n"
        "assert 'numpy' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, capture_output=True)
    assert result.stdout == b"no alerts\n"
