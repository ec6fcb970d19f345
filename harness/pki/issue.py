"""Certificates as cryptography signs them: what the defects, the gateway certificates and the control are made of."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from .keys import PrivateKey

__all__ = [
    "CA_EXTENSIONS",
    "CLIENT_EXTENSIONS",
    "Extensions",
    "issue",
    "revocation_extensions",
    "self_signed",
    "with_extensions",
]

Extensions = tuple[tuple[x509.ExtensionType, bool], ...]
"""Extensions with their criticality."""

CA_EXTENSIONS: Extensions = ((x509.BasicConstraints(ca=True, path_length=None), True),)
CLIENT_EXTENSIONS: Extensions = (
    (x509.BasicConstraints(ca=False, path_length=None), True),
    (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
)


def issue(
    subject: x509.Name,
    key: PrivateKey,
    not_before: datetime,
    not_after: datetime,
    *,
    issuer: x509.Name,
    issuer_key: PrivateKey,
    extensions: Extensions = (),
    serial: int | None = None,
) -> x509.Certificate:
    """A v3 certificate for *subject* and the public half of *key*, signed by *issuer_key* with SHA-256.

    Without *serial* it gets eight random octets (with a leading zero octet where DER needs one). No extension is added
    to those given, in particular no authorityKeyIdentifier: it would hide the rotation trap.
    """
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial or int.from_bytes(secrets.token_bytes(8), "big") or 1)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def self_signed(
    name: x509.Name,
    key: PrivateKey,
    not_before: datetime,
    not_after: datetime,
    *,
    extensions: Extensions = (),
    serial: int | None = None,
) -> x509.Certificate:
    """A certificate whose subject is its issuer."""
    return issue(name, key, not_before, not_after, issuer=name, issuer_key=key, extensions=extensions, serial=serial)


def revocation_extensions(
    crl_distribution_points: Iterable[str] = (), authority_information_access: Iterable[str] = ()
) -> Extensions:
    """What says where a certificate's status can be asked for: URLs of CRLs, and URLs of OCSP responders (RFC 5280
    4.2.1.13, 4.2.2.1; both not critical). Without URLs of a kind, that extension is left out.
    """
    points = [
        x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
        for url in crl_distribution_points
    ]
    responders = [
        x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))
        for url in authority_information_access
    ]
    found: list[tuple[x509.ExtensionType, bool]] = []
    if points:
        found.append((x509.CRLDistributionPoints(points), False))
    if responders:
        found.append((x509.AuthorityInformationAccess(responders), False))
    return tuple(found)


def with_extensions(certificate: x509.Certificate, issuer_key: PrivateKey, extensions: Extensions) -> x509.Certificate:
    """*certificate* with these *extensions* behind its own, signed anew by *issuer_key* with SHA-256; else unchanged."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(certificate.subject)
        .issuer_name(certificate.issuer)
        .public_key(certificate.public_key())
        .serial_number(certificate.serial_number)
        .not_valid_before(certificate.not_valid_before_utc)
        .not_valid_after(certificate.not_valid_after_utc)
    )
    for own in certificate.extensions:
        builder = builder.add_extension(own.value, own.critical)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())
