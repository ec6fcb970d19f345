"""Lists in pages, through boto3's own paginators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pytest_mtls.harness.gateway.operations import OPERATIONS
from pytest_mtls.harness.pki.authority import new_hierarchy

from .sdk import Account
from .walk import FUNCTION

_MANY = 7
"""Objects in a list, shown three at a time."""


class Full:
    """An account in which every list has seven members."""

    def __init__(self) -> None:
        self.account = Account()
        self.v1, self.v2 = self.account.v1, self.account.v2
        self._rest()
        self._http()
        self._domains()
        credential = new_hierarchy().issue()
        for number in range(_MANY):
            self.v1.generate_client_certificate()
            self.v1.create_rest_api(name=f"r{number}") if number else None
            self.v2.create_api(Name=f"h{number}", ProtocolType="HTTP") if number else None
            self.account.acm.import_certificate(Certificate=credential.certificate_pem, PrivateKey=credential.key_pem)

    def _rest(self) -> None:
        created = self.v1.create_rest_api(name="full")
        self.api, root = created["id"], created["rootResourceId"]
        method = {"restApiId": self.api, "resourceId": root, "httpMethod": "GET"}
        self.v1.put_method(**method, authorizationType="NONE")
        self.v1.put_integration(**method, type="MOCK")
        for number in range(_MANY):
            self.v1.create_resource(restApiId=self.api, parentId=root, pathPart=f"p{number}") if number else None
            self.v1.create_deployment(restApiId=self.api)
            self.v1.create_authorizer(restApiId=self.api, name=f"a{number}", type="TOKEN", authorizerUri=FUNCTION)

    def _http(self) -> None:
        self.http = self.v2.create_api(Name="full", ProtocolType="HTTP")["ApiId"]
        for number in range(_MANY):
            place = {"ApiId": self.http}
            self.v2.create_integration(**place, IntegrationType="HTTP_PROXY", IntegrationUri="https://localhost/")
            self.v2.create_route(**place, RouteKey=f"GET /p{number}")
            self.v2.create_deployment(**place)
            self.v2.create_stage(**place, StageName=f"s{number}")
            self.v2.create_authorizer(
                **place, Name=f"a{number}", AuthorizerType="REQUEST", AuthorizerUri=FUNCTION, IdentitySource=[]
            )

    def _domains(self) -> None:
        self.domain = "d0.example.com"
        for number in range(_MANY):
            self.v1.create_domain_name(domainName=f"d{number}.example.com")
        for number in range(_MANY):
            mapped = {"ApiId": self.http, "Stage": "s0", "ApiMappingKey": f"p{number}"}
            self.v2.create_api_mapping(DomainName=self.domain, **mapped)


@pytest.fixture(scope="module")
def full() -> Full:
    """One for all, since nothing is changed."""
    return Full()


_ACCOUNT = Account()
_PAGED = [
    (service, name)
    for service, name in OPERATIONS
    if _ACCOUNT.clients[service].can_paginate(
        next(own for own, one in _ACCOUNT.clients[service].meta.method_to_api_mapping.items() if one == name)
    )
]
_KEYS = {
    "GetRestApis": "id",
    "GetResources": "id",
    "GetDeployments": "id",
    "GetAuthorizers": "id",
    "GetClientCertificates": "clientCertificateId",
    "ListCertificates": "CertificateArn",
    "GetDomainNames": "domainName",
    "GetBasePathMappings": "basePath",
}
_KEYS_2 = {
    "GetApis": "ApiId",
    "GetIntegrations": "IntegrationId",
    "GetRoutes": "RouteId",
    "GetDeployments": "DeploymentId",
    "GetStages": "StageName",
    "GetAuthorizers": "AuthorizerId",
    "GetDomainNames": "DomainName",
}


def test_all_the_paginators_are_here() -> None:
    """Fifteen lists of the contract have one."""

    assert len(_PAGED) == len(_KEYS) + len(_KEYS_2)


@pytest.mark.parametrize(("service", "name"), _PAGED)
def test_paginator_gives_everything_once(service: str, name: str, full: Full) -> None:
    """In pages of three: three of them for seven."""
    client = full.account.clients[service]
    own = next(own for own, one in client.meta.method_to_api_mapping.items() if one == name)
    shape = client.meta.service_model.operation_model(name).input_shape
    place: dict[str, Any] = {"restApiId": full.api} if "restApiId" in shape.members else {}
    place = {"ApiId": full.http} if "ApiId" in shape.members else place
    place = {"domainName": full.domain} if "domainName" in shape.members else place
    page_size = "3" if service == "apigatewayv2" else 3  # the string is the model's type
    paginator = client.get_paginator(own)
    pages = list(paginator.paginate(**place, PaginationConfig={"PageSize": page_size}))
    items = [item for page in pages for item in page[_ITEMS[service]]]

    key = (_KEYS_2 if service == "apigatewayv2" else _KEYS)[name]
    assert [len(page[_ITEMS[service]]) for page in pages] == [3, 3, 1]
    assert len({item[key] for item in items}) == _MANY


_ITEMS = {"apigateway": "items", "apigatewayv2": "Items", "acm": "CertificateSummaryList"}


def test_deleting_what_is_shown_page_by_page_leaves_nothing() -> None:
    """As clean-up scripts do."""
    account = Account()
    for number in range(_MANY):
        account.v1.create_rest_api(name=f"r{number}")
    for page in account.v1.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 2}):
        for item in page["items"]:
            account.v1.delete_rest_api(restApiId=item["id"])

    assert account.state.rest_apis == {}


def test_first_page_has_25_without_a_limit() -> None:
    """AWS's default."""
    account = Account()
    for number in range(26):
        account.v1.create_rest_api(name=f"r{number}")
    first = account.v1.get_rest_apis()

    assert (len(first["items"]), "position" in first) == (25, True)
    assert len(account.v1.get_rest_apis(limit=500)["items"]) == 26


@pytest.mark.parametrize(
    "call",
    [
        lambda full: full.v1.get_rest_apis(limit=0),
        lambda full: full.v1.get_rest_apis(limit=501),
        lambda full: full.v2.get_apis(MaxResults="0"),
        lambda full: full.v2.get_apis(MaxResults="many"),
        lambda full: full.v1.get_rest_apis(position=full.v1.get_client_certificates(limit=1)["position"]),
    ],
    ids=["0", "501", "0 of v2", "no number", "another list's token"],
)
def test_unfit_page_is_refused(call: Callable[[Full], Any], full: Full) -> None:
    """A limit out of bounds; a token that is not this list's."""
    with pytest.raises(ClientError, match="BadRequestException"):
        call(full)


def test_empty_list_is_a_list() -> None:
    """botocore stumbles over anything else."""
    account = Account()

    assert account.v1.get_rest_apis()["items"] == []
    assert account.answers[-1].body == b'{"item": []}'


def test_stages_are_one_list_without_pages(full: Full) -> None:
    """The model knows no position here, and calls the member item; they can be chosen by deployment."""
    account = full.account
    one = full.v1.create_deployment(restApiId=full.api, stageName="one")["id"]
    full.v1.create_stage(restApiId=full.api, stageName="two", deploymentId=one)
    full.v1.create_deployment(restApiId=full.api, stageName="three")

    def names(**members: str) -> list[str]:
        return [stage["stageName"] for stage in account.v1.get_stages(restApiId=full.api, **members)["item"]]

    shown = names(), names(deploymentId=one)
    for name in shown[0]:
        full.v1.delete_stage(restApiId=full.api, stageName=name)
    assert shown == (["one", "two", "three"], ["one", "two"])
