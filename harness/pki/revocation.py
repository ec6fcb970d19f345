"""Revocation lists: how an authority takes back what it issued (RFC 5280 5), and what can be wrong with such a list."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ..clock import Clock, system_clock
from .authority import Authority
from .keys import new_ec_key

__all__ = ["LIFETIME", "SKEW", "CrlMode", "Revoked", "armour", "crl_of", "empty_crl", "make_crl"]

LIFETIME = timedelta(days=365)
"""As long as the leaves live: a list that runs out first would have good leaves refused."""

SKEW = timedelta(hours=1)
"""How long ago lists and OCSP answers begin: a server's clock may be behind ours."""

_STRANGER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "another authority")])


class CrlMode(StrEnum):
    """What an authority publishes as its CRL."""

    FULL = "full"
    """The truth: everything that is revoked."""
    STALE = "stale"
    """The same entries, but nextUpdate has passed."""
    WRONG_ISSUER = "wrong-issuer"
    """The same entries, named and well signed by an authority that did not issue them."""
    WRONGLY_SIGNED = "wrongly-signed"
    """Empty, in the authority's name, but signed with another key: a forgery that hides revocations."""
    MALFORMED = "malformed"
    """The octets of the full list, cut in half."""
    SILENT = "silent"
    """No list: who asks is never answered. Such a list cannot be made, only served."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """An entry of a CRL: whose certificate was taken back, when (aware UTC), and why."""

    serial: int
    moment: datetime
    reason: x509.ReasonFlags | None = None


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
    now = clock()
    revoked = (Revoked(serial, now - SKEW) for serial in serials)
    return armour(make_crl(authority, revoked, now=now, number=number, lifetime=lifetime))


def make_crl(
    authority: Authority,
    revoked: Iterable[Revoked],
    *,
    now: datetime,
    mode: CrlMode = CrlMode.FULL,
    number: int = 1,
    lifetime: timedelta = LIFETIME,
) -> bytes:
    """The CRL of *authority* as DER, valid from an hour before *now* for *lifetime*, or deviating from that by *mode*.

    Raises ValueError for the mode ``silent``, which is the absence of a list.
    """
    if mode is CrlMode.SILENT:
        raise ValueError("a silent distribution point has no list")
    name, key = authority.certificate.subject, authority.key
    identifier = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    begin = now - SKEW
    if mode is CrlMode.STALE:
        begin = now - SKEW - lifetime
    elif mode is CrlMode.WRONGLY_SIGNED:
        key, revoked = new_ec_key(), ()
    elif mode is CrlMode.WRONG_ISSUER:
        name, key = _STRANGER, new_ec_key()
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name)
        .last_update(begin)
        .next_update(begin + lifetime)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for entry in revoked:
        builder = builder.add_revoked_certificate(_entry(entry))
    octets = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    return octets[: len(octets) // 2] if mode is CrlMode.MALFORMED else octets


def _entry(revoked: Revoked) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(revoked.serial).revocation_date(revoked.moment)
    if revoked.reason is not None:
        builder = builder.add_extension(x509.CRLReason(revoked.reason), critical=False)
    return builder.build()


def armour(der: bytes) -> bytes:
    """A CRL as PEM (RFC 7468 6), from its DER, which need not be well formed."""
    text = base64.b64encode(der)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN X509 CRL-----", *lines, b"-----END X509 CRL-----", b""])
