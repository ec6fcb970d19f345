"""As much DER as it takes to make certificates that cryptography rightly refuses to make.

A certificate is SEQUENCE { tbsCertificate, signatureAlgorithm, signature BIT STRING } (RFC 5280 4.1). The functions here
take it apart, let a caller change octets of the middle, and sign the result anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding

from .keys import PrivateKey

__all__ = [
    "certificate_from_parts",
    "replace_last",
    "sign",
    "split_certificate",
    "version_1_tbs",
    "with_sha1_signature",
]

_SEQUENCE, _BIT_STRING, _EXPLICIT_VERSION = 0x30, 0x03, 0xA0
_SHA256_WITH_RSA = bytes.fromhex("06092a864886f70d01010b")
_SHA1_WITH_RSA = bytes.fromhex("06092a864886f70d010105")


def _encode(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _elements(content: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """The elements in *content*: tag, value, and the whole encoding."""
    at = 0
    while at < len(content):
        size, head = content[at + 1], at + 2
        if size & 0x80:
            head += size & 0x7F
            size = int.from_bytes(content[at + 2 : head], "big")
        yield content[at], content[head : head + size], content[at : head + size]
        at = head + size


def split_certificate(certificate: x509.Certificate) -> tuple[bytes, bytes, bytes]:
    """The encodings of tbsCertificate and signatureAlgorithm, and the octets of the signature."""
    ((_, body, _),) = _elements(certificate.public_bytes(Encoding.DER))
    (_, _, tbs), (_, _, algorithm), (_, signature, _) = _elements(body)
    return tbs, algorithm, signature[1:]  # the first octet counts unused bits: none


def certificate_from_parts(tbs: bytes, algorithm: bytes, signature: bytes) -> x509.Certificate:
    """The certificate made of these three parts; nothing is verified."""
    body = tbs + algorithm + _encode(_BIT_STRING, b"\0" + signature)
    return x509.load_der_x509_certificate(_encode(_SEQUENCE, body))


def replace_last(content: bytes, old: bytes, new: bytes) -> bytes:
    """*content* with the last occurrence of *old* replaced by *new*, of the same length.

    Raises ValueError when the lengths differ or *old* does not occur.
    """
    head, found, tail = content.rpartition(old)
    if not found or len(old) != len(new):
        raise ValueError(f"cannot replace {old!r} by {new!r}: not found, or of another length")
    return head + new + tail


def version_1_tbs(certificate: x509.Certificate) -> bytes:
    """The tbsCertificate of *certificate* as X.509 v1: without its version field (RFC 5280 4.1.2.1) and extensions."""
    tbs, _, _ = split_certificate(certificate)
    ((_, content, _),) = _elements(tbs)
    kept = [whole for tag, _, whole in _elements(content) if tag not in (_EXPLICIT_VERSION, 0xA3)]
    return _encode(_SEQUENCE, b"".join(kept))


def sign(tbs: bytes, key: PrivateKey) -> bytes:
    """The signature over *tbs* by *key* with SHA-256."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    return key.sign(tbs, padding.PKCS1v15(), hashes.SHA256())


def with_sha1_signature(certificate: x509.Certificate, issuer_key: PrivateKey) -> x509.Certificate:
    """*certificate*, signed anew with SHA-1 by the RSA key *issuer_key*.

    The algorithm's identifier stands inside the signed part too; both object identifiers have the same length.
    Raises ValueError for a certificate that is not signed with sha256WithRSAEncryption.
    """
    tbs, algorithm, _ = split_certificate(certificate)
    if isinstance(issuer_key, ec.EllipticCurvePrivateKey) or _SHA256_WITH_RSA not in tbs:
        raise ValueError("only a certificate signed with RSA and SHA-256 can be signed anew with SHA-1")
    tbs = tbs.replace(_SHA256_WITH_RSA, _SHA1_WITH_RSA, 1)
    algorithm = replace_last(algorithm, _SHA256_WITH_RSA, _SHA1_WITH_RSA)
    signature = issuer_key.sign(tbs, padding.PKCS1v15(), hashes.SHA1())
    return certificate_from_parts(tbs, algorithm, signature)
