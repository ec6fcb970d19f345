"""``pytest-mtls audit`` against the mock gateway: findings that appear and go, what is not answered, mistakes, writers."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

from pytest_mtls import MockGateway
from pytest_mtls.harness.audit import run as run_module
from pytest_mtls.harness.audit.model import Account, Api, Kind
from pytest_mtls.harness.audit.report import Place
from pytest_mtls.harness.audit.rules import Terms
from pytest_mtls.harness.audit.run import audited
from pytest_mtls.harness.audit.sdk import Clients, connect
from pytest_mtls.harness.audit.terminal import Progress
from pytest_mtls.harness.backend.ports import free_port
from pytest_mtls.harness.cli import main
from pytest_mtls.harness.pki.gateway_certificate import gateway_credential

from .audits import BACKEND, SCHEMA, VALIDATOR, Auditing, auditing, configure_aws, fail

PLACE = Place(region="eu-west-1", endpoint="https://apigateway.eu-west-1.amazonaws.com")


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine is configured for."""
    configure_aws(monkeypatch)


@pytest.fixture
def audit(mtls_gateway: MockGateway, tmp_path: Path) -> Auditing:
    """Runs the command on the mock."""
    return auditing(mtls_gateway, tmp_path / "audit.json")


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


@pytest.mark.parametrize(("status", "code"), [(429, "TooManyRequestsException"), (403, "AccessDeniedException")])
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
def test_throttling_and_refusal_are_inconclusive_for_what_it_hits(
    mtls_gateway: MockGateway, audit: Auditing, operation: str, check: str, status: int, code: str
) -> None:
    """Never a pass, never a failure; exit code 3."""
    api = mtls_gateway.proxy_api(BACKEND)
    api.stage("bare").detach()
    if operation != "GetResources":
        api.stage("bare").attach(mtls_gateway.generate_client_certificate())
        api.stage("acm").attach(mtls_gateway.import_certificate(gateway_credential()))
    fail(mtls_gateway, operation, status, code)
    saw = audit()

    assert saw.code == 3
    assert "inconclusive" in saw.of(check).values() and "failed" not in saw.of(check).values()
    hit = [one for one in saw.report["outcomes"] if one["outcome"] == "inconclusive"]
    assert all(f"{operation}: {code}" in one["reason"] for one in hit)


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


def test_the_example_in_the_documentation_is_a_report() -> None:
    """By the same schema."""
    text = (Path(__file__).parents[2] / "docs" / "audit.md").read_text("utf-8")
    VALIDATOR.validate(json.loads(text.partition("```json\n")[2].partition("```")[0]))
