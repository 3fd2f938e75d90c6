"""Boots a whole gateway in a virtual machine: systemd, the judder service, a genuine I2C bus of the kernel.

python tests/gateway_vm/boot.py FOLDER

Needs root, and mmdebstrap, e2fsprogs and qemu-system-x86 from apt (``make gateway-vm`` installs them). The
base system is kept in FOLDER. The processor is emulated, so that it works anywhere: a run takes some minutes.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import agent
from agent.inference.bundle import MANIFEST, read_bundle
from agent.inference.manifest import manifest_bytes

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DEMO = Path(agent.__file__).parent / "demo" / "demo-1.judder"
RATE_HZ = 25.0
BENCH_RATE_HZ = 104.0
"""So slow that the FIFOs of an ADXL345 and an LSM6DSO outlast the pauses of an emulated processor."""
LIMIT_S = 1500.0
MEMORY_MB = 1024


def build_wheels(folder: Path) -> None:
    """Make a wheel of judder, and fetch those that the gateway install takes."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("judder-*.whl"):
        old.unlink()
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder, str(ROOT)], check=True)
    lock = ROOT / "requirements" / "gateway.lock"
    only = ["--only-binary=:all:", "--require-hashes"]
    subprocess.run([*pip, "download", *only, "--dest", folder, "--requirement", lock], check=True)


def write_bundles(folder: Path) -> None:
    """Write the two models: one of the level, and the demo's, for its network, whatever that says."""
    fixtures = _fixtures()
    fixtures.write_bundle(folder / "level-1.judder", fixtures.level_bundle(("x", "y", "z"), 64, RATE_HZ))
    with zipfile.ZipFile(DEMO) as source, zipfile.ZipFile(folder / DEMO.name, "w") as target:
        manifest = replace(read_bundle(DEMO).manifest, rate_hz=BENCH_RATE_HZ)
        target.writestr(MANIFEST, manifest_bytes(manifest))
        for name in manifest.members:
            target.writestr(name, source.read(name))


def _fixtures() -> ModuleType:
    specification = importlib.util.spec_from_file_location("fixtures", ROOT / "tests" / "conftest.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def boot(folder: Path, share: Path) -> int:
    """Run the check in the machine; return its exit code."""
    (share / "rc").unlink(missing_ok=True)
    boot_files = folder / "root" / "boot"
    (kernel,), (ramdisk,) = boot_files.glob("vmlinuz-*"), boot_files.glob("initrd.img-*")
    command = [
        "qemu-system-x86_64",
        *("-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "Nehalem", "-smp", "2"),
        *("-m", str(MEMORY_MB)),
        *("-nodefaults", "-display", "none", "-serial", f"file:{folder / 'console.log'}"),
        *("-kernel", str(kernel), "-initrd", str(ramdisk)),
        *("-append", "root=/dev/vda rw rootfstype=ext4 console=ttyS0 panic=-1 mitigations=off net.ifnames=0"),
        *("-drive", f"file={folder / 'root.img'},if=none,id=disk,format=raw,snapshot=on,cache=unsafe"),
        *("-device", "virtio-blk-pci,drive=disk"),
        *("-virtfs", f"local,path={share},mount_tag=share,security_model=none"),
    ]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as machine:
        try:
            _follow(machine, share / "out")
        finally:
            machine.kill()
    result = share / "rc"
    return int(result.read_text()) if result.exists() else 97


def _follow(machine: subprocess.Popen[bytes], output: Path) -> None:
    """Print what the check prints, until the machine powers off."""
    output.write_text("")
    deadline = time.monotonic() + LIMIT_S
    with output.open(encoding="utf-8", errors="replace") as lines:
        while machine.poll() is None and time.monotonic() < deadline:
            time.sleep(0.5)
            sys.stdout.write(lines.read())
            sys.stdout.flush()
        sys.stdout.write(lines.read())


def main(folder: Path) -> int:
    """Build, boot and check; return the exit code."""
    share = folder / "share"
    share.mkdir(parents=True, exist_ok=True)
    build_wheels(folder / "wheels")
    write_bundles(share)
    subprocess.run([HERE / "image.sh", folder, folder / "wheels"], check=True)
    code = boot(folder, share)
    sys.stdout.write(
        f"gateway-vm: {'passed' if code == 0 else f'FAILED ({code}), see {folder}/console.log'}\n"
    )
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
