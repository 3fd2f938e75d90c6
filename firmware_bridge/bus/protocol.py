"""The I2C bus: bytes in registers, and nothing of what they mean."""

from __future__ import annotations

import errno
import grp
import os
import stat
from pathlib import Path
from typing import Protocol

from firmware_bridge.errors import BusError

_OPENING_HINTS = {
    errno.ENOENT: "no such bus; enable I2C (Raspberry Pi OS: raspi-config, Interface Options, I2C, or "
    "dtparam=i2c_arm=on in config.txt; Debian: modprobe i2c-dev, and i2c-dev in /etc/modules)",
    errno.EPERM: "not allowed; give the service access to the device (DeviceAllow= in its unit), and restart "
    "it if i2c-dev was loaded after it had started",
    errno.ENXIO: "the node is there but no adapter is behind it; plug it in, or name another bus",
    errno.ENODEV: "the node is there but no adapter is behind it; plug it in, or name another bus",
}


class I2CBus(Protocol):
    """Transfers to and from the registers of chips on one bus. Raises ``BusError`` only."""

    @property
    def name(self) -> str:
        """The bus as configured, such as ``/dev/i2c-1`` or ``sim:bench``."""
        ...

    @property
    def simulated(self) -> bool:
        """True if no hardware is behind it."""
        ...

    def read(self, address: int, register: int, length: int) -> bytes:
        """Read ``length`` bytes, starting at ``register``, in one transfer."""
        ...

    def read_burst(self, address: int, register: int, length: int, count: int) -> bytes:
        """Do the same read ``count`` times in as few system calls as the kernel allows.

        For a FIFO that is read at one register: each read starts at ``register`` again.

        Returns:
            ``count * length`` bytes, oldest first.
        """
        ...

    def write(self, address: int, register: int, data: bytes) -> None:
        """Write the bytes of ``data``, starting at ``register``, in one transfer."""
        ...

    def close(self) -> None:
        """Let go of the bus; may be called twice."""
        ...


def bus_names(devices: Path = Path("/dev")) -> list[str]:
    """Return the I2C buses of this machine by their device nodes, in the order of their numbers."""
    nodes = [node for node in devices.glob("i2c-*") if node.name.removeprefix("i2c-").isdecimal()]
    return [str(node) for node in sorted(nodes, key=lambda node: int(node.name.removeprefix("i2c-")))]


def device_node(name: str) -> Path | None:
    """Return the device node of a bus by its name, a path or the bus's number; None if it is neither."""
    if name.isdecimal():
        return Path(f"/dev/i2c-{name}")
    return Path(name) if name.startswith("/") else None


def open_bus(name: str) -> I2CBus:
    """Open a real bus of this machine.

    Args:
        name: Device node such as ``/dev/i2c-1``, or its number, ``1``.

    Raises:
        BusError: If the name is that of no bus, it is absent, may not be opened, or cannot do the transfers
            needed.
    """
    # Imported here, so that a machine without smbus2 can still run simulated sensors.
    from firmware_bridge.bus.smbus import SmbusBus

    path = device_node(name)
    if path is None:
        raise BusError("is no bus; name a device node such as /dev/i2c-1", bus=name)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        hint = _OPENING_HINTS.get(error.errno or 0, f"cannot be opened: {error.strerror}")
        hint = _permission_hint(path) if error.errno == errno.EACCES else hint
        raise BusError(hint, bus=str(path), code=error.errno) from error
    try:
        return SmbusBus(str(path), descriptor)
    except BusError:
        os.close(descriptor)
        raise


def _permission_hint(path: Path) -> str:
    """Return which group may open a node, or how it gets one: Debian's i2c-tools bring a rule for that."""
    group = _owning_group(path)
    if group is None:
        return (
            "permission denied; only root may open it. Give it to the group i2c (apt-get install i2c-tools, "
            "then restart), add the user to that group (usermod -aG i2c USER) and log in again"
        )
    return f"permission denied; add the user to the group {group} (usermod -aG {group} USER) and log in again"


def _owning_group(path: Path) -> str | None:
    """Return the group whose members may open a node, or None if there is none beside root."""
    try:
        found = path.stat()
        shared = stat.S_IRGRP | stat.S_IWGRP
        if found.st_gid == 0 or found.st_mode & shared != shared:
            return None
        return grp.getgrgid(found.st_gid).gr_name
    except (OSError, KeyError):
        return None
