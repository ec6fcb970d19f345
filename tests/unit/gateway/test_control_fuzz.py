"""Whatever comes in, the control plane answers: a refusal of its own, never an exception."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_mtls.harness.gateway.control_plane import ControlPlane, Fetch
from pytest_mtls.harness.gateway.errors import bad_request
from pytest_mtls.harness.gateway.model import TestInvoke
from pytest_mtls.harness.gateway.operations import OPERATIONS, Operation
from pytest_mtls.harness.gateway.shapes import Shape
from pytest_mtls.harness.gateway.state import State
from pytest_mtls.harness.gateway.wire import Answer
from pytest_mtls.harness.pki.gateway_certificate import gateway_credential
from pytest_mtls.harness.pki.key_pool import KeyPool
from pytest_mtls.harness.pki.keys import new_rsa_key

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_KEY = new_rsa_key()
_FUNCTION = (
    "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
    "arn:aws:lambda:us-east-1:123456789012:function:judge/invocations"
)


_IMPORTED = gateway_credential(key=_KEY, not_before=_NOW)
_CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"
_OBJECTS = {"good.pem": _IMPORTED.certificate_pem, "bad.pem": b"no truststore"}
_LIKELY = {
    "authorizationType": ["NONE"],
    "type": ["HTTP_PROXY", "MOCK", "TOKEN"],
    "uri": ["https://localhost/"],
    "integrationHttpMethod": ["GET"],
    "authorizerUri": [_FUNCTION],
    "regionalCertificateArn": [_CERTIFICATE],
    "certificateArn": [_CERTIFICATE],
    "truststoreUri": ["s3://bucket/good.pem", "s3://bucket/bad.pem", "s3://bucket/none.pem"],
    "Certificate": [base64.b64encode(_IMPORTED.certificate_pem).decode()],
    "PrivateKey": [base64.b64encode(_IMPORTED.key_pem).decode()],
}


class _OneKey(KeyPool):
    def take(self) -> Any:
        return _KEY


class World:
    """A control plane in which every kind of object exists once, by known ids."""

    def __init__(self) -> None:
        self.state = State(real_clock=lambda: _NOW)
        self.plane = ControlPlane(self.state, _OneKey())
        perform = self.plane.perform
        created = perform("CreateRestApi", name="x")
        api, root = created["id"], created["rootResourceId"]
        method = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
        perform("PutMethod", **method, authorizationType="NONE")
        perform("PutIntegration", **method, type="HTTP", integrationHttpMethod="GET", uri="https://localhost/")
        deployment = perform("CreateDeployment", restApiId=api, stageName="prod")["id"]
        certificate = perform("GenerateClientCertificate")["clientCertificateId"]
        authorizer = perform("CreateAuthorizer", restApiId=api, name="x", type="TOKEN", authorizerUri=_FUNCTION)["id"]
        http = perform("CreateApi", "apigatewayv2", name="x", protocolType="WEBSOCKET")["apiId"]
        route = perform("CreateRoute", "apigatewayv2", apiId=http, routeKey="$default")["routeId"]
        integration = perform(
            "CreateIntegration",
            "apigatewayv2",
            apiId=http,
            integrationType="HTTP_PROXY",
            integrationUri="https://localhost/",
        )["integrationId"]
        second = perform("CreateDeployment", "apigatewayv2", apiId=http)["deploymentId"]
        perform("CreateStage", "apigatewayv2", apiId=http, stageName="prod")
        pets = perform("CreateResource", restApiId=api, parentId=root, pathPart="pets")["id"]
        self.plane.perform("PutMethodResponse", **method, statusCode="200")
        self.plane.perform("PutIntegrationResponse", **method, statusCode="200")
        arn = perform("ImportCertificate", "acm", Certificate=_IMPORTED.certificate_pem, PrivateKey=_IMPORTED.key_pem)
        perform("CreateDomainName", domainName="api.example.com")
        perform("CreateBasePathMapping", domainName="api.example.com", restApiId=api, basePath="pets", stage="prod")
        (mapping,) = perform("GetApiMappings", "apigatewayv2", domainName="api.example.com")["items"]
        self.known = {
            **_LIKELY,
            "CertificateArn": [arn["CertificateArn"]],
            "restApiId": [api],
            "resourceId": [root, pets],
            "parentId": [root],
            "httpMethod": ["GET", "PUT", "ANY"],
            "statusCode": ["200"],
            "deploymentId": [deployment, second],
            "stageName": ["prod", "test"],
            "clientCertificateId": [certificate],
            "authorizerId": [authorizer],
            "apiId": [http],
            "routeId": [route],
            "integrationId": [integration],
            "domainName": ["api.example.com", "*.example.com"],
            "basePath": ["pets", "(none)", "cats"],
            "apiMappingId": [mapping["apiMappingId"]],
            "stage": ["prod"],
            "resourceArn": [f"arn:aws:apigateway:us-east-1::/restapis/{api}"],
        }


_texts = st.text(max_size=12) | st.sampled_from(
    [
        "",
        "NONE",
        "CUSTOM",
        "HTTP",
        "$default",
        "GET /",
        "{proxy+}",
        "https://localhost/",
        "true",
        "5000",
        "arn:aws:acm:::",
    ]
)
_anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
_paths = st.sampled_from(
    [
        "/name",
        "/description",
        "/disableExecuteApiEndpoint",
        "/clientCertificateId",
        "/deploymentId",
        "/variables/x",
        "/tracingEnabled",
        "/uri",
        "/httpMethod",
        "/timeoutInMillis",
        "/requestParameters/integration.request.header.x",
        "/tlsConfig/insecureSkipVerification",
        "/pathPart",
        "/parentId",
        "/authorizationType",
        "/authorizerId",
        "/apiKeyRequired",
        "/type",
        "/identitySource",
        "/authorizerResultTtlInSeconds",
        "/authorizerUri",
        "/*/*/throttling/rateLimit",
        "/*/*",
        "/accessLogSettings",
        "/canarySettings/percentTraffic",
        "/canarySettings/stageVariableOverrides/x",
        "/mutualTlsAuthentication/truststoreUri",
        "/mutualTlsAuthentication/truststoreVersion",
        "/securityPolicy",
        "/endpointConfiguration/types/REGIONAL",
        "/basePath",
        "/restapiId",
        "/stage",
    ]
)


def _of(shape: Shape, name: str, world: World) -> st.SearchStrategy[Any]:
    """Mostly what fits *shape*, so that the fuzz comes past the checks of types."""
    if name == "patchOperations":
        one = st.fixed_dictionaries(
            {
                "op": st.sampled_from(["replace", "add", "remove", "move"]),
                "path": _paths | _texts,
                "value": _texts | st.none(),
            }
        )
        return st.lists(one, max_size=3)
    if shape.kind == "structure":
        members = {one.wire: _of(one.shape, one.name, world) for one in shape.members.values()}
        required = {key for key, one in zip(members, shape.members.values(), strict=True) if one.required}
        return st.fixed_dictionaries(
            {key: value for key, value in members.items() if key in required},
            optional={key: value for key, value in members.items() if key not in required},
        )
    if shape.kind in ("list", "map"):
        assert shape.of is not None
        inner = _of(shape.of, "", world)
        return st.lists(inner, max_size=2) if shape.kind == "list" else st.dictionaries(_texts, inner, max_size=2)
    simple: dict[str, st.SearchStrategy[Any]] = {
        "int": st.integers(-1, 40_000),
        "number": st.floats(allow_nan=False, allow_infinity=False),
        "bool": st.booleans(),
        "blob": st.sampled_from(["", "AAAA", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"]),
    }
    if name in world.known:
        return _mostly(world.known[name])
    return simple.get(shape.kind, st.sampled_from(shape.values or ("x",)) | _texts)


def _mostly(words: list[str]) -> st.SearchStrategy[str]:
    """One of *words*, and now and then something else: a call has many members, and each must fit for it to succeed."""
    return st.integers(0, 9).flatmap(lambda dice: st.sampled_from(words) if dice else _texts)


def _body(operation: Operation, world: World, data: st.DataObject) -> bytes:
    if data.draw(st.integers(0, 4)):
        return json.dumps(data.draw(_of(operation.body, "", world))).encode()
    return data.draw(st.binary(max_size=20) | _anything.map(lambda value: json.dumps(value).encode()))


def _is_proper(answer: Answer | TestInvoke | Fetch[Answer]) -> None:
    while isinstance(answer, Fetch):
        content = _OBJECTS.get(answer.location.key)
        answer = answer.again(bad_request("no such object") if content is None else content)
    if isinstance(answer, TestInvoke):
        return
    assert answer.status in (200, 201, 202, 204, 400, 404, 409, 429, 501)
    found = json.loads(answer.body, parse_constant=pytest.fail) if answer.body else {}
    assert isinstance(found, dict)
    if answer.status >= 400:
        assert answer.headers["x-amzn-ErrorType"] == answer.error
        assert isinstance(found["message"], str)
    assert b"PRIVATE KEY" not in answer.body


_EVERY = st.sampled_from(sorted(OPERATIONS))
_fuzz = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


@_fuzz
@given(st.data())
def test_any_members_of_any_operation_get_a_proper_answer(data: st.DataObject) -> None:
    """Three in a row on one state, so that they meet what the others left."""
    world = World()
    for _ in range(3):
        service, name = data.draw(_EVERY)
        operation = OPERATIONS[service, name]
        path = operation.path
        for parameter in operation.parameters:
            value = data.draw(_mostly(world.known[parameter]), label=parameter)
            path = path.replace(f"{{{parameter}}}", quote(value, safe="")).replace(
                f"{{{parameter}+}}", quote(value, safe="")
            )
        query = data.draw(
            _texts | st.sampled_from(["limit=2", "position=x", "embed=methods", "maxResults=2", "tagKeys=a"])
        )
        headers = {"X-Amz-Target": f"CertificateManager.{name}"} if service == "acm" else {}
        _is_proper(world.plane.handle(operation.method, path, query, headers, _body(operation, world, data)))


_WORLD = World()


@_fuzz
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]) | st.text(max_size=5),
    path=st.text(max_size=30) | st.lists(_texts, max_size=6).map(lambda parts: "/" + "/".join(parts)),
    query=st.text(max_size=20),
    target=st.none() | st.text(max_size=20).map(lambda text: f"CertificateManager.{text}"),
    body=st.binary(max_size=30),
)
def test_any_request_gets_a_proper_answer(method: str, path: str, query: str, target: str | None, body: bytes) -> None:
    """Also one that no SDK would send."""
    headers = {} if target is None else {"x-amz-target": target}
    _is_proper(_WORLD.plane.handle(method, path, query, headers, body))


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"name": ' * 50_000,
        b'{"name": 1e999}',
        b'{"name": NaN}',
        b"[]",
        b'"x"',
        b"{",
        b"\xff\xfe",
        b'{"name": "x", "name": 5}',
        b'{"minimumCompressionSize": ' + b"9" * 10_000 + b', "name": "x"}',
    ],
)
def test_bad_json_is_a_bad_request(body: bytes) -> None:
    """However it is bad."""
    answer = _WORLD.plane.handle("POST", "/restapis", "", {}, body)

    assert isinstance(answer, Answer)
    assert (answer.status, answer.error) == (400, "BadRequestException")


def test_missing_and_ill_typed_members_are_named() -> None:
    """So that the caller finds the slip."""

    def message(body: dict[str, Any]) -> str:
        answer = _WORLD.plane.handle("POST", "/restapis", "", {}, json.dumps(body).encode())
        assert isinstance(answer, Answer)
        return str(json.loads(answer.body)["message"])

    assert message({}) == "Missing required member: name"
    assert message({"name": 5}) == "Invalid value for name: expected a string, saw a number"
    assert message({"name": "x", "tags": {"a": 1}}) == "Invalid value for tags.a: expected a string, saw a number"
    assert message({"name": None}) == "Missing required member: name"


def test_unknown_members_are_ignored() -> None:
    """As AWS does."""
    answer = World().plane.handle("POST", "/restapis", "", {}, b'{"name": "x", "nonsense": [1]}')

    assert isinstance(answer, Answer)
    assert (answer.status, b"nonsense" in answer.body) == (201, False)
