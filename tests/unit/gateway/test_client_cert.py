"""``clientCert`` as events, mappings and the log have it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from pytest_mtls.harness.gateway.client_cert import ClientCert
from pytest_mtls.harness.gateway.settings import Settings
from pytest_mtls.harness.pki.issue import issue
from pytest_mtls.harness.pki.keys import new_ec_key


def name(*parts: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    """A name with one attribute a part."""
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def made(serial: int = 1) -> ClientCert:
    """A certificate like the one in AWS's sample."""
    key = new_ec_key()
    certificate = issue(
        name(
            (NameOID.COUNTRY_NAME, "US"),
            (NameOID.STATE_OR_PROVINCE_NAME, "Washington"),
            (NameOID.ORGANIZATION_NAME, "Amazon, Inc."),
            (NameOID.COMMON_NAME, "My Client"),
            (NameOID.EMAIL_ADDRESS, "a@example.com"),
        ),
        key,
        datetime(2020, 8, 29, 0, 28, 21, tzinfo=UTC),
        datetime(2120, 8, 5, 0, 28, 21, tzinfo=UTC),
        issuer=name((NameOID.COUNTRY_NAME, "US"), (NameOID.COMMON_NAME, "My Private CA")),
        issuer_key=key,
        serial=serial,
    )
    return ClientCert(certificate)


def test_members_are_written_as_in_awss_sample() -> None:
    """Names in the certificate's order without blanks, serial 1 as "1", days padded with a blank."""
    one = made()
    shown: dict[str, Any] = one.as_json(Settings())
    pem = shown.pop("clientCertPem")

    assert shown == {
        "subjectDN": "C=US,ST=Washington,O=Amazon\\, Inc.,CN=My Client,emailAddress=a@example.com",
        "issuerDN": "C=US,CN=My Private CA",
        "serialNumber": "1",
        "validity": {"notBefore": "Aug 29 00:28:21 2020 GMT", "notAfter": "Aug  5 00:28:21 2120 GMT"},
    }
    assert x509.load_pem_x509_certificates(pem.encode()) == [one.certificate]
    assert "\r" not in pem


def test_names_are_reversed_by_the_setting() -> None:
    """RFC 2253."""
    shown = made().as_json(Settings(client_cert_dn="rfc2253"))

    assert shown["issuerDN"] == "CN=My Private CA,C=US"


@pytest.mark.parametrize(
    ("form", "serial", "text"),
    [
        ("openssl", 2**63 - 1, "9223372036854775807"),
        ("openssl", 2**63, "80:00:00:00:00:00:00:00"),
        ("openssl", 0xA1 << 120 | 0x0B, "a1" + ":00" * 14 + ":0b"),
        ("hex", 1, "01"),
        ("hex", 0x0ABC, "0a:bc"),
        ("decimal", 2**64, "18446744073709551616"),
    ],
)
def test_serial_is_written_by_the_setting(form: str, serial: int, text: str) -> None:
    """OpenSSL's own way: decimal while it fits 64 bits with a sign, then octets."""

    assert made(serial).serial_number(Settings(client_cert_serial=form)) == text
