"""The list of checks by which a client certificate is judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from pytest_mtls.harness.pki.gateway_certificate import gateway_credential
from pytest_mtls.harness.pki.keys import new_ec_key
from pytest_mtls.harness.tls.policy import (
    CONSTRAINTS,
    CORRECT_POLICY,
    NOT_AFTER,
    NOT_BEFORE,
    OTHERS,
    PATH,
    PRESENTED,
    PURPOSE,
    SIGNATURES,
    STRENGTH,
    Check,
    Peer,
    VerifyError,
    refusal_during_handshake,
    refusal_of_request,
)

_BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
_END = _BEGIN + timedelta(days=365)
_SECOND = timedelta(seconds=1)

# X509_V_ERR codes, https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_CODES = {
    "unable to get issuer certificate": (2, PATH),
    "self-signed certificate": (18, PATH),
    "self-signed certificate in chain": (19, PATH),
    "unable to get local issuer certificate": (20, PATH),
    "unable to verify the first certificate": (21, PATH),
    "chain too long": (22, PATH),
    "untrusted": (27, PATH),
    "rejected": (28, PATH),
    "unable to decrypt the signature": (4, SIGNATURES),
    "unable to decode the issuer's key": (6, SIGNATURES),
    "signature failure": (7, SIGNATURES),
    "not yet valid": (9, NOT_BEFORE),
    "format error in notBefore": (13, NOT_BEFORE),
    "expired": (10, NOT_AFTER),
    "format error in notAfter": (14, NOT_AFTER),
    "no issuer public key, formerly invalid CA": (24, CONSTRAINTS),
    "path length exceeded": (25, CONSTRAINTS),
    "no certificate signing": (32, CONSTRAINTS),
    "unhandled critical extension": (34, CONSTRAINTS),
    "permitted subtree violation": (47, CONSTRAINTS),
    "excluded subtree violation": (48, CONSTRAINTS),
    "invalid CA": (79, CONSTRAINTS),
    "wrong purpose": (26, PURPOSE),
    "key too weak": (66, STRENGTH),
    "CA key too weak": (67, STRENGTH),
    "digest too weak": (68, STRENGTH),
}


@pytest.fixture(scope="module")
def certificate() -> x509.Certificate:
    """A gateway certificate with known dates."""
    return gateway_credential(clock=lambda: _BEGIN, key=new_ec_key()).leaf


@pytest.fixture
def good(certificate: x509.Certificate) -> Peer:
    """A peer of whom OpenSSL has nothing bad to say."""
    return Peer(certificate=certificate, chain=(certificate,), trusted=(certificate,), now=_BEGIN + timedelta(days=1))


def _name(check: Check | None) -> str | None:
    return None if check is None else check.name


# --- before a request


def test_a_good_peer_may_enter(good: Peer) -> None:
    """No check is broken where OpenSSL found no error and the dates fit."""

    assert refusal_of_request(CORRECT_POLICY, good) is None


def test_a_peer_without_certificate_is_refused_for_that() -> None:
    """The first check of all: there is nothing to judge."""

    assert _name(refusal_of_request(CORRECT_POLICY, Peer(certificate=None, now=_BEGIN))) == PRESENTED


@pytest.mark.parametrize(("code", "check"), _CODES.values(), ids=_CODES.keys())
def test_an_error_is_refused_by_its_check(good: Peer, code: int, check: str) -> None:
    """Each error that OpenSSL records belongs to one rule, which gives the reason."""

    peer = replace(good, errors=(VerifyError(0, code),))
    assert _name(refusal_of_request(CORRECT_POLICY, peer)) == check


@pytest.mark.parametrize("depth", [0, 1, 4])
def test_an_error_anywhere_in_the_path_counts(good: Peer, depth: int) -> None:
    """RFC 5280 6.1.3: every certificate of the path is examined."""

    peer = replace(good, errors=(VerifyError(depth, 10),))
    assert _name(refusal_of_request(CORRECT_POLICY, peer)) == NOT_AFTER


def test_every_other_error_is_refused_too(good: Peer) -> None:
    """A code that no rule knows is refused all the same: OpenSSL has more than a hundred, and new ones come."""

    known = {code for code, _ in _CODES.values()}
    unknown = [code for code in range(1, 200) if code not in known]
    admitted = [
        code
        for code in unknown
        if refusal_of_request(CORRECT_POLICY, replace(good, errors=(VerifyError(0, code),))) is None
    ]
    assert admitted == []


def test_an_unknown_error_is_called_another(good: Peer) -> None:
    """Revoked (23) has no rule of its own here."""

    assert _name(refusal_of_request(CORRECT_POLICY, replace(good, errors=(VerifyError(0, 23),)))) == OTHERS


def test_the_first_broken_check_gives_the_reason(good: Peer) -> None:
    """The order is that of RFC 5280 6.1, whatever the order of the errors."""

    peer = replace(good, errors=(VerifyError(0, 68), VerifyError(0, 10), VerifyError(0, 7)))
    assert _name(refusal_of_request(CORRECT_POLICY, peer)) == SIGNATURES


@pytest.mark.parametrize(
    ("now", "check"),
    [(_BEGIN - _SECOND, NOT_BEFORE), (_BEGIN, None), (_END, None), (_END + _SECOND, NOT_AFTER)],
    ids=["before", "first second", "last second", "after"],
)
def test_dates_are_judged_again_before_each_request(good: Peer, now: datetime, check: str | None) -> None:
    """A certificate ends on open connections too; both ends belong to its validity (RFC 5280 4.1.2.5)."""

    assert _name(refusal_of_request(CORRECT_POLICY, replace(good, now=now))) == check


def test_nothing_at_all_is_refused_by_no_checks() -> None:
    """An empty policy admits everybody: it is the checks alone that refuse."""

    assert refusal_of_request((), Peer(certificate=None, now=_BEGIN)) is None


# --- during the handshake


@pytest.mark.parametrize(("code", "check"), _CODES.values(), ids=_CODES.keys())
def test_a_known_error_decides_in_the_handshake(code: int, check: str) -> None:
    """So that the refusal is an alert with the right number."""

    assert _name(refusal_during_handshake(CORRECT_POLICY, VerifyError(0, code))) == check


def test_an_unknown_error_waits_for_the_request() -> None:
    """Only a check that looks at the whole peer can name it."""

    assert refusal_during_handshake(CORRECT_POLICY, VerifyError(0, 23)) is None


def test_a_check_that_needs_the_whole_peer_waits_for_the_request() -> None:
    """A check that is not for the handshake does not decide there, whatever its codes say."""

    late = tuple(replace(check, at_handshake=False) for check in CORRECT_POLICY)
    assert refusal_during_handshake(late, VerifyError(0, 18)) is None


# --- the list


def test_no_error_has_two_reasons() -> None:
    """The checks share no code, so that a fault which removes one check removes nothing else."""

    codes = [code for check in CORRECT_POLICY for code in check.codes]
    assert len(codes) == len(set(codes))


def test_checks_have_names_of_their_own() -> None:
    """Faults find a check by its name."""

    names = [check.name for check in CORRECT_POLICY]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("check", CORRECT_POLICY, ids=lambda check: check.name)
def test_a_check_gives_a_reason(check: Check) -> None:
    """It is what a refused client reads."""

    assert check.reason.strip() == check.reason != ""
