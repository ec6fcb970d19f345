"""The certificates of a truststore, as API Gateway wants them: valid now, SHA-256 or better, RSA-2048 or P-256 and better."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ..pki.truststore import Truststore

__all__ = ["problems_of"]

_WEAK_HASHES = ("md5", "sha1")


def problems_of(truststore: Truststore, now: datetime) -> list[str]:
    """One sentence for each certificate of *truststore* that does not fit, with its subject; and what is said of its size."""
    if not len(truststore):
        return ["it holds no certificate"]
    return [*truststore.warnings, *(f"{_subject(one)}: {issue}" for one in truststore for issue in _issues(one, now))]


def _subject(certificate: x509.Certificate) -> str:
    try:
        return certificate.subject.rfc4514_string() or f"serial {certificate.serial_number:x}"
    except ValueError:
        return f"serial {certificate.serial_number:x}"


def _issues(certificate: x509.Certificate, now: datetime) -> Iterator[str]:
    if now > certificate.not_valid_after_utc:
        yield f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if now < certificate.not_valid_before_utc:
        yield f"not valid before {certificate.not_valid_before_utc:%Y-%m-%d}"
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        yield "signed with an unknown algorithm"
    else:
        if algorithm is not None and algorithm.name in _WEAK_HASHES:
            yield f"signed with {algorithm.name}"
    yield from _key_issues(certificate)


def _key_issues(certificate: x509.Certificate) -> Iterator[str]:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        yield "its key cannot be read"
        return
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        yield "its key is neither RSA nor ECDSA"
    elif key.key_size < (2048 if isinstance(key, rsa.RSAPublicKey) else 256):
        kind = "RSA" if isinstance(key, rsa.RSAPublicKey) else "ECDSA"
        yield f"its key has {key.key_size} bits, too few for {kind}"
