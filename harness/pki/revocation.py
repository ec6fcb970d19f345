"""Revocation: the lists by which an authority takes back what it issued (RFC 5280 5)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ..clock import Clock, system_clock
from .authority import Authority

__all__ = ["LIFETIME", "crl_of", "empty_crl"]

LIFETIME = timedelta(days=365)
"""As long as the leaves live: a list that runs out first would have good leaves refused."""


def empty_crl(authority: Authority, *, clock: Clock = system_clock) -> bytes:
    """The CRL of an *authority* that has revoked nothing, as PEM: the twin of every list that names somebody."""
    return crl_of(authority, (), clock=clock)


def crl_of(
    authority: Authority,
    serials: Iterable[int],
    *,
    clock: Clock = system_clock,
    number: int = 1,
    lifetime: timedelta = LIFETIME,
) -> bytes:
    """The CRL by which *authority* revokes the certificates of these *serials*, as PEM.

    It is valid from an hour ago, when they were revoked too, for *lifetime*. A later list of the same authority needs a
    greater *number* (RFC 5280 5.2.3).
    """
    begin = clock() - timedelta(hours=1)  # a server's clock may be behind ours
    key_identifier = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(begin)
        .next_update(begin + lifetime)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_identifier), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for serial in serials:
        revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(begin).build()
        builder = builder.add_revoked_certificate(revoked)
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.PEM)
