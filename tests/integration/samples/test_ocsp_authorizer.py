"""The OCSP authorizer of docs/samples, against responders that are right, wrong, and gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from pytest_mtls.harness.pki.ocsp import OcspMode, ocsp_answer

from .authorizers import NOW, Clock, Load, NewPki

LIED_TO = "good"  # a responder that is believed by right, and lies
EXPECTED = {
    OcspMode.NORMAL: ("good", "good"),
    OcspMode.DELEGATED: ("good", "good"),
    OcspMode.GOOD: (LIED_TO, LIED_TO),
    OcspMode.REVOKED: ("revoked", "revoked"),
    OcspMode.UNKNOWN: ("unknown", "unknown"),
    OcspMode.STALE: ("stale OCSP answer", "stale OCSP answer"),
    OcspMode.FOREIGN_SIGNED: ("forged OCSP answer", "forged OCSP answer"),
    OcspMode.UNDELEGATED: ("forged OCSP answer", "forged OCSP answer"),
    OcspMode.OTHER_CERTIFICATE: ("OCSP answer about another certificate", "OCSP answer about another certificate"),
    OcspMode.TRY_LATER: ("no OCSP answer: responder says try_later", "good"),
    OcspMode.INTERNAL_ERROR: ("no OCSP answer: responder says internal_error", "good"),
    OcspMode.SILENT: ("no OCSP answer: TimeoutError", "good"),
}
"""Of a good leaf: with hard-fail, with soft-fail."""


@pytest.mark.parametrize("mode", OcspMode)
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_good_leaf_under_each_mode(mode: OcspMode, soft: bool, mtls_revocation: NewPki, load: Load) -> None:
    pki = mtls_revocation(depth=2)
    pki.ocsp.mode = mode
    reason = load("ocsp_authorizer", pki, OCSP_SOFT_FAIL=str(soft).lower()).says(pki.issue())

    assert reason.startswith(EXPECTED[mode][soft])
    assert pki.ocsp.requests == 1


@pytest.mark.parametrize("mode", [mode for mode in OcspMode if EXPECTED[mode][0] != LIED_TO])
def test_revoked_leaf_is_refused_by_hard_fail_whatever_is_answered(
    mode: OcspMode, mtls_revocation: NewPki, load: Load
) -> None:
    pki = mtls_revocation()
    leaf = pki.issue()
    pki.revoke(leaf)
    pki.ocsp.mode = mode

    assert load("ocsp_authorizer", pki).says(leaf) != "good"


@pytest.mark.parametrize("mode", [OcspMode.NORMAL, OcspMode.DELEGATED])
def test_revocation_is_seen_at_once(mode: OcspMode, mtls_revocation: NewPki, load: Load) -> None:
    pki = mtls_revocation(depth=2)
    pki.ocsp.mode = mode
    authorizer, leaf = load("ocsp_authorizer", pki), pki.issue()
    before = authorizer.says(leaf)
    pki.revoke(leaf, publish=False)

    assert (before, authorizer.says(leaf)) == ("good", "revoked")


@pytest.mark.parametrize(
    ("soft", "reason"), [("false", "no OCSP answer: URLError"), ("true", "good"), ("yes", "no OCSP")]
)
def test_responder_that_is_down(soft: str, reason: str, mtls_revocation: NewPki, load: Load) -> None:
    """Only the word that is documented makes it soft."""
    pki = mtls_revocation()
    leaf = pki.issue()
    pki.stop()

    assert load("ocsp_authorizer", pki, OCSP_SOFT_FAIL=soft).says(leaf).startswith(reason)


def test_answer_is_not_believed_after_its_next_update(mtls_revocation: NewPki, load: Load) -> None:
    clock = Clock()
    pki = mtls_revocation(clock=lambda: NOW)
    authorizer, leaf = load("ocsp_authorizer", pki, clock=clock), pki.issue()
    before = authorizer.says(leaf)
    clock.now += timedelta(days=1)

    assert (before, authorizer.says(leaf)) == ("good", "stale OCSP answer")


@pytest.mark.parametrize("mode", [OcspMode.NORMAL, OcspMode.DELEGATED])
def test_no_octet_of_an_answer_can_be_changed_to_be_let_in(
    mode: OcspMode, mtls_revocation: NewPki, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each octet of a ``revoked`` in turn; whatever that makes of it, it is refused in words and not by an exception."""
    pki = mtls_revocation()
    leaf = pki.issue()
    pki.revoke(leaf)
    authorizer = load("ocsp_authorizer", pki)
    request = ocsp.OCSPRequestBuilder().add_certificate(leaf.leaf, pki.root, hashes.SHA1()).build()
    revoked = {leaf.leaf.serial_number: pki.issuing.revoked[0]}
    now = datetime.now(UTC).replace(microsecond=0)
    true = ocsp_answer(pki.issuing.authority, request.public_bytes(Encoding.DER), revoked, now=now, mode=mode)
    assert true is not None
    answer = bytearray(true)
    monkeypatch.setattr(authorizer.module, "download", lambda *question: bytes(answer))
    assert authorizer.says(leaf) == "revoked"

    for place in range(len(answer)):
        answer[place] ^= 0x02
        assert authorizer.says(leaf) != "good", f"octet {place}"
        answer[place] ^= 0x02
