"""The broker: where it is, how it knows the gateway, and what is spoken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from agent.decode import Pattern, Range


@dataclass(frozen=True)
class TlsSettings:
    """How the connection is encrypted and who vouches for whom."""

    ca_file: Path | None = None
    """PEM file of the authorities that are trusted, or None for the system's."""
    cert_file: Path | None = None
    """PEM file of the gateway's own certificate, if the broker asks for one."""
    key_file: Path | None = None
    """PEM file of its key; None if the key is in ``cert_file``."""

    def __post_init__(self) -> None:
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file needs cert_file")


@dataclass(frozen=True)
class SparkplugSettings:
    """How the gateway appears in Sparkplug B (see ``sparkplug.dialect``)."""

    group: Annotated[str, Pattern("[^/+#]{1,64}", "1 to 64 characters without '/', '+' and '#'")] | None = (
        None
    )
    """Name of the group; the site's if absent. The gateway is the edge node, its sensors the devices."""


@dataclass(frozen=True)
class BrokerSettings:
    """Where the broker is and how it knows the gateway."""

    host: str
    client_id: str | None = None
    """Must be the gateway's own: a broker cuts off the first of two clients with the same id.

    Made of site and gateway if None."""
    port: Annotated[int, Range(1, 65535)] = 1883
    """8883 is usual with TLS."""
    tls: TlsSettings | None = None
    transport: Literal["tcp", "websockets"] = "tcp"
    websocket_path: Annotated[str, Pattern("/.*", "a path that begins with '/'")] = "/mqtt"
    username: str | None = None
    password_file: Path | None = None
    """Holds the password in its first line; read at each connection."""
    password_credential: Annotated[str, Pattern("[A-Za-z0-9._-]{1,255}", "a credential's name")] | None = None
    """Name of the systemd credential that holds the password (``LoadCredential=`` of the unit)."""
    keepalive_s: Annotated[int, Range(5, 3600, "s")] = 60
    """The broker publishes the last will after 1.5 times as long without a sign of life."""
    inflight: Annotated[int, Range(1, 1000, "messages")] = 16
    """Messages on their way at once: the most that a receiver sees twice after SIGKILL."""
    reconnect_s: Annotated[float, Range(0.1, 600.0, "s")] = 15.0
    """Longest first wait after a connection ended, most of it random: a fleet must not return as one."""
    commands: bool = False
    """Take commands from the topic ``judder/v1/SITE/GATEWAY/command``; whoever may publish there may do what
    the control socket can."""
    home_assistant: bool = False
    """Tell Home Assistant what there is (MQTT discovery, under ``homeassistant/``)."""
    sparkplug: SparkplugSettings | None = None
    """Speak Sparkplug B in place of judder's own JSON: a connection has one last will only."""

    def __post_init__(self) -> None:
        passwords = [p for p in (self.password_file, self.password_credential) if p is not None]
        if passwords and self.username is None:
            raise ValueError("a password needs username")
        if len(passwords) == 2:
            raise ValueError("password_file and password_credential exclude each other")
        for key in ("commands", "home_assistant"):
            if self.sparkplug is not None and getattr(self, key):
                raise ValueError(f"'{key}' speaks JSON, and 'sparkplug' is spoken in its place; choose one")
