"""The control plane without the SDK: what Python code and the HTTP layer use of it, and apigatewayv2's rules."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_mtls.harness.gateway.control_plane import ControlPlane, refusal
from pytest_mtls.harness.gateway.errors import ApiError, bad_request
from pytest_mtls.harness.gateway.model import HttpApi, TestInvoke
from pytest_mtls.harness.gateway.shapes import Misfit, declared
from pytest_mtls.harness.gateway.state import State


@pytest.fixture
def plane() -> ControlPlane:
    """Over a fresh state."""
    return ControlPlane(State())


def _rest(plane: ControlPlane) -> dict[str, str]:
    """A REST API with a method ANY at its root: its place."""
    created = plane.perform("CreateRestApi", name="x")
    place = {"restApiId": created["id"], "resourceId": created["rootResourceId"], "httpMethod": "ANY"}
    plane.perform("PutMethod", **place, authorizationType="NONE")
    plane.perform("PutIntegration", **place, type="HTTP_PROXY", integrationHttpMethod="ANY", uri="https://localhost/")
    return place


# --- finding, performing


@pytest.mark.parametrize(
    ("method", "path", "headers", "query", "name"),
    [
        ("POST", "/clientcertificates", {}, "", "GenerateClientCertificate"),
        ("POST", "/restapis/a/resources/b", {}, "", "CreateResource"),
        ("POST", "/restapis/a/resources/b/methods/GET", {}, "", "TestInvokeMethod"),
        ("PUT", "/restapis/a/resources/b/methods/GET", {}, "", "PutMethod"),
        ("GET", "/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2Fa", {}, "", "GetTags"),
        ("GET", "/tags/arn:aws:apigateway:us-east-1::/restapis/a", {}, "", "GetTags"),
        ("GET", "/v2/apis/a/stages/%24default", {}, "", "GetStage"),
        ("POST", "/", {"X-AMZ-TARGET": "CertificateManager.ListCertificates"}, "", "ListCertificates"),
        ("POST", "/restapis", {}, "", "CreateRestApi"),
        ("POST", "/restapis", {}, "mode=import", None),
        ("POST", "/", {"x-amz-target": "CertificateManager.Nonsense"}, "", None),
        ("POST", "/", {}, "", None),
        ("GET", "/restapis//stages", {}, "", None),
        ("PUT", "/clientcertificates", {}, "", None),
    ],
)
def test_operation_is_found_by_method_path_and_target(
    method: str, path: str, headers: dict[str, str], query: str, name: str | None, plane: ControlPlane
) -> None:
    """None for what is not emulated."""
    found = plane.find(method, path, headers, query)

    assert (None if found is None else found.name) == name


def test_perform_answers_what_the_wire_would(plane: ControlPlane) -> None:
    """The same functions, one code."""
    created = plane.perform("CreateRestApi", name="x", tags={"a": "b"})

    assert plane.perform("GetRestApi", restApiId=created["id"]) == created
    assert plane.perform("GetRestApis", limit=1) == {"item": [created]}
    assert plane.perform("DeleteRestApi", restApiId=created["id"]) == {}


def test_perform_raises_the_refusal(plane: ControlPlane) -> None:
    """With code and status."""
    with pytest.raises(ApiError) as caught:
        plane.perform("GetRestApi", restApiId="nobody")

    assert (caught.value.code, caught.value.status) == ("NotFoundException", 404)


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("GetNonsense", {}),
        ("GetRestApi", {}),
        ("GetRestApi", {"restApiId": "a", "nonsense": 1}),
        ("TestInvokeMethod", {"restApiId": "{api}", "resourceId": "{root}", "httpMethod": "GET"}),
    ],
)
def test_slip_of_the_programmer_is_a_type_error(name: str, members: dict[str, Any], plane: ControlPlane) -> None:
    """Not a refusal of the gateway's."""
    place = _rest(plane)
    members = {
        key: place[{"{api}": "restApiId", "{root}": "resourceId"}[value]] if str(value).startswith("{") else value
        for key, value in members.items()
    }
    with pytest.raises(TypeError):
        plane.perform(name, **members)


def test_test_invoke_is_handed_to_the_data_plane(plane: ControlPlane) -> None:
    """With all that the call said, and the method that answers for the verb."""
    place = {**_rest(plane), "httpMethod": "POST"}
    certificate = plane.perform("GenerateClientCertificate")["clientCertificateId"]
    body = b'{"body": "x", "headers": {"a": "b"}, "clientCertificateId": "%s"}' % certificate.encode()
    path = f"/restapis/{place['restApiId']}/resources/{place['resourceId']}/methods/POST"
    found = plane.handle("POST", path, "", {}, body)

    assert isinstance(found, TestInvoke)
    assert found == plane.prepare_test(**place, body="x", headers={"a": "b"}, clientCertificateId=certificate)
    assert (found.http_method, found.method.http_method, found.client_certificate) == ("POST", "ANY", certificate)


def test_refusal_for_too_many_requests_says_when_to_try_again(plane: ControlPlane) -> None:
    """Also an injected one."""
    operation = plane.find("GET", "/restapis", {})
    assert operation is not None
    answer = refusal(ApiError("TooManyRequestsException", "Too Many Requests"), operation)

    assert (answer.status, answer.headers["Retry-After"], answer.operation) == (429, "1", "GetRestApis")


def test_acm_has_no_bad_request(plane: ControlPlane) -> None:
    """Its refusals have a name of their own, in the body too."""
    operation = plane.find("POST", "/", {"X-Amz-Target": "CertificateManager.GetCertificate"})
    assert operation is not None
    answer = refusal(bad_request("x"), operation)

    assert (answer.error, b'"__type": "ValidationException"' in answer.body) == ("ValidationException", True)
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"


def test_reset_drops_everything(plane: ControlPlane) -> None:
    """And settings and clock go back."""
    state = plane._state
    _rest(plane)
    plane.perform("GenerateClientCertificate")
    plane.perform("CreateApi", "apigatewayv2", name="x", protocolType="HTTP")
    state.settings = state.settings.changed({"redeploy_required": True})
    state.reset()

    assert (state.rest_apis, state.http_apis, state.client_certificates) == ({}, {}, {})
    assert not state.settings.redeploy_required


# --- apigatewayv2


def _http(plane: ControlPlane, **members: Any) -> str:
    name: str = plane.perform("CreateApi", "apigatewayv2", **{"name": "x", "protocolType": "HTTP", **members})["apiId"]
    return name


def _second(plane: ControlPlane, name: str, /, **members: Any) -> dict[str, Any]:
    return plane.perform(name, "apigatewayv2", **members)


def _api(plane: ControlPlane, name: str) -> HttpApi:
    return plane._state.http_apis[name]


def test_target_makes_integration_route_and_stage(plane: ControlPlane) -> None:
    """Ready to be called, on a deployment of its own."""
    api = _api(plane, _http(plane, target="https://localhost:8443/"))
    stage = api.stages["$default"]
    deployment = api.deployments[stage.deployment_id or ""]
    (route,) = deployment.routes
    (integration,) = deployment.integrations.values()

    assert (stage.auto_deploy, deployment.auto, route.key) == (True, True, "$default")
    assert (integration.type, integration.uri) == ("HTTP_PROXY", "https://localhost:8443/")
    assert route.target == f"integrations/{integration.id}"


def test_auto_deployed_stage_follows_each_change_of_routes_and_integrations(plane: ControlPlane) -> None:
    """A new deployment each time; a stage that is not auto-deployed stays."""
    name = _http(plane)
    _second(plane, "CreateStage", apiId=name, stageName="auto", autoDeploy=True)
    _second(plane, "CreateStage", apiId=name, stageName="still")
    seen = [_api(plane, name).stages["auto"].deployment_id]
    integration = _second(
        plane, "CreateIntegration", apiId=name, integrationType="HTTP_PROXY", integrationUri="https://localhost/"
    )["integrationId"]
    seen.append(_api(plane, name).stages["auto"].deployment_id)
    route = _second(plane, "CreateRoute", apiId=name, routeKey="GET /x", target=f"integrations/{integration}")[
        "routeId"
    ]
    seen.append(_api(plane, name).stages["auto"].deployment_id)
    _second(plane, "DeleteRoute", apiId=name, routeId=route)
    seen.append(_api(plane, name).stages["auto"].deployment_id)

    assert None not in seen
    assert len(set(seen)) == 4
    assert _api(plane, name).stages["still"].deployment_id is None
    assert _api(plane, name).deployments[seen[2] or ""].routes[0].key == "GET /x"
    assert _api(plane, name).deployments[seen[3] or ""].routes == ()


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("CreateIntegration", {"integrationType": "HTTP", "integrationUri": "https://localhost/"}),
        ("CreateIntegration", {"integrationType": "HTTP_PROXY", "integrationUri": "https://localhost:22/"}),
        (
            "CreateIntegration",
            {"integrationType": "HTTP_PROXY", "integrationUri": "https://a/", "timeoutInMillis": 30_001},
        ),
        ("CreateRoute", {"routeKey": "nonsense"}),
        ("CreateRoute", {"routeKey": "GET /", "target": "integrations/nobody"}),
        ("CreateRoute", {"routeKey": "GET /", "authorizationType": "CUSTOM"}),
        ("CreateStage", {"stageName": "a b"}),
        ("CreateStage", {"stageName": "x", "deploymentId": "nobody"}),
        ("CreateStage", {"stageName": "x", "clientCertificateId": "abcdef"}),
        ("CreateAuthorizer", {"name": "x", "authorizerType": "REQUEST", "identitySource": [], "authorizerUri": "x"}),
    ],
)
def test_unfit_part_of_an_http_api_is_refused(name: str, members: dict[str, Any], plane: ControlPlane) -> None:
    """400, and nothing of it stays."""
    api = _http(plane)
    before = _api(plane, api)
    with pytest.raises(ApiError) as caught:
        _second(plane, name, apiId=api, **members)

    assert (caught.value.code, _api(plane, api)) == ("BadRequestException", before)


def test_integration_in_use_cannot_be_deleted(plane: ControlPlane) -> None:
    """A route would lead nowhere."""
    api = _http(plane, target="https://localhost/")
    (integration,) = _api(plane, api).integrations
    with pytest.raises(ApiError) as caught:
        _second(plane, "DeleteIntegration", apiId=api, integrationId=integration)

    assert caught.value.status == 409


def test_deployment_in_use_cannot_be_deleted(plane: ControlPlane) -> None:
    """As in v1."""
    api = _http(plane, target="https://localhost/")
    (deployment,) = _api(plane, api).deployments
    with pytest.raises(ApiError, match="Active stages pointing to this deployment"):
        _second(plane, "DeleteDeployment", apiId=api, deploymentId=deployment)


def test_ids_have_the_lengths_of_awss(plane: ControlPlane) -> None:
    """Lower-case letters and digits."""
    place = _rest(plane)
    api = _http(plane, target="https://localhost/")
    found = _api(plane, api)
    ids = {
        "api": (place["restApiId"], 10),
        "root": (place["resourceId"], 10),
        "http api": (api, 10),
        "route": (next(iter(found.routes)), 7),
        "integration": (next(iter(found.integrations)), 7),
        "deployment": (next(iter(found.deployments)), 6),
        "certificate": (plane.perform("GenerateClientCertificate")["clientCertificateId"], 6),
    }

    assert {what: len(name) for what, (name, _) in ids.items()} == {what: size for what, (_, size) in ids.items()}
    assert all(name.isalnum() and name == name.lower() for name, _ in ids.values())


# --- declarations


def test_declaration_says_names_types_and_what_is_required() -> None:
    """The small language of the table."""
    shape = declared("name* as=wire:int list:[string] map:<bool> word:A|B box:{inner*}")
    found = shape.check(
        {"name": "x", "wire": 1, "list": ["a"], "map": {"k": True}, "word": "B", "box": {"inner": "y"}}, ""
    )

    assert found == {"name": "x", "as": 1, "list": ["a"], "map": {"k": True}, "word": "B", "box": {"inner": "y"}}


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"name": True},
        {"name": "x", "wire": "1"},
        {"name": "x", "wire": True},
        {"name": "x", "list": "a"},
        {"name": "x", "list": [None]},
        {"name": "x", "word": "C"},
        {"name": "x", "box": {}},
        {"name": "x", "box": []},
    ],
)
def test_value_of_another_shape_is_refused(value: Any) -> None:
    """Missing, ill-typed, or no word of the enumeration."""
    shape = declared("name* as=wire:int list:[string] word:A|B box:{inner*}")
    with pytest.raises(Misfit):
        shape.check(value, "")


@pytest.mark.parametrize("text", ["a:[string", "a:{b", "a}"])
def test_slip_in_a_declaration_is_noticed(text: str) -> None:
    """At import, by the first who runs it."""
    with pytest.raises(ValueError, match="in the declaration"):
        declared(text)
