"""Both sample authorizers: whom they let in, what they answer, and what they do not fall for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pytest_mtls.harness.pki.authority import Authority, Hierarchy
from pytest_mtls.harness.pki.ocsp import ocsp_answer
from pytest_mtls.harness.pki.revocation import Revoked, make_crl

from .authorizers import ARN, BOTH, NOW, Clock, Load, NewPki, event


@BOTH
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_good_and_revoked_get_an_iam_policy(name: str, depth: int, mtls_revocation: NewPki, load: Load) -> None:
    pki = mtls_revocation(depth=depth)
    good, bad = pki.issue(), pki.issue()
    pki.revoke(bad)
    authorizer = load(name, pki)

    for presented, effect, reason in ((good, "Allow", "good"), (bad, "Deny", "revoked")):
        assert authorizer(presented) == {
            "principalId": presented.subject,
            "policyDocument": {
                "Version": "2012-10-17",
                "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": ARN}],
            },
            "context": {"revocation": reason},
        }


@BOTH
def test_good_and_revoked_get_a_simple_response_in_format_2(name: str, mtls_revocation: NewPki, load: Load) -> None:
    pki = mtls_revocation(depth=2)
    good, bad = pki.issue(), pki.issue()
    pki.revoke(bad)
    authorizer = load(name, pki)

    assert authorizer(good, "2.0") == {"isAuthorized": True, "context": {"revocation": "good"}}
    assert authorizer(bad, "2.0") == {"isAuthorized": False, "context": {"revocation": "revoked"}}


@BOTH
def test_revoked_authority_takes_its_leaves_along(name: str, mtls_revocation: NewPki, load: Load) -> None:
    pki = mtls_revocation(depth=3)
    pki.revoke(pki.authorities[1].authority.certificate)

    assert load(name, pki).says(pki.issue()) == "authority revoked"


@BOTH
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_nobody_is_let_in_without_a_certificate(name: str, version: str, mtls_revocation: NewPki, load: Load) -> None:
    """The default endpoint asks for none."""
    answer = load(name, mtls_revocation())(None, version)

    assert answer["context"] == {"revocation": "no client certificate"}
    assert "Allow" not in str(answer) and answer.get("isAuthorized", False) is False


@BOTH
def test_strangers_and_what_is_no_certificate_are_refused(name: str, mtls_revocation: NewPki, load: Load) -> None:
    """API Gateway lets neither through; an authorizer may be called by others."""
    pki, other = mtls_revocation(), mtls_revocation()
    authorizer = load(name, pki)
    garbage = event(pki.issue())
    garbage["requestContext"]["identity"]["clientCert"]["clientCertPem"] = "-----BEGIN CERTIFICATE-----\nAA==\n"

    assert authorizer.says(other.issue()) == "no path to a root of the truststore"
    assert authorizer.module.handler(garbage, None)["context"] == {"revocation": "unreadable client certificate"}
    assert pki.crl_requests + pki.ocsp_requests + other.crl_requests + other.ocsp_requests == 0


@BOTH
def test_certificate_that_names_nowhere_to_ask_is_refused(name: str, mtls_revocation: NewPki, load: Load) -> None:
    pki = mtls_revocation()

    assert load(name, pki).says(pki.issue(crl=False, ocsp=False)).startswith("no ")


@BOTH
def test_only_urls_of_http_are_opened(name: str, mtls_revocation: NewPki, load: Load, tmp_path: Path) -> None:
    pki = mtls_revocation()
    url = (tmp_path / "list.crl").as_uri()
    (tmp_path / "list.crl").write_bytes(pki.issuing.crl_der())
    leaf = pki.hierarchy.issue(crl_distribution_points=(url,), authority_information_access=(url,))

    assert load(name, pki).says(leaf).endswith("no URL of HTTP")


@BOTH
def test_answer_of_impossible_length_is_not_read(
    name: str, mtls_revocation: NewPki, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    pki = mtls_revocation()
    authorizer = load(name, pki)
    monkeypatch.setattr("authorizer_common.MOST_OCTETS", 100)

    assert "more than 100 octets" in authorizer.says(pki.issue())


@BOTH
@pytest.mark.parametrize(("behind", "believed"), [(timedelta(hours=1), True), (timedelta(hours=2), False)])
def test_what_begins_in_the_future_is_not_believed(
    name: str, behind: timedelta, believed: bool, mtls_revocation: NewPki, load: Load
) -> None:
    """Ours begin an hour before the authority's present; the sample allows for five minutes more."""
    pki = mtls_revocation(clock=lambda: NOW)
    reason = load(name, pki, clock=Clock(NOW - behind)).says(pki.issue())

    assert reason == "good" if believed else reason.endswith("that is not yet in force")


@BOTH
def test_refusal_is_logged(name: str, mtls_revocation: NewPki, load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    pki = mtls_revocation()
    bad = pki.issue()
    pki.revoke(bad)
    load(name, pki)(bad)

    (line,) = capsys.readouterr().out.splitlines()
    assert '"reason": "revoked"' in line and "PRIVATE" not in line


# --- RSA


@pytest.fixture(scope="module")
def rsa_authority() -> Authority:
    """Real authorities often have RSA keys; the kit's have P-256."""
    ca = trustme.CA(key_type=trustme.KeyType.RSA)
    key = load_pem_private_key(ca.private_key_pem.bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return Authority(ca, x509.load_pem_x509_certificate(ca.cert_pem.bytes()), key)


@BOTH
@pytest.mark.parametrize("revoked", [False, True])
def test_authority_with_an_rsa_key_is_understood(
    name: str,
    revoked: bool,
    rsa_authority: Authority,
    mtls_revocation: NewPki,
    load: Load,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = "http://127.0.0.1/"  # asked in the test's own function
    leaf = Hierarchy((rsa_authority,)).issue(crl_distribution_points=(url,), authority_information_access=(url,))
    entries = [Revoked(leaf.leaf.serial_number, NOW)] if revoked else []

    def download(url: str, question: bytes = b"", content_type: str = "") -> bytes | None:
        if not question:
            return make_crl(rsa_authority, entries, now=NOW)
        return ocsp_answer(rsa_authority, question, {entry.serial: entry for entry in entries}, now=NOW)

    authorizer = load(name, mtls_revocation(), clock=Clock())
    authorizer.module.CHECK.truststore = [rsa_authority.certificate]
    monkeypatch.setattr(authorizer.module, "download", download)

    assert authorizer.says(leaf) == ("revoked" if revoked else "good")
