"""The authorizers of docs/samples: called as Lambda calls them, against responders that are right, wrong, and gone."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import ocsp

from pytest_mtls import Credential, RevocationPki, new_hierarchy
from pytest_mtls.harness.pki.authority import Authority, Hierarchy
from pytest_mtls.harness.pki.ocsp import OcspMode, ocsp_answer
from pytest_mtls.harness.pki.revocation import CrlMode, Revoked, make_crl

from .checks import clean_environment

SAMPLES = Path(__file__).parents[2] / "docs" / "samples"
ARN = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/GET/pets"
NOW = datetime(2031, 2, 3, tzinfo=UTC)
WEEK = timedelta(days=7)
IMPATIENT = 0.3
"""Seconds that a silent responder is waited for; the sample's own are more, for networks."""

NewPki = Callable[..., RevocationPki]


@dataclass(slots=True)
class Clock:
    """A time that a test sets."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


def event(presented: Credential | None, version: str = "1.0") -> dict[str, Any]:
    """What API Gateway sends in that payload format (only what the samples read)."""
    pem = presented.leaf.public_bytes(Encoding.PEM).decode() if presented else None
    shown = {"clientCert": {"clientCertPem": pem, "subjectDN": "CN=whoever"}} if presented else {}
    if version == "2.0":
        return {"version": "2.0", "type": "REQUEST", "routeArn": ARN, "requestContext": {"authentication": shown}}
    return {"type": "REQUEST", "methodArn": ARN, "requestContext": {"identity": {"sourceIp": "127.0.0.1", **shown}}}


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A sample, as a fresh Lambda instance has it."""

    module: ModuleType

    def __call__(self, presented: Credential | None, version: str = "1.0") -> dict[str, Any]:
        """What the handler answers."""
        answer: dict[str, Any] = self.module.handler(event(presented, version), None)
        return answer

    def says(self, presented: Credential | None) -> str:
        """``good``, or why it is refused; the effect has to fit."""
        answer = self(presented)
        (statement,) = answer["policyDocument"]["Statement"]
        reason = str(answer["context"]["revocation"])
        assert statement["Effect"] == ("Allow" if reason == "good" else "Deny")
        return reason


Load = Callable[..., Authorizer]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Load:
    """``load("crl_authorizer", authorities, clock=None, OCSP_SOFT_FAIL="true")``: a fresh instance."""
    monkeypatch.syspath_prepend(str(SAMPLES))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def fresh(name: str, trusted: RevocationPki, *, clock: Clock | None = None, **environment: str) -> Authorizer:
        monkeypatch.setenv("TRUSTSTORE", str(trusted.truststore.write(tmp_path / "truststore.pem")))
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        found = importlib.util.spec_from_file_location(f"sample_{name}", SAMPLES / f"{name}.py")
        assert found is not None and found.loader is not None
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        monkeypatch.setattr("authorizer_common.SECONDS", IMPATIENT)
        if clock is not None:
            module.CHECK.clock = clock
        return Authorizer(module)

    return fresh


BOTH = pytest.mark.parametrize("name", ["crl_authorizer", "ocsp_authorizer"])


# --- both


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


# --- CRL


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


# --- OCSP

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


def test_self_signed_leaf_of_the_truststore_has_nobody_to_revoke_it(mtls_revocation: NewPki, load: Load) -> None:
    """API Gateway lets such a client in; take it out of the truststore to take it back."""
    root = new_hierarchy().issuing
    authorizer = load("crl_authorizer", mtls_revocation())
    shown = Credential(root.certificate, root.key)
    before = authorizer.says(shown)
    authorizer.module.CHECK.truststore = [root.certificate]

    assert (before, authorizer.says(shown)) == ("no path to a root of the truststore", "good")


# --- the page


BLOCK = re.compile(r"^```python (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall((SAMPLES.parent / "revocation.md").read_text("utf-8"))
SHOWN = [(name, lines) for name, lines in BLOCKS if name.startswith("samples/")]


def test_page_shows_lines_of_both_samples() -> None:
    assert {name for name, _ in SHOWN} == {"samples/crl_authorizer.py", "samples/ocsp_authorizer.py"}


@pytest.mark.parametrize(("name", "lines"), SHOWN)
def test_lines_on_the_page_are_those_of_the_sample(name: str, lines: str) -> None:
    assert lines in (SAMPLES.parent / name).read_text("utf-8")


def test_test_on_the_page_passes(tmp_path: Path) -> None:
    """As it stands there, with the samples on the path."""
    (content,) = (lines for name, lines in BLOCKS if name == "test_authorizer.py")
    (tmp_path / "test_authorizer.py").write_text(content, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=clean_environment() | {"PYTHONPATH": str(SAMPLES)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
