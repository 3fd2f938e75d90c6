"""The files by which the gateway gets in at the broker, as editors and people leave them."""

from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import Path

import pytest

from agent.config.uplink import BrokerSettings, TlsSettings
from agent.errors import UplinkError
from agent.uplink.broker_access import password
from agent.uplink.tls import tls_context


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"secret", "secret"),
        (b"secret\r\nsecond line\r\n", "secret"),
        (BOM_UTF8 + b"secret\r\n", "secret"),
        (BOM_UTF8, None),
        (b" s\xc3\xa9cret \n", " s\u00e9cret "),
    ],
)
@pytest.mark.parametrize("by_credential", [False, True])
def test_the_password(tmp_path: Path, content: bytes, expected: str | None, by_credential: bool) -> None:
    path = tmp_path / "broker-password"
    path.write_bytes(content)
    if by_credential:
        settings = BrokerSettings("b", username="u", password_credential=path.name)
    else:
        settings = BrokerSettings("b", username="u", password_file=path)
    assert password(settings, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == expected


@pytest.mark.parametrize("key", ["ca_file", "cert_file", "key_file"])
def test_openssl_does_not_read_over_a_byte_order_mark_so_it_is_named(tmp_path: Path, key: str) -> None:
    marked, other = tmp_path / "marked.pem", tmp_path / "other.pem"
    marked.write_bytes(BOM_UTF8 + b"-----BEGIN CERTIFICATE-----\n")
    other.write_bytes(b"")
    settings = {
        "ca_file": TlsSettings(ca_file=marked),
        "cert_file": TlsSettings(cert_file=marked),
        "key_file": TlsSettings(cert_file=other, key_file=marked),
    }
    with pytest.raises(UplinkError, match=rf"marked\.pem: begins with a byte order mark; .* {key} in"):
        tls_context(settings[key])
