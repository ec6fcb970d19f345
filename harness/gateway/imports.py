"""Certificates as they come to ACM: PEM of a caller's, read completely once, so that nothing later stumbles over it."""

from __future__ import annotations

import warnings

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ..pki.credential import Credential
from ..pki.keys import PrivateKey
from .errors import ApiError

__all__ = ["read_credential"]


def _invalid(message: str) -> ApiError:
    return ApiError("ValidationException", message)


def read_credential(certificate: bytes, key: bytes, chain: bytes | None, *, name: str) -> Credential:
    """The credential that ImportCertificate brings; raises ValidationException for what cannot be used.

    Dates and links are not judged: a stage is refused an expired certificate when it is attached, not here.
    """
    leaves = _certificates(certificate, "certificate")
    if len(leaves) != 1:
        raise _invalid(
            "The certificate field contains more than one certificate. You can specify only one certificate in this field."
        )
    private = _private_key(key)
    if leaves[0].public_key() != private.public_key():
        raise _invalid("The private key does not match the certificate.")
    return Credential(leaves[0], private, tuple(_certificates(chain, "certificate chain") if chain else ()), name)


def _certificates(pem: bytes, what: str) -> list[x509.Certificate]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names too long and serials below one: ACM takes them
            found = x509.load_pem_x509_certificates(pem)
            for one in found:
                _read_all(one)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
        raise _invalid(f"The {what} field contains no valid PEM-encoded X.509 certificate.") from None
    return found


def _read_all(one: x509.Certificate) -> None:
    """Have cryptography parse every part: it does so only when asked, and raises only then."""
    parts = (
        one.subject,
        one.issuer,
        one.serial_number,
        one.not_valid_before_utc,
        one.not_valid_after_utc,
        one.extensions,
        one.signature_hash_algorithm,
    )
    if not isinstance(one.public_key(), rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise ValueError(f"neither RSA nor EC: {parts[0]}")


def _private_key(pem: bytes) -> PrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise _invalid("The private key field contains no valid unencrypted PEM-encoded RSA or EC key.")
    return key
