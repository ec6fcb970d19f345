"""Domain names and their mappings through boto3: members, conditions of mutual TLS, refusals, both services side by side."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pytest_mtls.harness.gateway.settings import Settings
from pytest_mtls.harness.gateway.state import State
from pytest_mtls.harness.gateway.truststores import Location
from pytest_mtls.harness.pki.authority import new_hierarchy
from pytest_mtls.harness.pki.truststore import Truststore
from pytest_mtls.harness.wait import poll_until

from .sdk import Account
from .walk import CERTIFICATE, replace

NAME = "api.example.com"
URI = "s3://bucket/truststore.pem"
MUTUAL = {"truststoreUri": URI}
REGIONAL = {"types": ["REGIONAL"]}

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def account() -> Account:
    """With one truststore, whatever is asked for, and domains that are AVAILABLE at once."""
    pem = Truststore.of(new_hierarchy().certificates).pem
    return Account(State(settings=Settings(domain_update_ms=0)), objects=pem)


def refused(call: Callable[[], Any]) -> tuple[int, str, str]:
    """Status, code and text of a refusal."""
    with pytest.raises(ClientError) as error:
        call()
    answer = error.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def mutual_domain(account: Account, **members: Any) -> Any:
    """CreateDomainName of v1, with mutual TLS."""
    usual = {"regionalCertificateArn": CERTIFICATE, "endpointConfiguration": REGIONAL, "securityPolicy": "TLS_1_2"}
    return account.v1.create_domain_name(**{"domainName": NAME, **usual, "mutualTlsAuthentication": MUTUAL, **members})


def api_of(account: Account, stage: str = "prod") -> str:
    """A REST API with a stage."""
    api = account.v1.create_rest_api(name="test")
    place = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "GET"}
    account.v1.put_method(**place, authorizationType="NONE")
    account.v1.put_integration(**place, type="MOCK")
    account.v1.create_deployment(restApiId=api["id"], stageName=stage)
    return str(api["id"])


# --- members


def test_both_services_show_one_domain(account: Account) -> None:
    """Each in its own words."""
    mutual_domain(account, tags={"team": "edge"})
    first, second = account.v1.get_domain_name(domainName=NAME), account.v2.get_domain_name(DomainName=NAME)
    (configuration,) = second["DomainNameConfigurations"]

    assert first["domainNameArn"] == second["DomainNameArn"] == f"arn:aws:apigateway:us-east-1::/domainnames/{NAME}"
    assert first["regionalDomainName"] == configuration["ApiGatewayDomainName"]
    assert first["regionalDomainName"].endswith(".execute-api.us-east-1.amazonaws.com")
    assert first["regionalHostedZoneId"] == configuration["HostedZoneId"]
    assert first["regionalCertificateArn"] == configuration["CertificateArn"] == CERTIFICATE
    assert (first["endpointConfiguration"]["types"], configuration["EndpointType"]) == (["REGIONAL"], "REGIONAL")
    assert first["securityPolicy"] == configuration["SecurityPolicy"] == "TLS_1_2"
    assert first["domainNameStatus"] == configuration["DomainNameStatus"] == "AVAILABLE"
    assert first["mutualTlsAuthentication"] == {"truststoreUri": URI}
    assert second["MutualTlsAuthentication"] == {"TruststoreUri": URI}
    assert first["tags"] == second["Tags"] == {"team": "edge"}
    assert [one["domainName"] for one in account.v1.get_domain_names()["items"]] == [NAME]
    assert [one["DomainName"] for one in account.v2.get_domain_names()["Items"]] == [NAME]


def test_policy_and_type_when_omitted_are_those_of_mutual_tls(account: Account) -> None:
    """TLS_1_2 and REGIONAL."""
    made = account.v1.create_domain_name(domainName=NAME, mutualTlsAuthentication=MUTUAL)

    assert (made["securityPolicy"], made["endpointConfiguration"]["types"]) == ("TLS_1_2", ["REGIONAL"])


def test_change_of_the_truststore_is_on_its_way_for_a_while(account: Account) -> None:
    """UPDATING, then AVAILABLE; other changes are there at once."""
    account.state.settings = Settings(domain_update_ms=200)
    created = mutual_domain(account)["domainNameStatus"]

    def is_available() -> bool:
        return bool(account.v1.get_domain_name(domainName=NAME)["domainNameStatus"] == "AVAILABLE")

    assert (created, poll_until(is_available, 10)) == ("UPDATING", True)
    policy = account.v1.update_domain_name(domainName=NAME, patchOperations=replace("/securityPolicy", "TLS_1_2"))
    version = replace("/mutualTlsAuthentication/truststoreVersion", "2")
    again = account.v1.update_domain_name(domainName=NAME, patchOperations=version)
    assert (policy["domainNameStatus"], again["domainNameStatus"]) == ("AVAILABLE", "UPDATING")
    assert account.fetched == [Location("bucket", "truststore.pem"), Location("bucket", "truststore.pem", "2")]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/mutualTlsAuthentication/truststoreUri", "value": ""},
        {"op": "remove", "path": "/mutualTlsAuthentication/truststoreUri"},
    ],
)
def test_mutual_tls_is_switched_off(operation: dict[str, str], account: Account) -> None:
    """The member disappears."""
    mutual_domain(account)
    answer = account.v1.update_domain_name(domainName=NAME, patchOperations=[operation])

    assert "mutualTlsAuthentication" not in answer
    assert "MutualTlsAuthentication" not in account.v2.get_domain_name(DomainName=NAME)


def test_mutual_tls_is_switched_off_and_on_by_v2(account: Account) -> None:
    """An empty URI, and one again."""
    mutual_domain(account)
    off = account.v2.update_domain_name(DomainName=NAME, MutualTlsAuthentication={"TruststoreUri": ""})
    on = account.v2.update_domain_name(
        DomainName=NAME, MutualTlsAuthentication={"TruststoreUri": URI, "TruststoreVersion": "7"}
    )

    assert "MutualTlsAuthentication" not in off
    assert on["MutualTlsAuthentication"] == {"TruststoreUri": URI, "TruststoreVersion": "7"}


def test_truststore_is_judged_by_the_gateways_clock(account: Account) -> None:
    """A hundred years ago its members were not valid yet."""
    account.state.offset = timedelta(days=-36_500)
    made = mutual_domain(account)

    assert "certificate is not yet valid" in made["mutualTlsAuthentication"]["truststoreWarnings"][0]


# --- refusals


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"endpointConfiguration": {"types": ["EDGE"]}}, "REGIONAL"),
        ({"endpointConfiguration": {"types": ["PRIVATE"]}}, "REGIONAL"),
        ({"securityPolicy": "TLS_1_0"}, "TLS_1_2"),
        ({"securityPolicy": "SecurityPolicy_TLS13_1_3_2025_09"}, "TLS_1_2"),
        ({"regionalCertificateArn": "arn:aws:iam::1:role/x"}, "certificate ARN"),
        ({"mutualTlsAuthentication": {}}, "Missing required member: mutualTlsAuthentication.truststoreUri"),
        ({"mutualTlsAuthentication": {"truststoreVersion": "1"}}, "truststoreUri"),
        ({"mutualTlsAuthentication": {"truststoreUri": "https://bucket/key"}}, "truststore URI"),
        ({"domainName": "no name"}, "domain name"),
        ({"domainName": "a.*.example.com"}, "domain name"),
    ],
)
def test_create_is_refused(members: dict[str, Any], text: str, account: Account) -> None:
    """400, and nothing is made."""
    status, code, message = refused(lambda: mutual_domain(account, **members))

    assert (status, code) == (400, "BadRequestException")
    assert text in message
    assert account.v1.get_domain_names()["items"] == []


@pytest.mark.parametrize(
    "operation",
    [
        replace("/securityPolicy", "TLS_1_0"),
        replace("/securityPolicy", "SecurityPolicy_TLS13_1_2_2021_06"),
        replace("/securityPolicy", "none"),
        replace("/endpointConfiguration/types/REGIONAL", "EDGE"),
        replace("/regionalCertificateArn", "none"),
        replace("/domainName", "other.example.com"),
        [{"op": "add", "path": "/securityPolicy", "value": "TLS_1_2"}],
    ],
)
def test_update_is_refused_whole(operation: list[dict[str, str]], account: Account) -> None:
    """What came before it in the same PATCH neither counts."""
    mutual_domain(account)
    before = account.v1.get_domain_name(domainName=NAME)
    first = replace("/regionalCertificateArn", CERTIFICATE.replace("1", "2"))

    status, code, _ = refused(lambda: account.v1.update_domain_name(domainName=NAME, patchOperations=first + operation))
    after = account.v1.get_domain_name(domainName=NAME)
    assert (status, code) == (400, "BadRequestException")
    assert {**before, "ResponseMetadata": None} == {**after, "ResponseMetadata": None}


def test_version_without_truststore_is_refused(account: Account) -> None:
    """By both services."""
    account.v1.create_domain_name(domainName=NAME)
    version = replace("/mutualTlsAuthentication/truststoreVersion", "1")

    assert refused(lambda: account.v1.update_domain_name(domainName=NAME, patchOperations=version))[0] == 400
    again = {"DomainName": NAME, "MutualTlsAuthentication": {"TruststoreVersion": "1"}}
    assert refused(lambda: account.v2.update_domain_name(**again))[0] == 400


@pytest.mark.parametrize("configurations", [[], [{"CertificateArn": CERTIFICATE}] * 2])
def test_v2_wants_exactly_one_configuration(configurations: list[dict[str, str]], account: Account) -> None:
    """In AWS's words."""
    made = refused(lambda: account.v2.create_domain_name(DomainName=NAME, DomainNameConfigurations=configurations))

    assert made == (400, "BadRequestException", "Invalid input. Expected one domain name configuration")


def test_names_and_mappings_are_there_once(account: Account) -> None:
    """409, whichever service made the first; names know no case."""
    mutual_domain(account)
    api = api_of(account)
    account.v1.create_base_path_mapping(domainName=NAME, restApiId=api, stage="prod", basePath="v1")

    assert refused(lambda: mutual_domain(account, domainName=NAME.upper()))[:2] == (409, "ConflictException")
    configuration = [{"CertificateArn": CERTIFICATE}]
    assert refused(lambda: account.v2.create_domain_name(DomainName=NAME, DomainNameConfigurations=configuration))[
        :2
    ] == (409, "ConflictException")
    for again in (
        lambda: account.v1.create_base_path_mapping(domainName=NAME, restApiId=api, basePath="v1"),
        lambda: account.v2.create_api_mapping(DomainName=NAME, ApiId=api, Stage="prod", ApiMappingKey="v1"),
    ):
        assert refused(again) == (409, "ConflictException", "Base path already exists for this domain name")


def test_what_is_not_there_is_404(account: Account) -> None:
    """In AWS's words; v2 adds the type."""
    unknown = (404, "NotFoundException", "Invalid domain name identifier specified")

    assert refused(lambda: account.v1.get_domain_name(domainName=NAME)) == unknown
    assert refused(lambda: account.v1.delete_domain_name(domainName=NAME)) == unknown
    assert refused(lambda: account.v1.get_base_path_mappings(domainName=NAME)) == unknown
    assert refused(lambda: account.v2.get_domain_name(DomainName=NAME)) == unknown
    assert b'"resourceType": "DomainName"' in account.answers[-1].body
    mutual_domain(account)
    assert refused(lambda: account.v1.get_base_path_mapping(domainName=NAME, basePath="x"))[0] == 404
    assert refused(lambda: account.v2.get_api_mapping(DomainName=NAME, ApiMappingId="x"))[0] == 404


def test_deleted_domain_is_gone_for_both(account: Account) -> None:
    """And its name is free."""
    mutual_domain(account)
    account.v2.delete_domain_name(DomainName=NAME)

    assert account.v1.get_domain_names()["items"] == []
    assert mutual_domain(account)["domainName"] == NAME


# --- mappings


def test_empty_base_path_is_shown_and_addressed_as_none(account: Account) -> None:
    """v2 calls it an empty key."""
    mutual_domain(account)
    api = api_of(account)
    made = account.v1.create_base_path_mapping(domainName=NAME, restApiId=api, stage="prod")
    there = {"domainName": NAME, "basePath": "(none)"}

    assert made["basePath"] == account.v1.get_base_path_mapping(**there)["basePath"] == "(none)"
    assert account.v2.get_api_mappings(DomainName=NAME)["Items"][0]["ApiMappingKey"] == ""
    moved = account.v1.update_base_path_mapping(**there, patchOperations=replace("/basePath", "pets"))
    assert moved["basePath"] == "pets"
    account.v1.delete_base_path_mapping(domainName=NAME, basePath="pets")
    assert account.v1.get_base_path_mappings(domainName=NAME)["items"] == []


def test_mapping_needs_an_api_and_a_stage_that_are_there(account: Account) -> None:
    """By both services, also when it is changed."""
    mutual_domain(account)
    api = api_of(account)
    for one, two in (("nonesuch00", "prod"), (api, "none")):
        assert (
            refused(
                lambda one=one, two=two: account.v1.create_base_path_mapping(domainName=NAME, restApiId=one, stage=two)  # type: ignore[misc]
            )[:2]
            == (400, "BadRequestException")
        )
        assert (
            refused(
                lambda one=one, two=two: account.v2.create_api_mapping(DomainName=NAME, ApiId=one, Stage=two)  # type: ignore[misc]
            )[:2]
            == (400, "BadRequestException")
        )
    account.v1.create_base_path_mapping(domainName=NAME, restApiId=api, stage="prod", basePath="a")
    for path, value in (("/stage", "none"), ("/restapiId", "nonesuch00"), ("/basePath", "a/b"), ("/other", "x")):
        change = {"domainName": NAME, "basePath": "a", "patchOperations": replace(path, value)}
        assert refused(lambda change=change: account.v1.update_base_path_mapping(**change))[0] == 400  # type: ignore[misc]
    shown = account.v1.get_base_path_mapping(domainName=NAME, basePath="a")
    assert (shown["restApiId"], shown["stage"]) == (api, "prod")


def test_mappings_are_listed_in_pages(account: Account) -> None:
    """By the paginator of v1, and by tokens of v2."""
    mutual_domain(account)
    api = api_of(account)
    for number in range(7):
        account.v1.create_base_path_mapping(domainName=NAME, restApiId=api, stage="prod", basePath=f"p{number}")
    pages = account.v1.get_paginator("get_base_path_mappings").paginate(
        domainName=NAME, PaginationConfig={"PageSize": 3}
    )
    first = account.v2.get_api_mappings(DomainName=NAME, MaxResults="4")
    rest = account.v2.get_api_mappings(DomainName=NAME, MaxResults="4", NextToken=first["NextToken"])

    assert [one["basePath"] for page in pages for one in page["items"]] == [f"p{number}" for number in range(7)]
    assert (len(first["Items"]), len(rest["Items"])) == (4, 3)


def test_domain_is_tagged_by_its_arn(account: Account) -> None:
    """The tags show in its own answers."""
    arn = mutual_domain(account)["domainNameArn"]
    account.v1.tag_resource(resourceArn=arn, tags={"team": "edge"})

    assert account.v2.get_tags(ResourceArn=arn)["Tags"] == {"team": "edge"}
    assert account.v1.get_domain_name(domainName=NAME)["tags"] == {"team": "edge"}


@pytest.mark.parametrize(
    "members",
    [
        {"endpointConfiguration": {"types": ["PRIVATE"]}},
        {"routingMode": "ROUTING_RULE_ONLY"},
        {"certificateBody": "x"},
    ],
)
def test_what_is_not_emulated_says_so(members: dict[str, Any], account: Account) -> None:
    """Private domains, routing rules, certificates that are uploaded: 501, nothing is dropped in silence."""
    made = refused(lambda: account.v1.create_domain_name(domainName=NAME, **members))

    assert made[:2] == (501, "NotImplementedException")
    assert made[2].endswith("is not emulated")
