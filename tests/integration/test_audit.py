"""``pytest-mtls audit`` against the mock gateway, and against answers of AWS where the mock has none."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from botocore.stub import Stubber
from jsonschema import Draft202012Validator

from pytest_mtls import MockGateway
from pytest_mtls.harness.audit import run as run_module
from pytest_mtls.harness.audit.model import Account, Api, Kind
from pytest_mtls.harness.audit.report import AuditReport, Place
from pytest_mtls.harness.audit.rules import Terms
from pytest_mtls.harness.audit.run import audited
from pytest_mtls.harness.audit.sdk import Clients, connect
from pytest_mtls.harness.audit.terminal import Progress
from pytest_mtls.harness.backend.ports import free_port
from pytest_mtls.harness.cli import main
from pytest_mtls.harness.pki.gateway_certificate import gateway_credential
from pytest_mtls.harness.pki.truststore import Truststore

SCHEMA = json.loads(files("pytest_mtls.harness.audit").joinpath("audit.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
BACKEND = "https://backend.test/"
PLACE = Place(region="eu-west-1", endpoint="https://apigateway.eu-west-1.amazonaws.com")


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials and region from nowhere but here; each call is made once."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    given = {
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/nonexistent/config",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)


@dataclass(frozen=True)
class Audit:
    """What came of one."""

    code: int
    report: dict[str, Any]

    def of(self, check: str) -> dict[str, str]:
        """The outcomes of a check by the path of the resource."""
        found = [one for one in self.report["outcomes"] if one["id"] == f"audit/{check}"]
        return {one["resource"].partition("::/")[2] or one["resource"]: one["outcome"] for one in found}

    def reason(self, check: str) -> str:
        """The reason of the check's only outcome."""
        (reason,) = {one["reason"] for one in self.report["outcomes"] if one["id"] == f"audit/{check}"}
        return str(reason)


Auditing = Callable[..., Audit]


@pytest.fixture
def audit(mtls_gateway: MockGateway, tmp_path: Path) -> Auditing:
    """Runs the command on the mock; its report is held against the schema."""

    def carry_out(*options: str) -> Audit:
        path = tmp_path / "audit.json"
        code = main(["audit", "--endpoint-url", mtls_gateway.endpoint, "--json", str(path), *options])
        report = json.loads(path.read_text("utf-8"))
        VALIDATOR.validate(report)
        return Audit(code, report)

    return carry_out


def fail(gateway: MockGateway, operation: str, status: int, code: str) -> None:
    """Let *operation* fail from now on."""
    fault = {"operation": operation, "status": status, "code": code, "times": 1000}
    httpx.put(f"{gateway.endpoint}/_mtls/faults", json={"errors": [fault]}, trust_env=False).raise_for_status()


# --- findings appear, and disappear once mended


def test_a_stage_without_certificate(mtls_gateway: MockGateway, audit: Auditing) -> None:
    """Exit code 1, then 0."""
    stage = mtls_gateway.proxy_api(BACKEND).stage("prod")
    place = f"restapis/{stage.api.id}/stages/prod"
    before = audit()
    stage.attach(mtls_gateway.generate_client_certificate())
    after = audit()

    assert (before.code, before.of("client-certificate-attached")) == (1, {place: "failed"})
    assert (after.code, after.of("client-certificate-attached")) == (0, {place: "passed"})
    assert before.report["summary"]["result"] == "nonconformant" and after.report["summary"]["result"] == "conformant"


@pytest.mark.parametrize(
    ("age", "valid", "rotation", "reason"),
    [
        (350, "passed", "failed", "expires in 15 days, limit 30 days"),
        (400, "failed", "failed", "expired 35 days ago"),
    ],
)
def test_a_certificate_that_is_old(
    mtls_gateway: MockGateway, audit: Auditing, age: int, valid: str, rotation: str, reason: str
) -> None:
    """Rotated, it is in order."""
    stage = mtls_gateway.proxy_api(BACKEND).stage("prod")
    mtls_gateway.set_clock(timedelta(days=-age))
    stage.attach(mtls_gateway.generate_client_certificate())
    mtls_gateway.set_clock(timedelta(0))
    before = audit()
    stage.attach(mtls_gateway.generate_client_certificate())
    after = audit()

    place = f"restapis/{stage.api.id}/stages/prod"
    assert (before.code, after.code) == (1, 0)
    assert before.of("client-certificate-valid") == {place: valid}
    assert before.of("client-certificate-rotation") == {place: rotation}
    assert reason in before.reason("client-certificate-rotation")
    assert after.of("client-certificate-rotation") == after.of("client-certificate-valid") == {place: "passed"}


def test_rotation_days_are_the_users(mtls_gateway: MockGateway, audit: Auditing) -> None:
    """A fresh one has 365."""
    mtls_gateway.proxy_api(BACKEND).stage("prod").attach(mtls_gateway.generate_client_certificate())

    assert audit("--rotation-days", "364").code == 0
    assert audit("--rotation-days", "365").code == 1


def test_a_certificate_that_does_not_exist(mtls_gateway: MockGateway, audit: Auditing) -> None:
    """A stage that names it presents nothing that anybody could verify."""
    stage = mtls_gateway.proxy_api(BACKEND).stage("prod")
    stage.attach(mtls_gateway.generate_client_certificate())
    fail(mtls_gateway, "GetClientCertificate", 404, "NotFoundException")
    saw = audit()

    assert saw.code == 1
    assert "does not exist" in saw.reason("client-certificate-valid")
    assert set(saw.of("client-certificate-rotation").values()) == {"skipped"}


def test_a_certificate_of_acm_that_expires(mtls_gateway: MockGateway, audit: Auditing) -> None:
    """It is named by its own ARN; CloudSploit could not tell anything of it."""
    now = datetime.now(UTC)
    soon = gateway_credential(not_before=now - timedelta(days=1), not_after=now + timedelta(days=20, hours=1))
    stage = mtls_gateway.proxy_api(BACKEND).stage("prod")
    short = mtls_gateway.import_certificate(soon)
    stage.attach(short)
    before = audit()
    stage.attach(mtls_gateway.import_certificate(gateway_credential()))
    after = audit()

    assert (before.code, before.of("acm-certificate-expiring")) == (1, {short.id: "failed"})
    assert (after.code, set(after.of("acm-certificate-expiring").values())) == (0, {"passed"})
    assert set(after.of("client-certificate-rotation").values()) == {"skipped"}


def test_one_certificate_on_all_stages(mtls_gateway: MockGateway, audit: Auditing) -> None:
    """A SHOULD: a warning, and with --strict a failure."""
    api, one = mtls_gateway.proxy_api(BACKEND), mtls_gateway.generate_client_certificate()
    api.stage("prod").attach(one)
    api.stage("test").attach(one)
    before, strict = audit(), audit("--strict")
    api.stage("test").attach(mtls_gateway.generate_client_certificate())
    after = audit("--strict")

    assert (before.code, before.of("rotation-overlap")) == (0, {f"restapis/{api.id}": "warned"})
    assert (strict.code, strict.of("rotation-overlap")) == (1, {f"restapis/{api.id}": "failed"})
    assert (after.code, after.of("rotation-overlap")) == (0, {f"restapis/{api.id}": "passed"})


def test_an_http_api_before_a_backend(mtls_gateway: MockGateway, audit: Auditing) -> None:
    """One without HTTP integrations is no finding."""
    found = mtls_gateway.perform("CreateApi", "apigatewayv2", name="h", protocolType="HTTP", target=BACKEND)
    empty = mtls_gateway.perform("CreateApi", "apigatewayv2", name="e", protocolType="HTTP")
    saw = audit()

    assert saw.code == 0
    assert saw.of("http-api-client-certificate") == {
        f"apis/{found['apiId']}": "warned",
        f"apis/{empty['apiId']}": "skipped",
    }


def test_a_stage_of_a_websocket_api(mtls_gateway: MockGateway, audit: Auditing) -> None:
    """It presents a certificate as a REST API's does."""
    made = mtls_gateway.perform(
        "CreateApi",
        "apigatewayv2",
        name="w",
        protocolType="WEBSOCKET",
        routeSelectionExpression="$request.body.action",
    )
    api = made["apiId"]
    mtls_gateway.perform(
        "CreateIntegration", "apigatewayv2", apiId=api, integrationType="HTTP_PROXY", integrationUri=BACKEND
    )
    mtls_gateway.perform("CreateStage", "apigatewayv2", apiId=api, stageName="prod")
    before = audit()
    certificate = mtls_gateway.generate_client_certificate()
    mtls_gateway.perform("UpdateStage", "apigatewayv2", apiId=api, stageName="prod", clientCertificateId=certificate.id)
    after = audit()

    place = f"apis/{api}/stages/prod"
    assert (before.code, before.of("client-certificate-attached")) == (1, {place: "failed"})
    assert (after.code, after.of("client-certificate-rotation")) == (0, {place: "passed"})


def test_a_stage_that_calls_no_http_backend_is_not_judged(mtls_gateway: MockGateway, audit: Auditing) -> None:
    """As AWS Config says NOT_APPLICABLE."""
    made = mtls_gateway.perform("CreateRestApi", name="mock")
    there = {"restApiId": made["id"], "resourceId": made["rootResourceId"], "httpMethod": "GET"}
    mtls_gateway.perform("PutMethod", **there, authorizationType="NONE")
    mtls_gateway.perform("PutIntegration", **there, type="MOCK")
    mtls_gateway.perform("CreateDeployment", restApiId=made["id"], stageName="prod")
    saw = audit()

    assert (saw.code, saw.of("client-certificate-attached")) == (0, {f"restapis/{made['id']}/stages/prod": "skipped"})


def test_nothing_is_changed(mtls_gateway: MockGateway, audit: Auditing) -> None:
    """Every call reads."""
    mtls_gateway.proxy_api(BACKEND).stage("prod").attach(mtls_gateway.generate_client_certificate())
    since = mtls_gateway.log.next
    audit()

    called = {str(entry["operation"]) for entry in mtls_gateway.log.entries(kind="control", since=since)}
    assert "GetStages" in called
    assert all(one.startswith(("Get", "List", "Describe")) for one in called if one != "None")


# --- what is not answered


@pytest.mark.parametrize(
    ("operation", "check"),
    [
        ("GetStages", "client-certificate-attached"),
        ("GetResources", "client-certificate-attached"),
        ("GetClientCertificate", "client-certificate-valid"),
        ("GetClientCertificate", "client-certificate-rotation"),
        ("DescribeCertificate", "acm-certificate-expiring"),
    ],
)
def test_throttling_is_inconclusive_for_what_it_hits(
    mtls_gateway: MockGateway, audit: Auditing, operation: str, check: str
) -> None:
    """Never a pass, never a failure; exit code 3."""
    api = mtls_gateway.proxy_api(BACKEND)
    api.stage("bare").detach()
    if operation != "GetResources":
        api.stage("bare").attach(mtls_gateway.generate_client_certificate())
        api.stage("acm").attach(mtls_gateway.import_certificate(gateway_credential()))
    fail(mtls_gateway, operation, 429, "TooManyRequestsException")
    saw = audit()

    assert saw.code == 3
    assert "inconclusive" in saw.of(check).values() and "failed" not in saw.of(check).values()
    hit = [one for one in saw.report["outcomes"] if one["outcome"] == "inconclusive"]
    assert all(f"{operation}: TooManyRequestsException" in one["reason"] for one in hit)


def test_a_finding_comes_before_what_is_not_answered(mtls_gateway: MockGateway, audit: Auditing) -> None:
    """As in a check."""
    api = mtls_gateway.proxy_api(BACKEND)
    api.stage("prod").attach(mtls_gateway.generate_client_certificate())
    api.stage("bare").detach()
    fail(mtls_gateway, "GetClientCertificate", 429, "TooManyRequestsException")

    assert audit().code == 1


@pytest.mark.parametrize("operation", ["GetRestApis", "GetApis"])
def test_a_list_that_is_refused_makes_the_audit_inconclusive(
    mtls_gateway: MockGateway, audit: Auditing, operation: str
) -> None:
    """What it would have listed may be anything, also where a finding is known."""
    mtls_gateway.proxy_api(BACKEND).stage("prod").detach()
    fail(mtls_gateway, operation, 403, "AccessDeniedException")
    saw = audit()

    assert (saw.code, saw.report["summary"]["result"]) == (3, "inconclusive")
    assert f"{operation}: AccessDeniedException" in saw.report["summary"]["problems"][0]


def test_an_account_without_anything_is_no_success(audit: Auditing) -> None:
    """Mostly it is the wrong region."""
    saw = audit()

    assert saw.code == 3
    assert "Is it the right region" in saw.report["summary"]["problems"][0]


def test_an_interruption_leaves_a_report_of_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is no success."""

    def interrupted(clients: Clients, account: Account, tell: object) -> None:
        account.apis.append(Api(arn="arn:aws:apigateway:eu-west-1::/apis/h1", id="h1", kind=Kind.HTTP))
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "read", interrupted)
    report = audited(connect(region="eu-west-1"), PLACE, Terms(now=datetime.now(UTC)))

    assert (report.exit_code, len(report.judgements)) == (3, 1)
    assert report.problems[0].startswith("interrupted")


# --- mistakes and surroundings


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--endpoint-url", "mock"), 2, "--endpoint-url (mock): expected a URL"),
        (("--endpoint-url", "http://[::1"), 2, "expected a URL"),
        (("--endpoint-url", ""), 2, "--endpoint-url: expected a value"),
        (("--profile", "nobody"), 2, "The config profile (nobody) could not be found"),
        (("--rotation-days", "-1"), 2, "--rotation-days"),
        (("--rotation-days", "soon"), 2, "--rotation-days"),
        (("--truststore", "api.example.test"), 2, "expected DOMAIN=FILE"),
        (("--truststore", "api.example.test=/nonexistent"), 2, "--truststore (/nonexistent): expected a readable"),
        (("--json", "/nonexistent/a.json"), 2, "--json (/nonexistent/a.json): expected a folder"),
        (("--json", "same", "--junit", "same"), 2, "--json and --junit"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    options: tuple[str, ...], code: int, says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Before anything is asked."""
    assert main(["audit", *options]) == code

    said = capsys.readouterr()
    assert says in said.err and len(said.err.splitlines()) == 1
    assert said.out == ""


def test_without_region_or_credentials_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line each."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert main(["audit", "--endpoint-url", f"http://127.0.0.1:{free_port()}"]) == 2
    assert "expected AWS credentials" in capsys.readouterr().err

    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert main(["audit"]) == 2
    assert "--region: expected a region" in capsys.readouterr().err


def test_an_endpoint_that_does_not_answer_is_one_problem(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """And the report says so."""
    path = tmp_path / "audit.json"
    assert main(["audit", "--endpoint-url", f"http://127.0.0.1:{free_port()}", "--json", str(path)]) == 3

    (problem,) = json.loads(path.read_text("utf-8"))["summary"]["problems"]
    assert problem.startswith("expected a control plane that answers, saw: GetRestApis: Could not connect")
    assert problem in capsys.readouterr().out


def test_without_the_sdk_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2."""
    monkeypatch.setitem(sys.modules, "botocore", None)

    assert main(["audit"]) == 2
    assert "pip install 'pytest-mtls[aws]'" in capsys.readouterr().err


def test_other_commands_do_not_load_the_sdk() -> None:
    """It takes long, and need not be installed."""
    code = "import sys, pytest_mtls.harness.cli; print([n for n in sys.modules if 'boto' in n or 'audit.run' in n])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"


# --- writers


def test_the_schema_is_one_and_leaves_nothing_open() -> None:
    """Every object names its members, and all are there."""

    def objects(schema: Any) -> list[dict[str, Any]]:
        below = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
        own = [schema] if isinstance(schema, dict) and schema.get("type") == "object" else []
        return own + [one for value in below for one in objects(value)]

    Draft202012Validator.check_schema(SCHEMA)
    assert len(objects(SCHEMA)) == 6
    for one in objects(SCHEMA):
        assert one["additionalProperties"] is False and set(one["required"]) == set(one["properties"])


def test_junit_and_terminal_tell_the_same(
    mtls_gateway: MockGateway, audit: Auditing, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each outcome once; the finding with its remedy and a command that shows it."""
    api = mtls_gateway.proxy_api(BACKEND)
    api.stage("bare").detach()
    api.stage("prod").attach(mtls_gateway.generate_client_certificate())
    saw = audit("--junit", str(tmp_path / "audit.xml"))
    text = capsys.readouterr().out
    audit("-q")
    quiet = capsys.readouterr().out

    suite = ElementTree.parse(tmp_path / "audit.xml").getroot()[0]
    names = [one.get("name") for one in suite.iter("testcase")]
    assert names == [f"{one['id']} [{one['resource']}]" for one in saw.report["outcomes"]]
    assert (suite.get("failures"), suite.get("errors")) == ("1", "0")
    for one in saw.report["outcomes"]:
        assert f"{one['outcome']:<12} {one['id']}" in text
    assert f"reproduce  aws apigateway get-stage --rest-api-id {api.id} --stage-name bare --region us-east-1" in text
    assert "nonconformant: 3 passed, 1 failed" in text
    assert "passed       audit/" not in quiet and "failed       audit/client-certificate-attached" in quiet


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_progress_is_shown_on_a_terminal_once_it_takes_long() -> None:
    """The line is taken away at the end; a file gets nothing."""
    now = [0.0]
    screen, file = Screen(), io.StringIO()
    shown, silent = Progress(screen, lambda: now[0]), Progress(file, lambda: now[0])
    shown("API 1 of 340")
    early = screen.getvalue()
    now[0] = 2.0
    for one in (shown, silent):
        one("API 12 of 340")
        one.end()

    assert early == "" and file.getvalue() == ""
    assert "reading API 12 of 340" in screen.getvalue() and screen.getvalue().endswith("\r\033[K")


# --- answers of AWS, where the mock has none


@dataclass(frozen=True)
class Stubs:
    """Clients that answer what they are told to, in this order."""

    clients: Clients
    v1: Stubber
    v2: Stubber

    def audit(self, **terms: Any) -> AuditReport:
        """With every answer asked for."""
        with self.v1, self.v2:
            report = audited(self.clients, PLACE, Terms(now=datetime.now(UTC), **terms))
        self.v1.assert_no_pending_responses()
        self.v2.assert_no_pending_responses()
        VALIDATOR.validate(json.loads(report.to_text()))
        return report


@pytest.fixture
def stubs() -> Stubs:
    """Nothing told yet."""
    clients = connect(region="eu-west-1")
    return Stubs(clients, Stubber(clients.v1), Stubber(clients.v2))


DOMAIN = {
    "domainName": "api.example.test",
    "domainNameArn": "arn:aws:apigateway:eu-west-1::/domainnames/api.example.test",
    "regionalDomainName": "d-a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com",
    "regionalHostedZoneId": "ZLY8HYME6SFDD",
    "regionalCertificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/6ac1c8a5-1111-2222-3333-444444444444",
    "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "ipv4"},
    "domainNameStatus": "AVAILABLE",
    "securityPolicy": "TLS_1_2",
    "mutualTlsAuthentication": {"truststoreUri": "s3://bucket/trust.pem", "truststoreVersion": "abc"},
    "routingMode": "BASE_PATH_MAPPING_ONLY",
}
PAGE = {"limit": 500}


def answer_domain(stubs: Stubs, domain: dict[str, Any] = DOMAIN, *, disabled: bool = False) -> None:
    """An account with one REST API without stages, and *domain* leading to it."""
    api = {"id": "a1b2c3d4e5", "name": "pets", "disableExecuteApiEndpoint": disabled}
    stubs.v1.add_response("get_rest_apis", {"items": [api]}, PAGE)
    stubs.v2.add_response("get_apis", {"Items": []}, {})
    stubs.v1.add_response("get_stages", {"item": []}, {"restApiId": "a1b2c3d4e5"})
    stubs.v1.add_response("get_domain_names", {"items": [domain]}, PAGE)
    stubs.v2.add_response("get_domain_names", {"Items": [{"DomainName": "api.example.test"}]}, {})


def answer_mapping(stubs: Stubs) -> None:
    """The domain's mapping to the API."""
    mapping = {"ApiId": "a1b2c3d4e5", "ApiMappingId": "m1", "ApiMappingKey": "v1/pets", "Stage": "prod"}
    stubs.v2.add_response("get_api_mappings", {"Items": [mapping]}, {"DomainName": "api.example.test"})


def outcomes(report: AuditReport) -> dict[str, str]:
    """By the last part of the check's id."""
    return {one.check.id.partition("/")[2]: one.outcome.value for one in report.judgements}


@pytest.mark.parametrize(
    ("change", "check", "outcome"),
    [
        ({}, "mutual-tls-security-policy", "passed"),
        ({"securityPolicy": "SecurityPolicy_TLS13_1_3_2025_09"}, "mutual-tls-security-policy", "failed"),
        ({}, "mutual-tls-domain-status", "passed"),
        ({"domainNameStatus": "UPDATING"}, "mutual-tls-domain-status", "inconclusive"),
        (
            {"domainNameStatus": "PENDING_OWNERSHIP_VERIFICATION", "domainNameStatusMessage": "Verify"},
            "mutual-tls-domain-status",
            "warned",
        ),
        ({}, "truststore-members", "skipped"),
        (
            {"mutualTlsAuthentication": {"truststoreUri": "s3://b/k", "truststoreWarnings": ["CN=Old: expired"]}},
            "truststore-members",
            "warned",
        ),
    ],
)
def test_a_domain_with_mutual_tls(stubs: Stubs, change: dict[str, Any], check: str, outcome: str) -> None:
    """The finding, and the same domain in order."""
    answer_domain(stubs, DOMAIN | change)
    answer_mapping(stubs)

    assert outcomes(stubs.audit())[check] == outcome


@pytest.mark.parametrize(("disabled", "outcome", "code"), [(False, "failed", 1), (True, "passed", 0)])
def test_the_default_endpoint_behind_mutual_tls(stubs: Stubs, disabled: bool, outcome: str, code: int) -> None:
    """CloudSploit's third check, where it matters."""
    answer_domain(stubs, disabled=disabled)
    answer_mapping(stubs)
    report = stubs.audit()

    assert (outcomes(report)["default-endpoint-disabled"], report.exit_code) == (outcome, code)


def test_a_domain_with_routing_rules_leads_where_they_say(stubs: Stubs) -> None:
    """Mappings alone would not show the API."""
    answer_domain(stubs, DOMAIN | {"routingMode": "ROUTING_RULE_ONLY"})
    where = {"DomainName": "api.example.test"}
    stubs.v2.add_response("get_api_mappings", {"Items": []}, where)
    rule = {"Actions": [{"InvokeApi": {"ApiId": "a1b2c3d4e5", "Stage": "prod"}}], "Conditions": [], "Priority": 1}
    stubs.v2.add_response("list_routing_rules", {"RoutingRules": [rule]}, where)

    assert outcomes(stubs.audit())["default-endpoint-disabled"] == "failed"


def test_access_denied_to_mappings_is_inconclusive(stubs: Stubs) -> None:
    """The rest of the domain is judged."""
    answer_domain(stubs)
    stubs.v2.add_client_error(
        "get_api_mappings", "AccessDeniedException", "User: x is not authorized\nto perform", http_status_code=403
    )
    report = stubs.audit()

    assert outcomes(report)["default-endpoint-disabled"] == "inconclusive"
    assert outcomes(report)["mutual-tls-security-policy"] == "passed"
    assert report.exit_code == 3
    (reason,) = [one.reason for one in report.judgements if one.outcome == "inconclusive"]
    assert reason == "GetApiMappings: AccessDeniedException: User: x is not authorized to perform"


def test_access_denied_to_stages_is_inconclusive_for_that_api(stubs: Stubs) -> None:
    """The other one is judged."""
    stubs.v1.add_response("get_rest_apis", {"items": [{"id": "a1"}, {"id": "b2"}]}, PAGE)
    stubs.v2.add_response("get_apis", {"Items": []}, {})
    stubs.v1.add_client_error("get_stages", "AccessDeniedException", "no", http_status_code=403)
    stubs.v1.add_response("get_stages", {"item": [{"stageName": "prod"}]}, {"restApiId": "b2"})
    integration = {"type": "HTTP_PROXY", "uri": BACKEND}
    resource = {"id": "r", "path": "/", "resourceMethods": {"GET": {"methodIntegration": integration}}}
    stubs.v1.add_response("get_resources", {"items": [resource]}, {"restApiId": "b2", "embed": ["methods"], **PAGE})
    stubs.v1.add_response("get_domain_names", {"items": []}, PAGE)
    stubs.v2.add_response("get_domain_names", {"Items": []}, {})
    report = stubs.audit()

    assert [one.outcome.value for one in report.judgements] == ["inconclusive", "failed"]
    assert report.exit_code == 1


def test_a_domain_that_only_the_second_version_lists_is_judged(stubs: Stubs) -> None:
    """Its members have other names there."""
    stubs.v1.add_response("get_rest_apis", {"items": []}, PAGE)
    stubs.v2.add_response(
        "get_apis",
        {"Items": [{"ApiId": "h1", "ProtocolType": "HTTP", "Name": "h", "RouteSelectionExpression": "x"}]},
        {},
    )
    stubs.v2.add_response("get_integrations", {"Items": [{"IntegrationType": "AWS_PROXY"}]}, {"ApiId": "h1"})
    stubs.v1.add_response("get_domain_names", {"items": []}, PAGE)
    item = {
        "DomainName": "http.example.test",
        "DomainNameArn": "arn:aws:apigateway:eu-west-1::/domainnames/http.example.test",
        "DomainNameConfigurations": [{"SecurityPolicy": "TLS_1_2", "DomainNameStatus": "AVAILABLE"}],
        "MutualTlsAuthentication": {"TruststoreUri": "s3://bucket/trust.pem", "TruststoreWarnings": ["CN=x: expired"]},
        "RoutingMode": "API_MAPPING_ONLY",
    }
    stubs.v2.add_response("get_domain_names", {"Items": [item]}, {})
    mapping = {"ApiId": "h1", "Stage": "$default"}
    stubs.v2.add_response("get_api_mappings", {"Items": [mapping]}, {"DomainName": "http.example.test"})

    assert outcomes(stubs.audit()) == {
        "http-api-client-certificate": "skipped",
        "default-endpoint-disabled": "failed",
        "mutual-tls-security-policy": "passed",
        "mutual-tls-domain-status": "passed",
        "truststore-members": "warned",
    }


def test_lists_are_read_to_their_last_page(stubs: Stubs) -> None:
    """Hundreds of APIs come in pages."""
    first = [{"id": f"a{number}"} for number in range(500)]
    stubs.v1.add_response("get_rest_apis", {"items": first, "position": "p1"}, PAGE)
    stubs.v1.add_response("get_rest_apis", {"items": [{"id": "last"}]}, {**PAGE, "position": "p1"})
    stubs.v2.add_response("get_apis", {"Items": [], "NextToken": "n1"}, {})
    stubs.v2.add_response("get_apis", {"Items": []}, {"NextToken": "n1"})
    for _ in range(501):
        stubs.v1.add_response("get_stages", {"item": []})
    stubs.v1.add_response("get_domain_names", {"items": []}, PAGE)
    stubs.v2.add_response("get_domain_names", {"Items": []}, {})
    report = stubs.audit()

    assert report.counts["rest_apis"] == len(report.judgements) == 501


def test_pages_that_go_round_in_a_circle_end(stubs: Stubs) -> None:
    """An endpoint that gives the same page again and again is no account."""
    stubs.v1.add_response("get_rest_apis", {"items": [], "position": "p"}, PAGE)
    stubs.v1.add_response("get_rest_apis", {"items": [], "position": "p"}, {**PAGE, "position": "p"})
    stubs.v2.add_response("get_apis", {"Items": []}, {})
    stubs.v1.add_response("get_domain_names", {"items": []}, PAGE)
    stubs.v2.add_response("get_domain_names", {"Items": []}, {})
    report = stubs.audit()

    assert report.exit_code == 3 and "circle" in report.problems[0]


def test_a_truststore_for_a_domain_that_is_not_there_is_told(stubs: Stubs) -> None:
    """Nobody should believe that it was judged."""
    answer_domain(stubs)
    answer_mapping(stubs)
    report = stubs.audit(truststores={"apj.example.test": Truststore()})

    assert report.exit_code == 3 and "--truststore (apj.example.test)" in report.problems[0]
