"""The verdict on a backend's certificate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from pytest_mtls.harness.gateway.egress.failures import certificate_failure
from pytest_mtls.harness.gateway.egress.verify import Trust, judge
from pytest_mtls.harness.pki.authority import new_hierarchy, server_credential
from pytest_mtls.harness.pki.issue import Extensions, issue, self_signed
from pytest_mtls.harness.pki.keys import PrivateKey, new_ec_key

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
NOBODY = Trust(platform=False)

CA = (x509.BasicConstraints(ca=True, path_length=None), True)
NO_CA = (x509.BasicConstraints(ca=False, path_length=None), True)
SAN = (x509.SubjectAlternativeName([x509.DNSName("a.example")]), False)


def usage(*, signs: bool) -> tuple[x509.ExtensionType, bool]:
    """keyUsage with or without keyCertSign."""
    names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign")
    rest = dict.fromkeys((*names, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=True, key_cert_sign=signs, **rest), True


ROOT: Extensions = (CA, usage(signs=True))


@dataclass(frozen=True)
class Made:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: PrivateKey

    def issues(
        self, name: str, extensions: Extensions = (SAN,), *, begin: Any = NOW - DAY, end: Any = NOW + DAY
    ) -> Made:
        """A certificate below this one."""
        key = new_ec_key()
        issuer = self.certificate.subject
        made = issue(_name(name), key, begin, end, issuer=issuer, issuer_key=self.key, extensions=extensions)
        return Made(made, key)


def root(extensions: Extensions = ROOT, name: str = "root", *, begin: Any = NOW - DAY, end: Any = NOW + DAY) -> Made:
    """A self-signed certificate."""
    key = new_ec_key()
    return Made(self_signed(_name(name), key, begin, end, extensions=extensions), key)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def verdict(*sent: Made, host: str = "a.example", trust: Trust = NOBODY, moment: datetime = NOW, **how: bool) -> str:
    """The verdict on a chain."""
    return judge([one.certificate for one in sent], host, moment, trust, **how).verdict


def trusting(*anchors: Made) -> Trust:
    """A bundle."""
    return Trust([one.certificate for one in anchors], platform=False)


BOTH = pytest.mark.parametrize("skip", [False, True], ids=["verified", "insecure"])


def test_chain_to_a_trusted_root_is_ok_with_and_without_the_root_sent() -> None:
    top = root()
    middle = top.issues("middle", ROOT)
    leaf = middle.issues("leaf")

    assert verdict(leaf, middle, trust=trusting(top)) == "ok"
    assert verdict(leaf, middle, top, trust=trusting(top)) == "ok"
    assert verdict(leaf, top, middle, trust=trusting(top)) == "ok"


def test_missing_intermediate_is_untrusted() -> None:
    top = root()
    leaf = top.issues("middle", ROOT).issues("leaf")

    assert verdict(leaf, trust=trusting(top)) == "untrusted"


def test_unknown_root_is_untrusted_unless_verification_is_skipped() -> None:
    top = root()
    leaf = top.issues("leaf")

    for others in (NOBODY, trusting(root(name="another"))):
        assert verdict(leaf, top, trust=others) == "untrusted"
        assert verdict(leaf, top, trust=others, skip_verification=True) == "ok"


def test_root_is_found_among_others_of_its_name() -> None:
    """OpenSSL takes the first of them, a Java client the right one: a CA that was rotated."""
    old, new = root(), root()

    for top in (old, new):
        assert verdict(top.issues("leaf"), trust=trusting(old, new)) == "ok"
    assert verdict(root().issues("leaf"), trust=trusting(old, new)) == "broken-chain"


def test_root_that_was_sent_counts_under_skip_though_the_bundle_has_another_of_its_name() -> None:
    top = root()

    assert verdict(top.issues("leaf"), top, trust=trusting(root()), skip_verification=True) == "ok"


def test_chain_may_be_completed_from_the_bundle_under_skip() -> None:
    top = root()

    assert verdict(top.issues("leaf"), trust=trusting(top), skip_verification=True) == "ok"


def test_platform_alone_does_not_know_a_private_root() -> None:
    top = root()

    assert verdict(top.issues("leaf"), top, trust=Trust()) == "untrusted"


@BOTH
@pytest.mark.parametrize("place", ["leaf", "middle", "root"])
@pytest.mark.parametrize(("begin", "end", "word"), [(-3, -2, "expired"), (2, 3, "not-yet-valid")])
def test_every_certificate_of_the_chain_must_be_in_its_validity(
    skip: bool, place: str, begin: int, end: int, word: str
) -> None:
    spans: dict[str, dict[str, Any]] = {place: {"begin": NOW + begin * DAY, "end": NOW + end * DAY}}
    top = root(**spans.get("root", {}))
    middle = top.issues("middle", ROOT, **spans.get("middle", {}))
    leaf = middle.issues("leaf", **spans.get("leaf", {}))

    assert verdict(leaf, middle, top, trust=trusting(top), skip_verification=skip) == word


@BOTH
def test_the_moment_given_counts_and_not_the_machines_time(skip: bool) -> None:
    top = root(begin=NOW - 900 * DAY, end=NOW + 900 * DAY)
    leaf = top.issues("leaf")

    for moment, word in [(NOW, "ok"), (NOW + 2 * DAY, "expired"), (NOW - 2 * DAY, "not-yet-valid"), (NOW, "ok")]:
        assert verdict(leaf, top, trust=trusting(top), moment=moment, skip_verification=skip) == word


@BOTH
@pytest.mark.parametrize(
    ("names", "host", "fits"),
    [
        (["a.example"], "A.Example", True),
        (["a.example"], "a.example.", True),
        (["*.example.com"], "x.example.com", True),
        (["*.example.com"], "x.y.example.com", False),
        (["*.example.com"], "example.com", False),
        (["b.example"], "a.example", False),
        ([], "leaf", False),
    ],
)
def test_host_must_be_in_the_san(skip: bool, names: list[str], host: str, fits: bool) -> None:
    top = root()
    extensions: Extensions = (
        ((x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False),) if names else ()
    )
    leaf = top.issues("leaf", extensions)

    word = verdict(leaf, top, host=host, trust=trusting(top), skip_verification=skip)

    assert word == ("ok" if fits else "host-mismatch")


def test_address_is_matched_with_addresses_alone() -> None:
    authorities = new_hierarchy(1)
    trust = Trust([authorities.root], platform=False)
    leaf = server_credential(("localhost", "127.0.0.1", "::1"), hierarchy=authorities).leaf

    found = [judge([leaf], host, datetime.now(UTC), trust).verdict for host in ("127.0.0.1", "::1", "127.0.0.2")]

    assert found == ["ok", "ok", "host-mismatch"]


@BOTH
def test_signature_of_another_key_is_a_broken_chain(skip: bool) -> None:
    top = root()
    leaf = Made(top.certificate, new_ec_key()).issues("leaf")

    assert verdict(leaf, top, trust=trusting(top), skip_verification=skip) == "broken-chain"


@BOTH
def test_intermediate_that_is_no_ca_is_a_broken_chain(skip: bool) -> None:
    top = root()
    middle = top.issues("middle", (NO_CA,))

    assert verdict(middle.issues("leaf"), middle, top, trust=trusting(top), skip_verification=skip) == "broken-chain"


@BOTH
def test_name_constraints_count(skip: bool) -> None:
    top = root()
    permitted = x509.NameConstraints([x509.DNSName("b.example")], None)
    middle = top.issues("middle", (*ROOT, (permitted, True)))

    assert verdict(middle.issues("leaf"), middle, top, trust=trusting(top), skip_verification=skip) == "broken-chain"


def test_foreign_certificate_in_the_place_of_the_issuer_is_a_broken_chain_under_skip() -> None:
    leaf = root().issues("middle", ROOT).issues("leaf")
    foreign = root(name="another")

    assert verdict(leaf, foreign, skip_verification=True) == "broken-chain"
    assert verdict(leaf, foreign, skip_verification=True, needs_root=False) == "broken-chain"


@pytest.mark.parametrize(
    "extensions",
    [(), (CA,), (CA, usage(signs=False)), (NO_CA, usage(signs=True))],
    ids=["v3", "no-usage", "no-sign", "no-ca"],
)
def test_root_must_be_a_ca_that_signs_certificates_under_skip(extensions: Extensions) -> None:
    top = root(extensions)

    assert verdict(top.issues("leaf"), top, skip_verification=True) == "bad-root"


@pytest.mark.parametrize("identified", [False, True], ids=["plain", "key-identifiers"])
def test_certificate_that_another_key_signed_is_no_root_for_its_name(identified: bool) -> None:
    """A CA's new key under the former one's signature, subject and issuer the same: a chain without its root."""
    old, key = root(), new_ec_key()
    identifiers: Extensions = (
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(old.key.public_key()), False),
    )
    extensions = (*ROOT, *identifiers) if identified else ROOT
    made = issue(
        _name("root"), key, NOW - DAY, NOW + DAY, issuer=_name("root"), issuer_key=old.key, extensions=extensions
    )
    new = Made(made, key)
    leaf = new.issues("leaf")

    assert verdict(leaf, new, skip_verification=True) == "bad-root"
    assert verdict(leaf, new, skip_verification=True, needs_root=False) == "ok"


def test_self_signed_leaf_is_no_root_but_may_be_trusted() -> None:
    leaf = root((SAN,), "a.example")

    assert verdict(leaf) == "untrusted"
    assert verdict(leaf, skip_verification=True) == "bad-root"
    assert verdict(leaf, trust=trusting(leaf)) == "ok"


def test_chain_without_root_passes_only_where_none_is_needed() -> None:
    middle = root().issues("middle", ROOT)
    leaf = middle.issues("leaf")

    for sent in [(leaf, middle), (leaf,)]:
        assert verdict(*sent, skip_verification=True) == "bad-root"
        assert verdict(*sent, skip_verification=True, needs_root=False) == "ok"
    old = middle.issues("leaf", end=NOW - timedelta(hours=1))
    assert verdict(old, middle, skip_verification=True, needs_root=False) == "expired"
    assert verdict(leaf, middle, host="b.example", skip_verification=True, needs_root=False) == "host-mismatch"


def test_failure_texts_are_javas() -> None:
    mismatch = certificate_failure("host-mismatch", "x", "CN=y, O=z").reason

    assert (
        mismatch
        == "configuration error: Host name 'x' does not match the certificate subject provided by the peer (CN=y, O=z)"
    )
    for word in ("untrusted", "bad-root", "broken-chain"):
        assert "PKIX path building failed" in certificate_failure(word, "x", "").line
    for word in ("expired", "not-yet-valid"):
        assert "PKIX path validation failed" in certificate_failure(word, "x", "").line
