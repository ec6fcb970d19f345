"""``clientCert``: a client's verified certificate as authorizers, mappings and the log are told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from .context import MONTHS
from .settings import Settings
from .truststores import quiet

__all__ = ["ClientCert"]

_NAMES: Mapping[x509.ObjectIdentifier, str] = {NameOID.EMAIL_ADDRESS: "emailAddress"}
"""What OpenSSL calls an attribute for which RFC 4514 has no word."""
_LONGEST_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ClientCert:
    """A leaf that came to the front door. The settings decide how its names and its serial are written."""

    certificate: x509.Certificate

    def as_json(self, settings: Settings) -> dict[str, Any]:
        """The object that stands in the events of authorizers."""
        return {
            "clientCertPem": self.pem,
            "subjectDN": self.subject_dn(settings),
            "issuerDN": self.issuer_dn(settings),
            "serialNumber": self.serial_number(settings),
            "validity": {
                "notBefore": _moment(self.certificate.not_valid_before_utc),
                "notAfter": _moment(self.certificate.not_valid_after_utc),
            },
        }

    @property
    def pem(self) -> str:
        """The leaf alone, LF line ends."""
        return self.certificate.public_bytes(Encoding.PEM).decode("ascii")

    def subject_dn(self, settings: Settings) -> str:
        """The subject by ``client_cert_dn``: in the certificate's order, or reversed as RFC 2253 has it."""
        with quiet():
            return _written(self.certificate.subject, settings)

    def issuer_dn(self, settings: Settings) -> str:
        """The issuer, in the same way."""
        with quiet():
            return _written(self.certificate.issuer, settings)

    def serial_number(self, settings: Settings) -> str:
        """The serial by ``client_cert_serial``; ``openssl`` writes it as OpenSSL prints certificates."""
        with quiet():
            number, form = self.certificate.serial_number, settings.client_cert_serial
        if form == "decimal" or (form == "openssl" and number <= _LONGEST_NUMBER):
            return str(number)
        octets = abs(number).to_bytes(max(1, (number.bit_length() + 7) // 8), "big").hex(":")
        return f"-{octets}" if number < 0 else octets  # RFC 5280 forbids it, authorities have done it


def _written(name: x509.Name, settings: Settings) -> str:
    if settings.client_cert_dn == "rfc2253":
        return name.rfc4514_string(_NAMES)
    return ",".join(rdn.rfc4514_string(_NAMES) for rdn in name.rdns)


def _moment(when: datetime) -> str:
    """As OpenSSL's ASN1_TIME_print writes it, whatever the locale."""
    return f"{MONTHS[when.month - 1]} {when.day:>2} {when:%H:%M:%S} {when.year} GMT"
