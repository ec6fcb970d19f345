"""What a TLS peer presents: leaf, chain, private key. Read from PEM, written as PEM, never shown with its key."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from ..errors import UsageError
from .context import Trust, ssl_context
from .keys import PrivateKey

__all__ = ["Credential", "read_certificates", "read_file", "write_private"]


@dataclass(frozen=True, slots=True, eq=False)
class Credential:
    """A certificate with its private key and the chain that is sent along.

    ``leaf`` comes first on the wire, then ``chain`` in its order, which may be any (RFC 8446 4.4.2 wants each
    certificate to certify the one before; tests want the opposite too). ``name`` is what reports call it.
    """

    leaf: x509.Certificate
    key: PrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()
    name: str = "credential"

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """Everything that goes over the wire, leaf first."""
        return (self.leaf, *self.chain)

    @property
    def subject(self) -> str:
        """The leaf's subject as RFC 4514 text."""
        return self.leaf.subject.rfc4514_string()

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the leaf's DER, in hex."""
        return self.leaf.fingerprint(hashes.SHA256()).hex()

    @property
    def certificate_pem(self) -> bytes:
        """Leaf and chain as PEM."""
        return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in self.certificates)

    @property
    def key_pem(self) -> bytes:
        """The private key, unencrypted. Keep it out of logs and reports."""
        # PKCS#8, because Java reads nothing else without help.
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def write(self, folder: Path, stem: str) -> tuple[Path, Path]:
        """Write ``<stem>.pem`` and ``<stem>.key`` (mode 0600) into *folder*, made with mode 0700; return both paths."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        certificate, key = folder / f"{stem}.pem", folder / f"{stem}.key"
        certificate.write_bytes(self.certificate_pem)
        write_private(key, self.key_pem)
        return certificate, key

    def ssl_context(self, *, trust: Trust, server_side: bool = False) -> ssl.SSLContext:
        """A context of the standard library that presents this credential and verifies its peer by *trust* alone.

        For ``httpx.Client(verify=…)``, ``http.client.HTTPSConnection(context=…)`` and their like, or for a server that
        demands a certificate. Raises UsageError when *trust* is empty or this certificate too weak for OpenSSL.
        """
        return ssl_context(self, trust=trust, server_side=server_side)

    @classmethod
    def from_files(cls, certificate: Path, key: Path, name: str = "client certificate") -> Credential:
        """Read a credential from two PEM files: leaf and chain, and the leaf's unencrypted private key.

        Raises UsageError when a file cannot be read or parsed, or when the two do not belong together.
        """
        leaf, *chain = read_certificates(certificate, name)
        private = _read_key(key)
        if _public_key(leaf, certificate, name) != _public_bytes(private.public_key()):
            raise UsageError(
                f"private key ({key}): expected the key of the certificate in {certificate}, saw another one. "
                "Give the key that the certificate was made with."
            )
        return cls(leaf, private, tuple(chain), name)


def write_private(path: Path, content: bytes) -> None:
    """Write *content* to *path* so that only its owner can ever read it (mode 0600 from the first moment)."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def read_file(path: Path, what: str) -> bytes:
    """The content of *path*; raises UsageError, calling it *what*, when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{what} ({path}): expected a readable PEM file, saw: {error.strerror}. Check the path."
        ) from error


def read_certificates(path: Path, what: str) -> list[x509.Certificate]:
    """The certificates of a PEM file, at least one; raises UsageError, calling it *what*, when there is none."""
    try:
        return x509.load_pem_x509_certificates(read_file(path, what))
    except ValueError as error:
        raise UsageError(
            f"{what} ({path}): expected PEM certificates, saw none that can be parsed ({_first_line(error)}). "
            "Give a file with BEGIN CERTIFICATE blocks."
        ) from error


def _read_key(path: Path) -> PrivateKey:
    try:
        key = load_pem_private_key(read_file(path, "private key"), password=None)
    except TypeError as error:
        raise UsageError(
            f"private key ({path}): expected an unencrypted key, saw an encrypted one. "
            "Decrypt a copy with 'openssl pkey' and give that."
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"private key ({path}): expected a PEM private key, saw none that can be parsed ({_first_line(error)}). "
            "Give a file with a BEGIN PRIVATE KEY block."
        ) from error
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return key
    raise UsageError(
        f"private key ({path}): expected RSA or EC, saw {type(key).__name__}. "
        "Give a credential with one of these; API Gateway has no other kinds."
    )


def _public_key(certificate: x509.Certificate, path: Path, what: str) -> bytes:
    try:
        return _public_bytes(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{what} ({path}): expected an RSA or EC public key, saw one that cannot be read ({_first_line(error)}). "
            "Give a credential with one of these; API Gateway has no other kinds."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].partition(". See http")[0][:120]


def _public_bytes(key: object) -> bytes:
    public_bytes = getattr(key, "public_bytes")  # noqa: B009 - every public key of cryptography has it, no base class does
    return bytes(public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
