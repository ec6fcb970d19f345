"""The audit of custom domains and of whole accounts in the mock gateway: every finding appears, and goes once mended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_mtls import MockGateway, Truststore, new_hierarchy
from pytest_mtls.harness.gateway.facade import Api
from pytest_mtls.harness.pki.gateway_certificate import gateway_credential

from .audits import BACKEND, Auditing, auditing, configure_aws, fail

NAME = "api.example.test"


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine is configured for."""
    configure_aws(monkeypatch)


@pytest.fixture
def gateway(mtls_gateway: MockGateway) -> MockGateway:
    """A gateway whose domains are AVAILABLE at once."""
    mtls_gateway.set(domain_update_ms=0)
    return mtls_gateway


@pytest.fixture
def audit(gateway: MockGateway, tmp_path: Path) -> Auditing:
    """Runs the command on the mock."""
    return auditing(gateway, tmp_path / "audit.json")


def api_in_order(gateway: MockGateway) -> Api:
    """A REST API whose one stage has a fresh certificate."""
    api = gateway.proxy_api(BACKEND)
    api.stage("prod").attach(gateway.generate_client_certificate())
    return api


def disable(gateway: MockGateway, api: Api) -> None:
    """Close the default endpoint."""
    change = {"op": "replace", "path": "/disableExecuteApiEndpoint", "value": "true"}
    gateway.perform("UpdateRestApi", restApiId=api.id, patchOperations=[change])


def past() -> Truststore:
    """A truststore with a member that expired yesterday."""
    now = datetime.now(UTC)
    expired = gateway_credential(not_before=now - timedelta(days=9), not_after=now - timedelta(days=1))
    return Truststore.of([*new_hierarchy(2).certificates, expired.leaf])


# --- domains


def test_an_open_default_endpoint_behind_mutual_tls(gateway: MockGateway, audit: Auditing, tmp_path: Path) -> None:
    """Closed, and with the truststore at hand, everything is in order; an expired member is a warning."""
    api, good = api_in_order(gateway), Truststore.of(new_hierarchy(2).certificates)
    gateway.domain(NAME, truststore=good, api=api)
    path = good.write(tmp_path / "trust.pem")
    given = ("--truststore", f"{NAME}={path}")
    before = audit(*given)
    disable(gateway, api)
    after = audit(*given)
    past().write(path)
    warned, strict = audit(*given), audit(*given, "--strict")

    assert (before.code, before.of("default-endpoint-disabled")) == (1, {f"restapis/{api.id}": "failed"})
    assert (after.code, after.of("default-endpoint-disabled")) == (0, {f"restapis/{api.id}": "passed"})
    assert after.report["summary"]["passed"] == len(after.report["outcomes"]) == 7
    assert (warned.code, warned.of("truststore-members")) == (0, {f"domainnames/{NAME}": "warned"})
    assert "CN=ApiGateway,L=Seattle,C=US: expired on" in warned.reason("truststore-members")
    assert (strict.code, strict.of("truststore-members")) == (1, {f"domainnames/{NAME}": "failed"})


def test_an_http_api_behind_mutual_tls(gateway: MockGateway, audit: Auditing) -> None:
    """Mapped by the second version's operations."""
    made = gateway.perform("CreateApi", "apigatewayv2", name="h", protocolType="HTTP", target=BACKEND)
    gateway.domain(NAME, truststore=new_hierarchy().certificates)
    gateway.perform("CreateApiMapping", "apigatewayv2", domainName=NAME, apiId=made["apiId"], stage="$default")
    before = audit()
    gateway.perform("UpdateApi", "apigatewayv2", apiId=made["apiId"], disableExecuteApiEndpoint=True)
    after = audit()

    assert (before.code, set(before.of("default-endpoint-disabled").values())) == (1, {"failed"})
    assert (after.code, set(after.of("default-endpoint-disabled").values())) == (0, {"passed"})


def test_a_domain_that_is_being_updated_is_inconclusive(gateway: MockGateway, audit: Auditing) -> None:
    """Until it is AVAILABLE."""
    api = api_in_order(gateway)
    disable(gateway, api)
    domain = gateway.domain(NAME, truststore=new_hierarchy().certificates, api=api)
    uri = gateway.perform("GetDomainName", domainName=NAME)["mutualTlsAuthentication"]["truststoreUri"]
    change = {"op": "replace", "path": "/mutualTlsAuthentication/truststoreUri", "value": uri}
    gateway.set(domain_update_ms=600_000)
    gateway.perform("UpdateDomainName", domainName=NAME, patchOperations=[change])
    before = audit()
    gateway.set(domain_update_ms=0)
    gateway.perform("UpdateDomainName", domainName=NAME, patchOperations=[change])
    after = audit()

    place = f"domainnames/{NAME}"
    assert domain.status == "AVAILABLE"
    assert (before.code, before.of("mutual-tls-domain-status")) == (3, {place: "inconclusive"})
    assert (after.code, after.of("mutual-tls-domain-status")) == (0, {place: "passed"})


def test_a_domain_without_mutual_tls_is_no_finding(gateway: MockGateway, audit: Auditing) -> None:
    """Unless its policy would keep mutual TLS out, which is said."""
    gateway.domain(NAME, api=api_in_order(gateway))
    plain = audit()
    change = {"op": "replace", "path": "/securityPolicy", "value": "SecurityPolicy_TLS13_1_3_2025_09"}
    gateway.perform("UpdateDomainName", domainName=NAME, patchOperations=[change])
    enhanced = audit()

    assert (plain.code, plain.of("default-endpoint-disabled"), plain.of("mutual-tls-security-policy")) == (0, {}, {})
    assert (enhanced.code, enhanced.of("mutual-tls-security-policy")) == (0, {f"domainnames/{NAME}": "skipped"})
    assert "none possible" in enhanced.reason("mutual-tls-security-policy")


# --- a whole account


def test_every_finding_of_a_prepared_account_goes_once_it_is_mended(
    gateway: MockGateway, audit: Auditing, tmp_path: Path
) -> None:
    """One by one; the exit code is 1 as long as a MUST does not hold, with --strict as long as anything does not."""
    now = datetime.now(UTC)
    soon = gateway_credential(not_before=now - timedelta(days=1), not_after=now + timedelta(days=20))
    bare, shared, api = (gateway.proxy_api(BACKEND) for _ in range(3))
    bare.stage("prod").detach()
    gateway.set_clock(timedelta(days=-400))
    old = gateway.generate_client_certificate()
    gateway.set_clock(timedelta(0))
    shared.stage("prod").attach(old)
    shared.stage("test").attach(old)
    api.stage("prod").attach(gateway.import_certificate(soon))
    path = past().write(tmp_path / "trust.pem")
    gateway.domain(NAME, truststore=new_hierarchy().certificates, api=api)
    web = gateway.perform("CreateApi", "apigatewayv2", name="h", protocolType="HTTP", target=BACKEND)["apiId"]

    def renew() -> None:
        fresh = gateway.generate_client_certificate()
        for name in ("prod", "test"):
            shared.stage(name).attach(fresh)

    mends: list[tuple[set[str], Callable[[], object]]] = [
        ({"client-certificate-attached"}, lambda: bare.stage("prod").attach(gateway.generate_client_certificate())),
        ({"client-certificate-valid", "client-certificate-rotation"}, renew),
        ({"rotation-overlap"}, lambda: shared.stage("test").attach(gateway.generate_client_certificate())),
        (
            {"acm-certificate-expiring"},
            lambda: api.stage("prod").attach(gateway.import_certificate(gateway_credential())),
        ),
        ({"default-endpoint-disabled"}, lambda: disable(gateway, api)),
        ({"truststore-members"}, lambda: Truststore.of(new_hierarchy().certificates).write(path)),
        ({"http-api-client-certificate"}, lambda: gateway.perform("DeleteApi", "apigatewayv2", apiId=web)),
    ]
    open_findings = set().union(*(checks for checks, _ in mends))
    given = ("--truststore", f"{NAME}={path}")
    first = audit(*given)
    assert (first.code, first.ids("failed", "warned")) == (1, open_findings)
    assert first.ids("inconclusive") == set()

    for checks, mend in mends:
        mend()
        open_findings -= checks
        saw = audit(*given, "--strict")
        assert (saw.code, saw.ids("failed", "warned")) == (1 if open_findings else 0, open_findings)
    assert audit(*given).code == 0


def test_hundreds_of_apis_come_in_pages_and_are_all_judged(gateway: MockGateway, audit: Auditing) -> None:
    """More than a page of either version has; one bad stage in the last API is found."""
    made = sorted(gateway.perform("CreateRestApi", name=f"r{number}")["id"] for number in range(510))
    web = [gateway.perform("CreateApi", "apigatewayv2", name=f"h{n}", protocolType="HTTP")["apiId"] for n in range(60)]
    root = gateway.perform("GetRestApi", restApiId=made[-1])["rootResourceId"]
    there = {"restApiId": made[-1], "resourceId": root, "httpMethod": "GET"}
    gateway.perform("PutMethod", **there, authorizationType="NONE")
    gateway.perform("PutIntegration", **there, type="HTTP_PROXY", integrationHttpMethod="GET", uri=BACKEND)
    gateway.perform("CreateDeployment", restApiId=made[-1], stageName="prod")
    since = gateway.log.next
    saw = audit("-q")

    lists = [one["operation"] for one in gateway.log.entries(kind="control", since=since)]
    assert (lists.count("GetRestApis"), lists.count("GetApis")) == (2, 3)
    assert (saw.report["target"]["read"]["rest_apis"], saw.report["target"]["read"]["http_apis"]) == (510, 60)
    judged = saw.of("client-certificate-attached")
    assert len(judged) == 510
    assert [place for place, outcome in judged.items() if outcome == "failed"] == [f"restapis/{made[-1]}/stages/prod"]
    assert len(saw.of("http-api-client-certificate")) == len(web)
    assert saw.code == 1


# --- what is not answered


@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "TooManyRequestsException"), (403, "AccessDeniedException"), (501, "NotImplementedException")],
)
@pytest.mark.parametrize(
    ("operation", "check"),
    [
        ("GetApiMappings", "default-endpoint-disabled"),
        ("GetIntegrations", "http-api-client-certificate"),
        ("GetStages", "client-certificate-attached"),
    ],
)
def test_what_is_not_answered_is_inconclusive_where_it_is_missing(
    gateway: MockGateway, audit: Auditing, operation: str, check: str, status: int, code: str
) -> None:
    """The rest is judged; exit code 3."""
    api = api_in_order(gateway)
    disable(gateway, api)
    gateway.domain(NAME, truststore=new_hierarchy().certificates, api=api)
    gateway.perform("CreateApi", "apigatewayv2", name="h", protocolType="HTTP", target=BACKEND)
    fail(gateway, operation, status, code)
    saw = audit()

    assert (saw.code, set(saw.of(check).values())) == (3, {"inconclusive"})
    assert f"{operation}: {code}" in saw.reason(check)
    assert saw.ids("inconclusive") == {check}
    assert saw.of("mutual-tls-security-policy") == {f"domainnames/{NAME}": "passed"}


@pytest.mark.parametrize(
    ("operation", "checks"),
    [
        (
            "GetDomainNames",
            {
                "default-endpoint-disabled",
                "mutual-tls-security-policy",
                "mutual-tls-domain-status",
                "truststore-members",
            },
        ),
        ("GetApis", {"http-api-client-certificate"}),
    ],
)
def test_a_list_that_the_endpoint_does_not_have_is_inconclusive_for_its_checks(
    gateway: MockGateway, audit: Auditing, operation: str, checks: set[str]
) -> None:
    """An emulator's 501: nobody has looked, so nothing is in order."""
    api_in_order(gateway)
    fail(gateway, operation, 501, "NotImplementedException")
    saw = audit()

    assert (saw.code, saw.ids("inconclusive")) == (3, checks)
    assert saw.ids("passed") >= {"client-certificate-attached", "client-certificate-valid"}
