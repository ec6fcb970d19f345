"""The audit of answers that the mock gateway does not give: botocore's Stubber holds them against AWS's shapes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from pytest_mtls.harness.audit.report import AuditReport, Place
from pytest_mtls.harness.audit.rules import Terms
from pytest_mtls.harness.audit.run import audited
from pytest_mtls.harness.audit.sdk import Clients, connect
from pytest_mtls.harness.pki.truststore import Truststore

from .audits import BACKEND, VALIDATOR, configure_aws

PLACE = Place(region="eu-west-1", endpoint="https://apigateway.eu-west-1.amazonaws.com")


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine is configured for."""
    configure_aws(monkeypatch)


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
