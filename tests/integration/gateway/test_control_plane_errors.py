"""Every text of the contract's section 3, as boto3 raises it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .sdk import Account
from .walk import FUNCTION, replace

BAD, NOT_FOUND, CONFLICT = ("BadRequestException", 400), ("NotFoundException", 404), ("ConflictException", 409)


@dataclass
class Place:
    """A REST API with one resource, one method and a stage, and an HTTP API."""

    account: Account

    def __post_init__(self) -> None:
        self.v1, self.v2 = self.account.v1, self.account.v2
        created = self.v1.create_rest_api(name="errors")
        self.api, self.root = created["id"], created["rootResourceId"]
        self.resource = self.v1.create_resource(restApiId=self.api, parentId=self.root, pathPart="pets")["id"]
        self.method = {"restApiId": self.api, "resourceId": self.resource, "httpMethod": "GET"}
        self.v1.put_method(**self.method, authorizationType="NONE")
        self.put(uri="https://localhost:8443/")
        self.deployment = self.v1.create_deployment(restApiId=self.api, stageName="prod")["id"]
        self.http = self.v2.create_api(Name="errors", ProtocolType="HTTP", Target="https://localhost:8443/")["ApiId"]

    def put(self, **members: Any) -> Any:
        """An HTTP_PROXY integration of the method."""
        return self.v1.put_integration(
            **{"type": "HTTP_PROXY", "integrationHttpMethod": "GET", **self.method, **members}
        )

    def stage(self, operations: list[dict[str, str]]) -> Any:
        """UpdateStage."""
        return self.v1.update_stage(restApiId=self.api, stageName="prod", patchOperations=operations)


@pytest.fixture
def place() -> Place:
    """A fresh account with an API."""
    return Place(Account())


def _refused(call: Callable[[], Any]) -> tuple[tuple[str, int], str]:
    """The code, the status and the text that the SDK found in a refusal."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response
    return (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]), error["Error"]["Message"]


Case = tuple[Callable[[Place], Any], tuple[str, int], str]

CASES: dict[str, Case] = {
    "unknown api": (
        lambda place: place.v1.get_rest_api(restApiId="abcde0"),
        NOT_FOUND,
        "Invalid API identifier specified 123456789012:abcde0",
    ),
    "unknown http api": (
        lambda place: place.v2.get_api(ApiId="abcde0"),
        NOT_FOUND,
        "Invalid API identifier specified 123456789012:abcde0",
    ),
    "unknown resource": (
        lambda place: place.v1.get_resource(restApiId=place.api, resourceId="nobody"),
        NOT_FOUND,
        "Invalid Resource identifier specified",
    ),
    "unknown parent": (
        lambda place: place.v1.create_resource(restApiId=place.api, parentId="nobody", pathPart="x"),
        NOT_FOUND,
        "Invalid Resource identifier specified",
    ),
    "unknown method": (
        lambda place: place.v1.get_method(**{**place.method, "httpMethod": "PUT"}),
        NOT_FOUND,
        "Invalid Method identifier specified",
    ),
    "unknown integration": (
        lambda place: (place.v1.delete_integration(**place.method), place.v1.get_integration(**place.method)),
        NOT_FOUND,
        "Invalid Integration identifier specified",
    ),
    "unknown stage": (
        lambda place: place.v1.get_stage(restApiId=place.api, stageName="nobody"),
        NOT_FOUND,
        "Invalid stage identifier specified",
    ),
    "unknown http stage": (
        lambda place: place.v2.get_stage(ApiId=place.http, StageName="nobody"),
        NOT_FOUND,
        "Invalid stage identifier specified",
    ),
    "unknown certificate": (
        lambda place: place.v1.get_client_certificate(clientCertificateId="nobody"),
        NOT_FOUND,
        "Invalid Client Certificate identifier specified",
    ),
    "acm certificate among the generated ones": (
        lambda place: place.v1.delete_client_certificate(
            clientCertificateId="arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"
        ),
        NOT_FOUND,
        "Invalid Client Certificate identifier specified",
    ),
    "unknown certificate of a test invoke": (
        lambda place: place.v1.test_invoke_method(**place.method, clientCertificateId="nobody"),
        NOT_FOUND,
        "Invalid Client Certificate identifier specified",
    ),
    "unknown certificate attached": (
        lambda place: place.stage(replace("/clientCertificateId", "nobody")),
        BAD,
        "Invalid Client Certificate identifier specified",
    ),
    "unknown authorizer": (
        lambda place: place.v1.get_authorizer(restApiId=place.api, authorizerId="nobody"),
        NOT_FOUND,
        "Invalid Authorizer identifier specified",
    ),
    "stage on an unknown deployment": (
        lambda place: place.v1.create_stage(restApiId=place.api, stageName="x", deploymentId="nobody"),
        BAD,
        "Deployment id does not exist",
    ),
    "stage moved to an unknown deployment": (
        lambda place: place.stage(replace("/deploymentId", "nobody")),
        BAD,
        "Deployment id does not exist",
    ),
    "deployment in use": (
        lambda place: place.v1.delete_deployment(restApiId=place.api, deploymentId=place.deployment),
        BAD,
        "Active stages pointing to this deployment must be moved or deleted",
    ),
    "nothing to deploy": (
        lambda place: place.v1.create_deployment(restApiId=place.v1.create_rest_api(name="x")["id"]),
        BAD,
        "The REST API doesn't contain any methods",
    ),
    "method without integration": (
        lambda place: (
            place.v1.put_method(**{**place.method, "httpMethod": "PUT"}, authorizationType="NONE"),
            place.v1.create_deployment(restApiId=place.api),
        ),
        BAD,
        "No integration defined for method",
    ),
    "integration without verb": (
        lambda place: place.v1.put_integration(**place.method, type="HTTP", uri="https://localhost:8443/"),
        BAD,
        "Enumeration value for HttpMethod must be non-empty",
    ),
    "integration of no known type": (
        lambda place: place.put(type="HTTPS_PROXY"),
        BAD,
        "1 validation error detected: Value 'HTTPS_PROXY' at 'putIntegrationInput.type' failed to satisfy constraint: "
        "Member must satisfy enum value set: [HTTP, MOCK, AWS_PROXY, HTTP_PROXY, AWS]",
    ),
    "second resource of the name": (
        lambda place: place.v1.create_resource(restApiId=place.api, parentId=place.root, pathPart="pets"),
        CONFLICT,
        "Another resource with the same parent already has this name: pets",
    ),
    "child of a greedy resource": (
        lambda place: place.v1.create_resource(
            restApiId=place.api,
            parentId=place.v1.create_resource(restApiId=place.api, parentId=place.root, pathPart="{proxy+}")["id"],
            pathPart="x",
        ),
        BAD,
        "Cannot create a child of a resource with a greedy path variable: {proxy+}",
    ),
    "second stage of the name": (
        lambda place: place.v1.create_stage(restApiId=place.api, stageName="prod", deploymentId=place.deployment),
        CONFLICT,
        "Stage already exists",
    ),
    "second http stage of the name": (
        lambda place: place.v2.create_stage(ApiId=place.http, StageName="$default"),
        CONFLICT,
        "Stage already exists",
    ),
    "second route of the key": (
        lambda place: place.v2.create_route(ApiId=place.http, RouteKey="$default"),
        CONFLICT,
        "Route with key $default already exists for this API",
    ),
    "CUSTOM without authorizer": (
        lambda place: place.v1.put_method(**{**place.method, "httpMethod": "PUT"}, authorizationType="CUSTOM"),
        BAD,
        "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a "
        "valid authorizer.",
    ),
    "CUSTOM by patch with an unknown authorizer": (
        lambda place: place.v1.update_method(
            **place.method, patchOperations=replace("/authorizationType", "CUSTOM") + replace("/authorizerId", "nobody")
        ),
        BAD,
        "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a "
        "valid authorizer.",
    ),
    "wrong patch operation": (
        lambda place: place.stage([{"op": "remove", "path": "/clientCertificateId"}]),
        BAD,
        "Invalid patch operation specified. Must be one of: [replace]",
    ),
    "added certificate": (
        lambda place: place.stage([{"op": "add", "path": "/clientCertificateId", "value": "abcdef"}]),
        BAD,
        "Invalid patch operation specified. Must be one of: [replace]",
    ),
    "wrong list position": (
        lambda place: place.v1.get_rest_apis(position="nonsense"),
        BAD,
        "Invalid position parameter specified",
    ),
    "wrong list token": (
        lambda place: place.v2.get_apis(NextToken="nonsense"),
        BAD,
        "Invalid position parameter specified",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_refusal_has_the_contracts_code_and_text(name: str, place: Place) -> None:
    """Texts are fixed: others script against them."""
    call, code, text = CASES[name]

    assert _refused(lambda: call(place)) == (code, text)


@pytest.mark.parametrize(
    "uri",
    [
        None,
        "",
        "localhost:8443",
        "ftp://localhost/",
        "https://",
        "https://localhost:81/",
        "https://localhost:70000/",
        "https://user@localhost/",
        "https://localhost /",
        "https://~/",
    ],
)
def test_integration_uri_is_refused(uri: str | None, place: Place) -> None:
    """Scheme, host, and a port that AWS allows."""
    members = {} if uri is None else {"uri": uri}

    assert _refused(lambda: place.put(**members)) == (BAD, "Invalid HTTP endpoint specified for URI")


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1",
        "https://[::1]:8443/x",
        "https://localhost:443?a=b",
        "http://localhost:1024/{proxy}",
        "https://${stageVariables.host}:${stageVariables.port}/${stageVariables.path}",
        "http://${stageVariables.url}/x",
    ],
)
def test_integration_uri_is_taken(uri: str, place: Place) -> None:
    """Loopback, and stage variables wherever they may stand."""

    assert place.put(uri=uri)["uri"] == uri


@pytest.mark.parametrize("milliseconds", [49, 29_001])
def test_timeout_is_refused_beyond_its_bounds(milliseconds: int, place: Place) -> None:
    """50 ms to 29 s."""
    code, text = _refused(lambda: place.put(uri="https://localhost/", timeoutInMillis=milliseconds))

    assert (code, text) == (BAD, "Timeout should be between 50 ms and 29000 ms")


def test_longest_timeout_can_be_raised(place: Place) -> None:
    """AWS raises it on request."""
    place.account.state.settings = place.account.state.settings.changed({"max_timeout_ms": 60_000})

    assert place.put(uri="https://localhost/", timeoutInMillis=60_000)["timeoutInMillis"] == 60_000


def test_wrong_path_of_a_stage_names_the_right_ones(place: Place) -> None:
    """AWS's own words for it."""
    code, text = _refused(lambda: place.stage(replace("/nonsense", "x")))

    assert code == BAD
    assert text.startswith("Invalid method setting path: /nonsense. Must be one of: [/deploymentId, /description, ")
    assert "/clientCertificateId" in text


INVALID = (
    "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression "
)


@pytest.mark.parametrize("header", ["a/b", "a b", "a:b", "a\r\nX-Other", "é", "a\x00"])
def test_mapped_header_has_a_header_s_name(header: str, place: Place) -> None:
    """A token (RFC 9110 5.6.2), or the request could not be sent."""
    for where in ("header", "multivalueheader"):
        name = f"integration.request.{where}.{header}"
        code, text = _refused(lambda name=name: place.put(uri="https://localhost/", requestParameters={name: "'x'"}))  # type: ignore[misc]
        assert (code, text) == (BAD, f"{INVALID}specified: {name}]")
    patch = [{"op": "add", "path": f"/requestParameters/{name.replace('/', '~1')}", "value": "'x'"}]
    assert _refused(lambda: place.v1.update_integration(**place.method, patchOperations=patch))[1].startswith(INVALID)
    answer = f"method.response.header.{header}"
    code, text = _refused(
        lambda: place.v1.put_integration_response(**place.method, statusCode="200", responseParameters={answer: "'x'"})
    )
    assert (code, text) == (BAD, f"{INVALID}specified: {answer}]")


@pytest.mark.parametrize("action", ["overwrite", "append", "remove"])
def test_mapped_header_of_an_http_api_has_a_header_s_name(action: str, place: Place) -> None:
    """At create and update."""
    members = {"ApiId": place.http, "IntegrationUri": "https://localhost/", "PayloadFormatVersion": "1.0"}
    made = place.v2.create_integration(
        **members, IntegrationType="HTTP_PROXY", RequestParameters={f"{action}:header.X-!~1": "x"}
    )["IntegrationId"]
    for header in ("a b", "", "a\r\nX-Other"):
        wrong = {f"{action}:header.{header}": "x"}
        for call in (
            lambda wrong=wrong: place.v2.create_integration(
                **members, IntegrationType="HTTP_PROXY", RequestParameters=wrong
            ),
            lambda wrong=wrong: place.v2.update_integration(
                ApiId=place.http, IntegrationId=made, RequestParameters=wrong
            ),
        ):
            code, text = _refused(call)
            assert (code, text) == (BAD, f"{INVALID}specified: {action}:header.{header}]")


@pytest.mark.parametrize("expression", ["[", "(?<x", "*"])
def test_validation_expression_of_an_authorizer_must_compile(expression: str, place: Place) -> None:
    """At create and update."""
    members = {"restApiId": place.api, "type": "TOKEN", "authorizerUri": FUNCTION}
    text = f"Invalid identity validation expression specified: {expression}"
    create = _refused(lambda: place.v1.create_authorizer(**members, name="x", identityValidationExpression=expression))
    made = place.v1.create_authorizer(**members, name="x", identityValidationExpression="^[a-z]+$")
    patch = replace("/identityValidationExpression", expression)
    named = {"restApiId": place.api, "authorizerId": made["id"]}
    update = _refused(lambda: place.v1.update_authorizer(**named, patchOperations=patch))

    assert create == update == (BAD, text)
    assert place.v1.get_authorizer(**named)["identityValidationExpression"] == "^[a-z]+$"


def test_wrong_path_of_another_object_is_an_invalid_patch_path(place: Place) -> None:
    """All others share the words."""
    code, text = _refused(
        lambda: place.v1.update_rest_api(restApiId=place.api, patchOperations=replace("/nonsense", "x"))
    )

    assert (code, text[:30]) == (BAD, "Invalid patch path '/nonsense'")


def test_not_found_of_v2_names_the_kind_of_resource(place: Place) -> None:
    """A further member, which v1 does not have."""
    with pytest.raises(ClientError) as caught:
        place.v2.get_route(ApiId=place.http, RouteId="nobody")

    assert caught.value.response["ResourceType"] == "Route"  # type: ignore[typeddict-item, unused-ignore]


@pytest.mark.parametrize(
    "call",
    [
        lambda place: place.v1.get_api_keys(),
        lambda place: place.v1.import_rest_api(body=b"{}"),
        lambda place: place.v1.flush_stage_cache(restApiId=place.api, stageName="prod"),
        lambda place: place.v2.export_api(ApiId=place.http, Specification="OAS30", OutputType="JSON"),
        lambda place: place.account.acm.list_tags_for_certificate(
            CertificateArn="arn:aws:acm:us-east-1:1:certificate/1"
        ),
        lambda place: place.v1.get_domain_name_access_associations(),
    ],
)
def test_what_is_not_emulated_is_a_501(call: Callable[[Place], Any], place: Place) -> None:
    """Nothing is accepted and dropped in silence; the message names method and path."""
    code, text = _refused(lambda: call(place))
    answer = place.account.answers[-1]

    assert (code, answer.operation, answer.error) == (("NotImplementedException", 501), None, "NotImplementedException")
    assert text.startswith(("Not emulated: GET /", "Not emulated: POST /", "Not emulated: DELETE /"))


@pytest.mark.parametrize(
    "call",
    [
        lambda place: place.v1.create_rest_api(name="x", cloneFrom=place.api),
        lambda place: place.v1.create_authorizer(restApiId=place.api, name="x", type="COGNITO_USER_POOLS"),
        lambda place: place.v2.create_authorizer(
            ApiId=place.http, Name="x", AuthorizerType="JWT", IdentitySource=["x"]
        ),
        lambda place: place.put(uri="https://localhost/", connectionType="VPC_LINK", connectionId="x"),
    ],
)
def test_member_that_would_have_to_be_ignored_is_a_501(call: Callable[[Place], Any], place: Place) -> None:
    """The operation is there, and what it was asked for is not."""
    code, text = _refused(lambda: call(place))

    assert (code, text.endswith("is not emulated")) == (("NotImplementedException", 501), True)


def test_request_authorizer_with_a_ttl_needs_an_identity_source(place: Place) -> None:
    """What would it cache by?"""
    members = {"restApiId": place.api, "type": "REQUEST", "authorizerUri": FUNCTION}
    code, _ = _refused(lambda: place.v1.create_authorizer(**members, name="default of 300"))
    created = place.v1.create_authorizer(**members, name="off", authorizerResultTtlInSeconds=0)

    assert (code, created["authorizerResultTtlInSeconds"]) == (BAD, 0)
