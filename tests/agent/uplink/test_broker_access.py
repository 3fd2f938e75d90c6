"""Why no connection came about, in words that lead to the cause."""

from __future__ import annotations

import ssl

import pytest

from agent.uplink.broker_access import explained


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        # The words are those of OpenSSL's X509_verify_cert_error_string.
        ("certificate has expired", "its certificate has expired; renew it, or check the clock"),
        ("certificate is not yet valid", "the clock of this gateway is probably behind; check it"),
        ("unable to get local issuer certificate", "not trusted (unable to get local issuer certificate)"),
    ],
)
def test_a_certificate_that_is_refused(verdict: str, expected: str) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = verdict
    assert expected in explained(error, 5.0)
