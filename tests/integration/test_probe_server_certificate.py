"""Server certificates that OpenSSL takes and cryptography does not read: recorded as far as possible, never raised."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from OpenSSL import crypto

from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.issue import self_signed
from pytest_mtls.harness.pki.keys import new_ec_key
from pytest_mtls.harness.tls.observation import TlsVersion
from pytest_mtls.harness.tls.probe import probe
from pytest_mtls.harness.verdict import judge_control

from .peers import Peer, Peers, server_context
from .scripts import PATIENT

SERIAL = 0x12345678
LATIN = ("\N{LATIN SMALL LETTER E WITH ACUTE}" * 4).encode()


@pytest.mark.parametrize(
    ("good", "odd", "reported"),
    [
        (b"\x0c\x08" + LATIN, b"\x14\x08" + b"\xe9" * 8, ["(unreadable)"]),
        (b"\2\4\x12\x34\x56\x78", b"\2\4\x82\x34\x56\x78", [f"CN={LATIN.decode()}"]),
        (b"\xa0\3\2\1\2", b"\xa0\3\2\1\7", []),
    ],
    ids=["Latin-1 name", "negative serial", "version 8"],
)
def test_an_odd_server_certificate_is_no_reason_to_raise(
    peers: Peers,
    peer_credential: Credential,
    client: Credential,
    tls: TlsVersion,
    tmp_path: Path,
    good: bytes,
    odd: bytes,
    reported: list[str],
) -> None:
    """The peer may present what it likes; the report says what could be read."""
    key, now = new_ec_key(), datetime.now(UTC).replace(microsecond=0)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, LATIN.decode())])
    certificate = self_signed(name, key, now - timedelta(days=1), now + timedelta(days=1), serial=SERIAL)
    path = tmp_path / "server.der"
    path.write_bytes(certificate.public_bytes(Encoding.DER).replace(good, odd))
    context = server_context(replace(peer_credential, chain=()))
    context.use_certificate_file(str(path), crypto.FILETYPE_ASN1)
    context.use_privatekey(key)
    peer = peers.listen(Peer("127.0.0.1", context))
    seen = probe(peer.endpoint(), tls=tls, credential=client, timeouts=PATIENT)

    assert judge_control(seen).accepted
    assert seen.to_json()["server_certificates"] == reported
