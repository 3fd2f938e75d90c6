"""What a configuration needs of this machine, found before a daemon stumbles over it: files and folders."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from agent import assembly
from agent.config.file import Config
from agent.config.sensor import IIO
from agent.config.uplink import BrokerSettings, TlsSettings
from agent.errors import ConfigError, UplinkError
from agent.storage.read_only import READ_ONLY_DISK, is_read_only
from firmware_bridge.bus.protocol import device_node
from firmware_bridge.clock import SystemClock

LONGEST_SOCKET_PATH = 107
"""Bytes in ``sun_path`` of unix(7), less the NUL at its end."""

_MADE_BY_THE_UNIT = (Config.state_dir, Config.runtime_dir)
"""systemd makes them at each start, whoever may write beside them."""


def check(config: Config) -> None:
    """Refuse a configuration that cannot work here; no bus is opened, and nothing stays that was tried.

    What passes by itself is no reason: a broker that is away, a bus that is plugged in later.

    Raises:
        ConfigError: With everything that is wrong: what ``assembly.prepare`` finds, folders that cannot be
            made, and files of the uplink that cannot be used.
    """
    problems: list[str] = []
    try:
        assembly.prepare(config, SystemClock())
    except ConfigError as error:
        problems += error.problems
    problems += _folders(config)
    if config.uplink is not None:
        problems += _uplink(config.uplink)
    if problems:
        raise ConfigError(None, problems)


def absent_buses(config: Config) -> Iterator[str]:
    """Yield one line for each sensor whose bus is not there now; a daemon waits for it."""
    for name, sensor in config.sensors.items():
        node = None if sensor.bus.startswith(IIO) else device_node(sensor.bus)
        if node is not None and not node.exists():
            yield f"sensors.{name}.bus: {node} is not there now; the daemon waits for it"


def _folders(config: Config) -> Iterator[str]:
    for key, folder in (("state_dir", config.state_dir), ("runtime_dir", config.runtime_dir)):
        reason = None if folder in _MADE_BY_THE_UNIT else _why_of_no_use(folder)
        if reason is not None:
            yield f"{key} = {folder}: cannot be used: {reason}"
    length = len(os.fsencode(config.control_socket))
    if length > LONGEST_SOCKET_PATH:
        yield (
            f"runtime_dir = {config.runtime_dir}: the control socket's path would have {length} bytes, "
            f"at most {LONGEST_SOCKET_PATH} are possible"
        )


def _why_of_no_use(folder: Path) -> str | None:
    """Return why a folder is of no use or cannot be made, by making another there for a moment; else None."""
    try:
        if folder.exists():
            return _why_not_used(folder)
        parent = next(parent for parent in folder.parents if parent.exists())
        tempfile.TemporaryDirectory(dir=parent).cleanup()
    except OSError as error:
        return error.strerror
    return None


def _why_not_used(folder: Path) -> str | None:
    if not folder.is_dir():
        return "it is a file"
    return READ_ONLY_DISK if is_read_only(folder) else None


def _uplink(settings: BrokerSettings) -> Iterator[str]:
    """Yield what is wrong with the files of the uplink; a systemd credential is there only in a service."""
    from agent.uplink.broker_access import password

    try:
        password(replace(settings, password_credential=None))
    except UplinkError as error:
        yield f"uplink.password_file: {error}"
    for key, tls in _tls_files(settings.tls):
        yield from _tls(key, tls)


def _tls_files(tls: TlsSettings | None) -> Iterator[tuple[str, TlsSettings]]:
    """Yield the settings of TLS by the key that is to blame if they cannot be used."""
    if tls is not None:
        yield "ca_file", TlsSettings(ca_file=tls.ca_file)
        yield "cert_file", TlsSettings(cert_file=tls.cert_file, key_file=tls.key_file)


def _tls(key: str, tls: TlsSettings) -> Iterator[str]:
    from agent.uplink.tls import tls_context

    try:
        tls_context(tls)
    except UplinkError as error:
        yield f"uplink.tls.{key}: {error}"
