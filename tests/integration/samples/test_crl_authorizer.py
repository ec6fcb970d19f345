"""The CRL authorizer of docs/samples, with lists that are right, wrong, and gone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pytest_mtls import Credential, new_hierarchy
from pytest_mtls.harness.pki.revocation import CrlMode

from .authorizers import WEEK, Clock, Load, NewPki


def test_list_is_fetched_once_for_many_requests(mtls_revocation: NewPki, load: Load) -> None:
    pki = mtls_revocation(depth=3)
    authorizer = load("crl_authorizer", pki)
    leaves = [pki.issue() for _ in range(5)]

    assert {authorizer.says(leaf) for leaf in leaves * 10} == {"good"}
    assert [authority.crl.requests for authority in pki.authorities] == [1, 1, 1]


def test_list_is_kept_until_its_next_update_and_fetched_anew_then(mtls_revocation: NewPki, load: Load) -> None:
    """What is revoked meanwhile is seen then: the price of a cache."""
    clock = Clock()
    pki = mtls_revocation(depth=2, clock=clock, lifetime=WEEK)
    authorizer, leaf = load("crl_authorizer", pki, clock=clock), pki.issue()
    first = authorizer.says(leaf)
    pki.revoke(leaf)
    ends = x509.load_der_x509_crl(pki.issuing.crl_der()).next_update_utc
    assert ends is not None
    clock.now = ends - timedelta(seconds=1)
    before = authorizer.says(leaf), pki.crl.requests
    clock.now = ends
    pki.publish()
    after = authorizer.says(leaf), pki.crl.requests

    assert (first, before, after) == ("good", ("good", 1), ("revoked", 2))


def test_list_in_force_outlives_the_distribution_point_until_its_next_update(
    mtls_revocation: NewPki, load: Load
) -> None:
    clock = Clock()
    pki = mtls_revocation(clock=clock, lifetime=WEEK)
    authorizer, leaf = load("crl_authorizer", pki, clock=clock), pki.issue()
    seen = [authorizer.says(leaf)]
    pki.stop()
    seen.append(authorizer.says(leaf))
    clock.now += WEEK
    seen.append(authorizer.says(leaf))
    pki.start()
    seen.append(authorizer.says(leaf))
    pki.publish()
    seen.append(authorizer.says(leaf))

    assert seen == ["good", "good", f"no CRL: URLError at {pki.crl.url}", "no CRL: stale list", "good"]


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("stale", "stale list"),
        ("wrong-issuer", "list of another issuer"),
        ("wrongly-signed", "list with a wrong signature"),
        ("malformed", "malformed list"),
        ("silent", "TimeoutError"),
    ],
)
def test_good_leaf_is_refused_while_there_is_no_list_to_go_by_and_let_in_then(
    mode: str, reason: str, mtls_revocation: NewPki, load: Load
) -> None:
    pki = mtls_revocation(depth=2)
    authorizer, leaf = load("crl_authorizer", pki), pki.issue()
    pki.crl.mode = mode
    refused = authorizer.says(leaf)
    pki.crl.mode = "full"

    assert refused.startswith(f"no CRL: {reason}")
    assert authorizer.says(leaf) == "good"
    assert pki.crl.requests == 2


@pytest.mark.parametrize("mode", [mode for mode in CrlMode if mode is not CrlMode.FULL])
def test_revoked_leaf_is_refused_whatever_is_published(mode: CrlMode, mtls_revocation: NewPki, load: Load) -> None:
    pki = mtls_revocation()
    leaf = pki.issue()
    pki.revoke(leaf)
    pki.crl.mode = mode

    assert load("crl_authorizer", pki).says(leaf) != "good"


def test_list_that_is_not_complete_is_not_gone_by(
    mtls_revocation: NewPki, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delta names only what is new (RFC 5280 5.2.4); the extension that says so is critical."""
    pki = mtls_revocation()
    authorizer = load("crl_authorizer", pki)
    full = x509.load_der_x509_crl(pki.issuing.crl_der())
    assert full.next_update_utc is not None
    builder = x509.CertificateRevocationListBuilder().issuer_name(full.issuer).last_update(full.last_update_utc)
    builder = builder.next_update(full.next_update_utc).add_extension(x509.DeltaCRLIndicator(1), critical=True)
    delta = builder.sign(pki.issuing.authority.key, full.signature_hash_algorithm)  # type: ignore[arg-type]
    monkeypatch.setattr(authorizer.module, "download", lambda url: delta.public_bytes(Encoding.DER))

    assert authorizer.says(pki.issue()) == "no CRL: list that is not complete"


def test_self_signed_leaf_of_the_truststore_has_nobody_to_revoke_it(mtls_revocation: NewPki, load: Load) -> None:
    """API Gateway lets such a client in; take it out of the truststore to take it back."""
    root = new_hierarchy().issuing
    authorizer = load("crl_authorizer", mtls_revocation())
    shown = Credential(root.certificate, root.key)
    before = authorizer.says(shown)
    authorizer.module.CHECK.truststore = [root.certificate]

    assert (before, authorizer.says(shown)) == ("no path to a root of the truststore", "good")
