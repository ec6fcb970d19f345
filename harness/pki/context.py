"""Contexts of the standard library's ssl, for clients (httpx, http.client, asyncio …) and servers in tests."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .. import leftovers
from ..errors import UsageError

if TYPE_CHECKING:
    from .credential import Credential

__all__ = ["Trust", "ssl_context"]

Trust: TypeAlias = x509.Certificate | Iterable[x509.Certificate] | Path
"""Whom to trust: a certificate, several (a Truststore is several), or the path of a PEM file of them."""


def ssl_context(credential: Credential | None, *, trust: Trust, server_side: bool = False) -> ssl.SSLContext:
    """A context that presents *credential* (None: nothing) to peers that it verifies by *trust* alone.

    A client's checks the server's name too; a server's lets in nobody without a certificate. Every certificate of
    *trust* is an anchor, so that several of one name are all known, on every version of Python. TLS 1.2 and up.
    Raises UsageError for an empty *trust*, and for a certificate that OpenSSL does not present as it is too weak.
    """
    if server_side and credential is None:
        raise UsageError("ssl_context: expected a credential for a server, saw none. Give one: servers have to.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=_der(trust))
    if credential is not None:
        _present(context, credential)
    return context


def _der(trust: Trust) -> bytes:
    if isinstance(trust, Path):
        from .credential import read_certificates

        trust = read_certificates(trust, "trust")
    anchors = (trust,) if isinstance(trust, x509.Certificate) else tuple(trust)
    if not anchors:
        raise UsageError("ssl_context: expected a certificate to trust, saw none. Without one, no peer is let in.")
    return b"".join(anchor.public_bytes(Encoding.DER) for anchor in anchors)


def _present(context: ssl.SSLContext, credential: Credential) -> None:
    # OpenSSL's own way in is a file; this one has mode 0600 from the first moment, and is gone with the block.
    with tempfile.NamedTemporaryFile(prefix="pytest-mtls-", suffix=".pem", dir=leftovers.folder()) as file:
        file.write(credential.key_pem + credential.certificate_pem)
        file.flush()
        try:
            context.load_cert_chain(file.name)
        except ssl.SSLError as error:
            raise UsageError(
                f"ssl_context: expected a certificate that OpenSSL presents, saw {credential.name}: {error.reason}. "
                "Use mtls_probe, which presents any."
            ) from error
