"""What it takes to get in at the broker, and in words why it did not work, with the next step."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

from paho.mqtt.reasoncodes import ReasonCode

from agent.config.uplink import BrokerSettings
from agent.errors import UplinkError
from agent.uplink.tls import refusal_in_words

# What to do about a refusal, by the name of its reason code (MQTT 5.0, section 2.4).
NEXT_STEPS = {
    "Bad user name or password": "check username and password_file in [uplink]",
    "Not authorized": "let the broker's access rules allow this gateway its topics",
    "Client identifier not valid": "choose another client_id in [uplink]",
    "Session taken over": "another client has the same client_id; give each gateway its own",
    "Unsupported protocol version": "the broker knows neither MQTT 5 nor 3.1.1",
    "Keep alive timeout": "check the network between gateway and broker",
    "Quota exceeded": "let the broker take more from this gateway",
    "Packet too large": "let the broker take packets of 16 kB",
}


def password(settings: BrokerSettings, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the password, from its file or from systemd's credential; None if there is none.

    Args:
        settings: Where it is kept.
        environ: Holds ``CREDENTIALS_DIRECTORY`` (systemd.exec(5)).

    Raises:
        UplinkError: If it cannot be read.
    """
    name = settings.password_credential
    if name is not None:
        folder = environ.get("CREDENTIALS_DIRECTORY")
        if folder is None:
            raise UplinkError(
                f"password_credential '{name}': systemd passed no credentials; "
                "start judder as a service, or use password_file in [uplink]"
            )
        return _first_line(Path(folder) / name, f"credential '{name}'", "LoadCredential= of the unit")
    if settings.password_file is not None:
        return _first_line(settings.password_file, "password file", "password_file in [uplink]")
    return None


def _first_line(path: Path, what: str, where: str) -> str | None:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UplinkError(f"{what} {path}: {reason}; check {where}") from error
    return text.partition("\n")[0].rstrip("\r") or None


def in_words(reason: ReasonCode) -> str:
    """Return a reason code of the broker, with the next step."""
    name = reason.getName()
    return f"{name.lower()}; {NEXT_STEPS.get(name, 'see the log of the broker')}"


def why_not_in(reason: ReasonCode) -> str:
    """Return why the broker does not let the gateway in, with the next step."""
    if reason.getName() == "Not authorized":  # many brokers say so of a wrong password, too
        return f"not authorized; {NEXT_STEPS['Bad user name or password']}, and whom the broker lets in"
    return in_words(reason)


def explained(error: OSError | ValueError, timeout_s: float) -> str:
    """Return in words why no connection came about in so many seconds, and the next step."""
    match error:
        case ssl.SSLCertVerificationError() if "expired" in error.verify_message:
            return "its certificate has expired; renew it, or check the clock of this gateway"
        case ssl.SSLCertVerificationError() if "not yet valid" in error.verify_message:
            return (
                "its certificate is not yet valid: the clock of this gateway is probably behind; check it "
                "('timedatectl'), and whether the gateway reaches a time server"
            )
        case ssl.SSLCertVerificationError():
            return (
                f"its certificate is not trusted ({error.verify_message}); "
                "check ca_file in [uplink.tls], and that host is the name in the certificate"
            )
        case ssl.SSLError() if words := refusal_in_words(error):
            return words
        case ssl.SSLError():
            return f"no TLS ({error.reason}); check that the port is the broker's port for TLS"
        case socket.gaierror():
            return "name not found; check host in [uplink] and the gateway's name server"
        case TimeoutError():
            return f"no answer within {timeout_s:g} s; check host in [uplink], the network and the firewall"
        case ConnectionRefusedError():
            return "connection refused; check that the broker runs, and port in [uplink]"
        case ConnectionResetError():
            return "the broker hung up; check port in [uplink], and whether it is a port for TLS"
        case OSError():
            return f"{error.strerror or error}; check host in [uplink] and the network"
    return f"{error}; check host and port in [uplink]"
