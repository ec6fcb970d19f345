"""Command lines that are refused before anything starts, and the files that they name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pytest_mtls.harness.pki.gateway_certificate import control_credential

__all__ = ["URL", "Refuse", "pem_files", "table"]

Refuse = Callable[..., str]


def table(names: tuple[str, ...], *rows: tuple[str, ...]) -> pytest.MarkDecorator:
    """A parametrized test whose first column names the rows."""
    return pytest.mark.parametrize(names, rows, ids=[row[0] for row in rows])


URL = "check --url https://localhost:1/ --client-cert client.pem --client-key client.key"


@cache
def pem_files() -> dict[str, bytes]:
    """A client credential, and what people give in its place by mistake."""
    client, other, ed25519 = control_credential(), control_credential(), Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
    begin = datetime.now(UTC).replace(microsecond=0)
    certificate = (
        x509.CertificateBuilder(name, name, ed25519.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=1))
        .sign(ed25519, None)
    )
    encrypted = client.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    return {
        "client.pem": client.certificate_pem,
        "client.key": client.key_pem,
        "other.key": other.key_pem,
        "encrypted.key": encrypted,
        "ed25519.pem": certificate.public_bytes(Encoding.PEM),
        "ed25519.key": ed25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "garbage.pem": b"this is no PEM\n",
        "empty.pem": b"",
        "cut.pem": client.certificate_pem[:200],
        "notes.txt": b"not a program\n",
    }
