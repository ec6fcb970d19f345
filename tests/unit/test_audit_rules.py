"""The rules of the audit, on plain data: what is judged how, and that silence never counts as good."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from pytest_mtls.harness.audit.checks import CHECKS, Check
from pytest_mtls.harness.audit.members import problems_of
from pytest_mtls.harness.audit.model import Account, Api, Certificate, Domain, Kind, Missing, Names, Stage, Unread
from pytest_mtls.harness.audit.report import AuditReport, Place, reproduce
from pytest_mtls.harness.audit.rules import Judgement, Terms, judge
from pytest_mtls.harness.pki.der import with_sha1_signature
from pytest_mtls.harness.pki.truststore import Truststore

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TERMS = Terms(now=NOW)
NAMES = Names(region="eu-west-1")
ACM = "arn:aws:acm:eu-west-1:123456789012:certificate/6ac1c8a5-0000-0000-0000-000000000000"
DOCUMENTATION = (Path(__file__).parents[2] / "docs" / "audit.md").read_text("utf-8")
UNREAD = Unread("GetStages: TooManyRequestsException: Too Many Requests")

Found = tuple[str, str]


def api(*certificates: str | None, backends: Any = ("https://backend.test/",), **members: Any) -> Api:
    """A REST API with a stage for each of *certificates*: s0, s1 …"""
    stages = tuple(
        Stage(arn=NAMES.arn(f"restapis/a1/stages/s{number}"), name=f"s{number}", certificate=one)
        for number, one in enumerate(certificates)
    )
    given = {"arn": NAMES.arn("restapis/a1"), "id": "a1", "kind": Kind.REST, "stages": stages, "backends": backends}
    return Api(**(given | members))


def certificate(days: float, **members: Any) -> Certificate:
    """One that expires in *days*."""
    end = NOW + timedelta(days=days)
    given: dict[str, Any] = {"id": "abc123", "not_before": end - timedelta(days=365), "not_after": end}
    return Certificate(**(given | members))


def account(*apis: Api, **members: Any) -> Account:
    """With these APIs."""
    return Account(NAMES, apis=list(apis), **members)


def domain(**members: Any) -> Domain:
    """A domain with mutual TLS in good order, that leads to the API a1."""
    given: dict[str, Any] = {
        "arn": NAMES.arn("domainnames/api.example.test"),
        "name": "api.example.test",
        "mutual_tls": True,
        "truststore": "s3://bucket/trust.pem",
        "policy": "TLS_1_2",
        "status": "AVAILABLE",
        "apis": ("a1",),
    }
    return Domain(**(given | members))


def judged(one: Account, terms: Terms = TERMS) -> dict[str, list[Judgement]]:
    """The judgements by the last part of their check's id."""
    found: dict[str, list[Judgement]] = {}
    for judgement in judge(one, terms):
        found.setdefault(judgement.check.id.partition("/")[2], []).append(judgement)
    return found


def only(one: Account, check: str, terms: Terms = TERMS) -> Found:
    """Outcome and reason of the one judgement of *check*."""
    (judgement,) = judged(one, terms)[check]
    return judgement.outcome.value, judgement.reason


# --- client certificate attached


@pytest.mark.parametrize(
    ("one", "outcome", "reason"),
    [
        (api("abc123"), "passed", "presents abc123"),
        (api(None), "failed", "presents no client certificate to the backend of 1 HTTP integration"),
        (api(None, backends=("http://a/", "https://b/")), "failed", "to the backends of 2 HTTP integrations"),
        (api(None, backends=()), "skipped", "not applicable: no integration is HTTP"),
        (api(None, backends=UNREAD), "inconclusive", "TooManyRequestsException"),
        (api("abc123", backends=UNREAD), "passed", "presents abc123"),
        (api(), "skipped", "it has no stage"),
        (api(stages=UNREAD), "inconclusive", "TooManyRequestsException"),
    ],
)
def test_a_stage_with_http_integrations_presents_a_certificate(one: Api, outcome: str, reason: str) -> None:
    """What was not answered is inconclusive, what does not apply is skipped."""
    known: dict[str, Certificate | Missing | Unread] = {"abc123": certificate(300)}
    saw = only(account(one, certificates=known), "client-certificate-attached")

    assert saw[0] == outcome and reason in saw[1]


def test_an_api_whose_stages_were_not_read_gets_one_judgement_and_no_pass() -> None:
    """Neither rotation nor overlap is guessed."""
    found = judge(account(api(stages=UNREAD)), TERMS)

    assert [(one.check.id, one.outcome.value) for one in found] == [
        ("audit/client-certificate-attached", "inconclusive")
    ]


# --- valid, rotation


@pytest.mark.parametrize(
    ("known", "valid", "rotation"),
    [
        (certificate(300), ("passed", "valid until 2027-09-16"), ("passed", "expires in 300 days, limit 30 days")),
        (certificate(30.6), ("passed", "valid until"), ("passed", "expires in 31 days")),
        (certificate(30.4), ("passed", "valid until"), ("failed", "expires in 30 days, limit 30 days")),
        (certificate(0.2), ("passed", "valid until"), ("failed", "expires in 0 days")),
        (certificate(-2), ("failed", "expired on 2026-11-18 12:00 UTC"), ("failed", "expired 2 days ago")),
        (certificate(400), ("failed", "is not valid before"), ("passed", "expires in 400 days")),
        (Missing("GetClientCertificate: NotFoundException: x"), ("failed", "does not exist"), ("skipped", "not exist")),
        (UNREAD, ("inconclusive", "TooMany"), ("inconclusive", "TooMany")),
        (certificate(300, not_after=None), ("inconclusive", "not say"), ("inconclusive", "not say")),
    ],
)
def test_the_attached_certificate_is_valid_and_rotated_in_time(
    known: Certificate | Missing | Unread, valid: Found, rotation: Found
) -> None:
    """Days are rounded as CloudSploit rounds them."""
    one = account(api("abc123"), certificates={"abc123": known})

    for check, (outcome, reason) in (("client-certificate-valid", valid), ("client-certificate-rotation", rotation)):
        saw = only(one, check)
        assert saw[0] == outcome and reason in saw[1], check


def test_a_certificate_of_which_nothing_is_known_is_inconclusive() -> None:
    """As after an interruption."""
    assert only(account(api("abc123")), "client-certificate-valid")[0] == "inconclusive"


def test_rotation_days_move_the_limit() -> None:
    """A limit of 0 leaves the day itself."""
    one = account(api("abc123"), certificates={"abc123": certificate(20)})

    assert only(one, "client-certificate-rotation")[0] == "failed"
    assert only(one, "client-certificate-rotation", replace(TERMS, rotation_days=19))[0] == "passed"


@pytest.mark.parametrize(
    ("known", "valid", "expiring"),
    [
        (certificate(300, id=ACM, status="ISSUED"), ("passed", "valid until"), ("passed", "in 300 days")),
        (certificate(20, id=ACM, status="ISSUED"), ("passed", "valid until"), ("failed", "in 20 days, limit 30 days")),
        (certificate(20, id=ACM, status="ISSUED", renews=True), ("passed", ""), ("failed", "ACM renews it by itself")),
        (certificate(300, id=ACM, status="REVOKED"), ("failed", "is REVOKED in ACM"), ("passed", "in 300 days")),
        (certificate(1, id=ACM, status="FAILED", not_after=None), ("failed", "is FAILED"), ("inconclusive", "not say")),
        (UNREAD, ("inconclusive", "TooMany"), ("inconclusive", "TooMany")),
    ],
)
def test_a_certificate_of_acm_is_judged_there_and_once(
    known: Certificate | Unread, valid: Found, expiring: Found
) -> None:
    """Two stages share it; it gets one judgement on its expiry, under its own ARN."""
    one = account(api(ACM, ACM), certificates={ACM: known})
    found = judged(one)

    assert found["client-certificate-valid"][0].outcome == valid[0]
    assert valid[1] in found["client-certificate-valid"][0].reason
    (once,) = found["acm-certificate-expiring"]
    assert (once.resource, once.outcome) == (ACM, expiring[0]) and expiring[1] in once.reason
    assert {one.outcome.value for one in found["client-certificate-rotation"]} <= {"skipped", "inconclusive"}


# --- overlap, HTTP APIs


def test_the_same_certificate_on_all_stages_is_warned_of() -> None:
    """Two certificates are enough."""
    assert only(account(api("abc123", "abc123")), "rotation-overlap")[0] == "warned"
    assert only(account(api("abc123", "abc123", "def456")), "rotation-overlap")[0] == "passed"


@pytest.mark.parametrize("one", [api("abc123"), api("abc123", None), api(ACM, ACM), api(stages=UNREAD)])
def test_overlap_is_no_question_for_one_stage_or_for_acm(one: Api) -> None:
    """There is nothing to overlap, or the backends trust the issuer."""
    assert "rotation-overlap" not in judged(account(one))


@pytest.mark.parametrize(
    ("backends", "outcome"), [(("https://backend.test/",), "warned"), ((), "skipped"), (UNREAD, "inconclusive")]
)
def test_an_http_api_cannot_present_a_certificate(backends: Any, outcome: str) -> None:
    """It matters where it has HTTP integrations."""
    one = Api(arn=NAMES.arn("apis/h1"), id="h1", kind=Kind.HTTP, backends=backends)

    assert only(account(one), "http-api-client-certificate")[0] == outcome
    assert "client-certificate-attached" not in judged(account(one))


# --- domains


def test_the_default_endpoint_behind_a_domain_with_mutual_tls_is_disabled() -> None:
    """Otherwise it lets everybody in."""
    opened = account(api("abc123"), domains=[domain(), domain(name="second.test")])
    closed = account(api("abc123", default_endpoint=False), domains=[domain()])

    outcome, reason = only(opened, "default-endpoint-disabled")
    assert outcome == "failed" and "api.example.test, second.test" in reason
    assert only(closed, "default-endpoint-disabled")[0] == "passed"


def test_the_default_endpoint_is_no_question_without_mutual_tls() -> None:
    """CloudSploit's plain check would ask it of every API."""
    one = account(api("abc123"), domains=[domain(mutual_tls=False, apis=())])

    assert "default-endpoint-disabled" not in judged(one)


def test_mappings_that_were_not_read_are_inconclusive() -> None:
    """As is an API that is mapped and was not listed."""
    unread = account(api("abc123"), domains=[domain(apis=UNREAD)])
    unlisted = account(api("abc123"), domains=[domain(apis=("zz",))])

    assert only(unread, "default-endpoint-disabled")[0] == "inconclusive"
    assert only(unlisted, "default-endpoint-disabled")[0] == "inconclusive"


@pytest.mark.parametrize(
    ("members", "outcome"),
    [
        ({}, "passed"),
        ({"policy": "SecurityPolicy_TLS13_1_3_2025_09"}, "failed"),
        ({"policy": "TLS_1_0"}, "failed"),
        ({"policy": None}, "inconclusive"),
        ({"mutual_tls": False, "policy": "SecurityPolicy_TLS13_1_3_2025_09", "apis": ()}, "skipped"),
    ],
)
def test_mutual_tls_and_enhanced_policies_exclude_each_other(members: dict[str, Any], outcome: str) -> None:
    """Without mutual TLS that is told, and no finding."""
    assert only(account(domains=[domain(**members)]), "mutual-tls-security-policy")[0] == outcome


@pytest.mark.parametrize(
    ("members", "outcome"),
    [
        ({}, "passed"),
        ({"message": "ownership"}, "warned"),
        ({"status": "PENDING_OWNERSHIP_VERIFICATION"}, "warned"),
        ({"status": "UPDATING"}, "inconclusive"),
        ({"status": None}, "inconclusive"),
    ],
)
def test_a_domain_with_mutual_tls_is_available_without_message(members: dict[str, Any], outcome: str) -> None:
    """While it is updated nobody knows which truststore judges."""
    assert only(account(domains=[domain(**members)]), "mutual-tls-domain-status")[0] == outcome


def test_warnings_of_a_truststore_are_told_and_silence_is_no_pass() -> None:
    """API Gateway does not tell when a member expires later."""
    warned = account(domains=[domain(warnings=tuple(f"CN=old{n}: certificate has expired" for n in range(7)))])

    outcome, reason = only(warned, "truststore-members")
    assert outcome == "warned" and "CN=old0" in reason and "and 2 more" in reason
    assert only(account(domains=[domain()]), "truststore-members")[0] == "skipped"


def member(key: Any, *, days: int = 365) -> x509.Certificate:
    """A certificate over *key* that expires in *days*."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "member")])
    end = NOW + timedelta(days=days)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(7)
    builder = builder.public_key(key.public_key()).not_valid_before(end - timedelta(days=400)).not_valid_after(end)
    return builder.sign(key, hashes.SHA256())


@pytest.mark.parametrize(
    ("one", "issue"),
    [
        (member(ec.generate_private_key(ec.SECP256R1())), None),
        (member(ec.generate_private_key(ec.SECP256R1()), days=-1), "CN=member: expired on 2026-11-19"),
        (member(ec.generate_private_key(ec.SECP256R1()), days=500), "CN=member: not valid before 2027-02-28"),
        (member(ec.generate_private_key(ec.SECP224R1())), "CN=member: its key has 224 bits, too few for ECDSA"),
        (member(rsa.generate_private_key(65537, 1024)), "CN=member: its key has 1024 bits, too few for RSA"),
    ],
)
def test_a_truststore_that_is_given_as_a_file_is_judged_member_by_member(
    one: x509.Certificate, issue: str | None
) -> None:
    """Then a pass can be told, too."""
    terms = replace(TERMS, truststores={"api.example.test": Truststore.of([one])})
    outcome, reason = only(account(domains=[domain()]), "truststore-members", terms)

    assert outcome == ("passed" if issue is None else "warned")
    assert issue is None or issue in reason


def test_a_member_that_is_signed_with_sha1_is_told() -> None:
    """API Gateway refuses what leads to it."""
    key = rsa.generate_private_key(65537, 2048)

    assert problems_of(Truststore.of([with_sha1_signature(member(key), key)]), NOW) == ["CN=member: signed with sha1"]


def test_an_empty_truststore_does_not_pass() -> None:
    """Nobody is let in."""
    assert problems_of(Truststore(), NOW) == ["it holds no certificate"]


def test_what_an_emulator_does_not_know_is_inconclusive_and_told() -> None:
    """Never a pass, as everything else that is not answered."""
    found = judge(account(not_emulated={"domainnames": "GetDomainNames: NotImplementedException: x"}), TERMS)

    assert len(found) == 4
    assert {(one.outcome.value, one.resource) for one in found} == {("inconclusive", NAMES.arn("domainnames"))}


# --- levels, result


def test_strict_lets_a_should_fail() -> None:
    """And nothing else."""
    one = account(api("abc123", "abc123"))

    assert only(one, "rotation-overlap", replace(TERMS, strict=True))[0] == "failed"


def report(*judgements: Judgement, problems: tuple[str, ...] = ()) -> AuditReport:
    """Of these."""
    place = Place(region="eu-west-1", endpoint="https://apigateway.eu-west-1.amazonaws.com")
    return AuditReport(
        started=NOW, seconds=0.1, place=place, rotation_days=30, judgements=judgements, problems=problems
    )


@pytest.mark.parametrize(
    ("one", "problems", "code"),
    [
        (account(api("abc123"), certificates={"abc123": certificate(300)}), (), 0),
        (account(api(None, backends=())), (), 0),
        (account(api(None)), (), 1),
        (account(api(None), api(stages=UNREAD)), (), 1),
        (account(api(stages=UNREAD)), (), 3),
        (account(api("abc123"), certificates={"abc123": certificate(300)}), ("GetApis: AccessDenied",), 3),
        (account(), (), 3),
    ],
)
def test_the_exit_code_follows_the_outcomes(one: Account, problems: tuple[str, ...], code: int) -> None:
    """0 everything holds, 1 something does not, 3 something was not answered, or nothing was judged."""
    assert report(*judge(one, TERMS), problems=problems).exit_code == code


def test_each_check_and_resource_is_judged_once() -> None:
    """So that a list of outcomes can be compared with the one of yesterday."""
    apis = api("abc123", "abc123", None, ACM), Api(arn=NAMES.arn("apis/h1"), id="h1", kind=Kind.HTTP, backends=("x",))
    domains = [domain(), domain(name="b", arn=NAMES.arn("domainnames/b"), apis=("a1", "h1"))]
    found = judge(account(*apis, domains=domains, certificates={ACM: certificate(3, id=ACM)}), TERMS)

    keys = [(one.check.id, one.resource) for one in found]
    assert len(keys) == len(set(keys)) > 10
    assert {one.check for one in found} == set(CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_each_check_stands_in_the_documentation_with_its_level(check: Check) -> None:
    """In the table of docs/audit.md, and nowhere under another level."""
    rows = [row for row in DOCUMENTATION.splitlines() if row.startswith(f"| `{check.id}` |")]

    assert [row.split("|")[2].strip() for row in rows] == [check.level]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("restapis/a1/stages/prod", "aws apigateway get-stage --rest-api-id a1 --stage-name prod"),
        ("restapis/a1", "aws apigateway get-rest-api --rest-api-id a1"),
        ("apis/w1/stages/$default", "aws apigatewayv2 get-stage --api-id w1 --stage-name '$default'"),
        ("apis/w1", "aws apigatewayv2 get-api --api-id w1"),
        ("domainnames/*.example.test", "aws apigateway get-domain-name --domain-name '*.example.test'"),
        ("domainnames", "aws apigateway get-domain-names"),
        ("apis", "aws apigatewayv2 get-apis"),
    ],
)
def test_a_resource_is_shown_by_a_command_that_a_shell_takes(path: str, words: str) -> None:
    """With the place where it was asked for."""
    assert reproduce(NAMES.arn(path), ("--region", "eu-west-1")) == f"{words} --region eu-west-1"
