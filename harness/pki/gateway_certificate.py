"""Client certificates exactly as API Gateway generates them.

The profile has not changed from 2016 to 2025 (six real samples compared): X.509 v3 without any extension, self-signed,
subject = issuer = ``C=US, L=Seattle, CN=ApiGateway`` as PrintableStrings in this order, RSA-2048, SHA-256, a serial of
eight random octets, valid for 365 times 86,400 seconds (UTCTime).

Every customer's certificate bears this one DN. And none has an authorityKeyIdentifier: adding one would hide the
rotation trap (OpenSSL looks the issuer up by name and takes the first), so never give a kit certificate more than
Amazon's have.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from ..clock import Clock, system_clock
from .credential import Credential
from .issue import CLIENT_EXTENSIONS, self_signed
from .keys import PrivateKey, new_ec_key, new_rsa_key

__all__ = ["GATEWAY_NAME", "LIFETIME", "control_credential", "gateway_credential"]

LIFETIME = timedelta(seconds=365 * 86_400)
"""365 days to the second, whatever the calendar says."""


def _printable(oid: x509.ObjectIdentifier, value: str) -> x509.NameAttribute[str]:
    # NameAttribute writes all but C as UTF8String unless told otherwise; Amazon's samples have PrintableString throughout.
    return x509.NameAttribute(oid, value, _type=_ASN1Type.PrintableString)


GATEWAY_NAME = x509.Name(
    [
        _printable(NameOID.COUNTRY_NAME, "US"),
        _printable(NameOID.LOCALITY_NAME, "Seattle"),
        _printable(NameOID.COMMON_NAME, "ApiGateway"),
    ]
)
"""Subject and issuer of every certificate that API Gateway generates, for every customer."""


def gateway_credential(
    *,
    clock: Clock = system_clock,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    key: PrivateKey | None = None,
    name: str = "gateway certificate",
) -> Credential:
    """A fresh gateway certificate with its key, valid from now (or *not_before*) for 365 days (or until *not_after*).

    *key* saves the 30 to 60 ms that an RSA-2048 key takes; without it the key is fresh. All moments are aware UTC.
    """
    private = key or new_rsa_key()
    begin = not_before or clock()
    certificate = self_signed(GATEWAY_NAME, private, begin, not_after or begin + LIFETIME)
    return Credential(certificate, private, name=name)


def control_credential(*, clock: Clock = system_clock) -> Credential:
    """A self-signed client certificate of a name of its own: the twin that must be let in beside the one under test.

    Unlike a gateway certificate it says what it is for (CA:FALSE, clientAuth), so that a backend that insists on
    extensions takes it; all kinds of server that were measured do, when it is in the truststore.
    """
    key = new_ec_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"pytest-mtls control {secrets.token_hex(4)}")])
    begin = clock() - timedelta(hours=1)  # the backend's clock may be behind ours
    certificate = self_signed(subject, key, begin, begin + timedelta(days=365), extensions=CLIENT_EXTENSIONS)
    return Credential(certificate, key, name="control certificate")
