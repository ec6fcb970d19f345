"""The front door's verifier on certificates that somebody has altered: never let in, never an exception."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import crypto

from pytest_mtls.harness.gateway.client_cert import ClientCert
from pytest_mtls.harness.gateway.client_verifier import refusal
from pytest_mtls.harness.gateway.front_door_tls import _readable
from pytest_mtls.harness.gateway.settings import Settings
from pytest_mtls.harness.gateway.truststores import Trust, quiet
from pytest_mtls.harness.pki.authority import new_hierarchy
from pytest_mtls.harness.pki.gateway_certificate import gateway_credential

NOW = datetime.now(UTC)
SETTINGS = tuple(Settings().changed({"client_cert_serial": form}) for form in ("openssl", "hex", "decimal"))


def pairs() -> dict[str, tuple[x509.Certificate, Trust]]:
    """Leaves that are let in, each with what it is trusted by."""
    hierarchy, own = new_hierarchy(2), gateway_credential(not_before=NOW - timedelta(days=1))
    trust = Trust.of(hierarchy.certificates)
    return {
        "EC": (hierarchy.issue().leaf, trust),
        "RSA": (hierarchy.issue(rsa_key=True).leaf, trust),
        "self-signed": (own.leaf, Trust.of([own.leaf])),
    }


PAIRS = pairs()


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("bit", [0x01, 0x80], ids=hex)
def test_no_octet_of_a_certificate_can_be_changed_to_be_let_in(kind: str, bit: int) -> None:
    """Whatever becomes of it: what OpenSSL can read is refused with a reason, and the log can tell of it."""
    leaf, trust = PAIRS[kind]
    assert refusal(leaf, trust, NOW, Settings()) is None
    whole, seen = leaf.public_bytes(Encoding.DER), Counter[str]()
    for place in range(len(whole)):
        altered = bytearray(whole)
        altered[place] ^= bit
        try:
            read = crypto.load_certificate(crypto.FILETYPE_ASN1, bytes(altered))
        except crypto.Error:
            continue  # TLS ends before anybody is asked
        certificate = _readable(read)
        if certificate is None:
            continue  # "Client cert cannot be parsed"
        with quiet():
            reason = refusal(certificate, trust, NOW, Settings())
        assert reason is not None, f"octet {place}"
        seen[reason] += 1
        _tell(ClientCert(certificate))

    assert len(seen) > 3
    assert sum(seen.values()) > len(whole) / 3


def _tell(one: ClientCert) -> None:
    """What stands in the log; ValueError is what the log expects."""
    for settings in SETTINGS:
        assert re.fullmatch(r"-?[0-9a-f:]+", one.serial_number(settings))
        try:
            one.subject_dn(settings)
        except ValueError:
            continue
