"""Certificates as cryptography signs them: what the defects, the gateway certificates and the control are made of."""

from __future__ import annotations

import secrets
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from .keys import PrivateKey

__all__ = ["CA_EXTENSIONS", "CLIENT_EXTENSIONS", "Extensions", "issue", "self_signed"]

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
