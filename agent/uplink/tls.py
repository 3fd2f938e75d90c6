"""TLS towards the broker: the context, and in words what the broker says against our certificate."""

from __future__ import annotations

import errno
import select
import ssl
from codecs import BOM_UTF8
from pathlib import Path

from agent.config.uplink import TlsSettings
from agent.errors import UplinkError

_OWN = "the broker refuses this gateway's certificate"
# What the broker may say, by OpenSSL's name of the alert (RFC 8446, section 6.2), and what to do about it.
REFUSALS = {
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": f"{_OWN}: it has expired; renew cert_file in [uplink.tls]",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": f"{_OWN}: it was revoked; renew cert_file in [uplink.tls]",
    "TLSV1_ALERT_UNKNOWN_CA": f"{_OWN}: it does not know who signed it; check cert_file in [uplink.tls]",
    "SSLV3_ALERT_BAD_CERTIFICATE": f"{_OWN}; check cert_file in [uplink.tls], and the log of the broker",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": f"{_OWN}; check cert_file in [uplink.tls], and the log of the broker",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": f"{_OWN}: not of a kind that it takes; check cert_file",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": (
        "the broker wants a certificate of this gateway; set cert_file and key_file in [uplink.tls]"
    ),
}


VERDICT_S = 1.0
"""How long to wait for what the broker says to our certificate; a second is longer than most connections."""


class _TlsSocket(ssl.SSLSocket):
    """A socket that is closed when the handshake fails, for paho would forget it open."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
            if self.version() == "TLSv1.3":
                self._hear_verdict()
        except BaseException:
            self.close()
            raise

    def _hear_verdict(self) -> None:
        """Wait, for a second at most, for what the broker says to our certificate.

        In TLS 1.3 it looks at it when we are through with the handshake. Who sends on at once, finds the
        connection reset and never learns why. A broker that is content sends tickets, or nothing.
        """
        readable, _, _ = select.select([self], [], [], VERDICT_S)
        if not readable:
            return
        timeout_s = self.gettimeout()
        self.setblocking(False)
        try:
            early = self.recv(1)
        except ssl.SSLWantReadError:  # tickets, and nothing else
            return
        finally:
            self.settimeout(timeout_s)
        what = "speaks before it was spoken to" if early else "hung up after the handshake"
        raise ConnectionAbortedError(errno.ECONNABORTED, f"the broker {what}; is it an MQTT broker?")


def refusal_in_words(error: ssl.SSLError) -> str | None:
    """Return what the broker says against our certificate, with the next step; None if it says nothing."""
    return REFUSALS.get(error.reason or "")


def tls_context(tls: TlsSettings) -> ssl.SSLContext:
    """Return a context for TLS 1.2 or later that checks the broker's certificate and its name.

    Raises:
        UplinkError: If a file cannot be used; says which one.
    """
    if tls.ca_file is not None:
        _check_readable(tls.ca_file, "ca_file")
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except (OSError, ValueError) as error:
        raise UplinkError(
            f"TLS file {tls.ca_file}: {_reason(error)}; check ca_file in [uplink.tls]"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _TlsSocket
    if tls.cert_file is not None:
        _load_certificate(context, tls.cert_file, tls.key_file)
    return context


def _load_certificate(context: ssl.SSLContext, cert_file: Path, key_file: Path | None) -> None:
    _check_readable(cert_file, "cert_file")
    if key_file is not None:
        _check_readable(key_file, "key_file")
    try:
        # An empty password, so that an encrypted key is an error and not a question on the terminal.
        context.load_cert_chain(cert_file, key_file, password="")
    except (OSError, ValueError) as error:
        raise UplinkError(
            f"TLS files {cert_file}, {key_file or cert_file}: {_reason(error)}; they must be PEM, the key "
            "without a password and that of the certificate; check cert_file and key_file in [uplink.tls]"
        ) from error


def _check_readable(path: Path, key: str) -> None:
    try:
        with path.open("rb") as file:
            marked = file.read(len(BOM_UTF8)) == BOM_UTF8
    except OSError as error:
        raise UplinkError(
            f"TLS file {path}: {error.strerror}; check {key} in [uplink.tls], and that the daemon's user may "
            "read it"
        ) from error
    if marked:  # OpenSSL does not find the first block behind it
        raise UplinkError(
            f"TLS file {path}: begins with a byte order mark; save it without one; "
            f"check {key} in [uplink.tls]"
        )


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not understood").lower().replace("_", " ")
    return str(error)
