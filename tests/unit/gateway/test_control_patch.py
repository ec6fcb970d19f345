"""patchOperations: each path, all or nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_mtls.harness.gateway.control_plane import ControlPlane
from pytest_mtls.harness.gateway.errors import ApiError
from pytest_mtls.harness.gateway.state import State
from pytest_mtls.harness.gateway.wire import Answer

FUNCTION = (
    "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
    "arn:aws:lambda:us-east-1:123456789012:function:judge/invocations"
)


class Api:
    """A REST API with a resource, a method, an integration and a stage."""

    def __init__(self) -> None:
        self.state = State()
        self.plane = ControlPlane(self.state)
        created = self.perform("CreateRestApi", name="x")
        self.api, self.root = created["id"], created["rootResourceId"]
        self.pets = self.resource(self.root, "pets")
        self.method = {"restApiId": self.api, "resourceId": self.pets, "httpMethod": "GET"}
        self.perform("PutMethod", **self.method, authorizationType="NONE")
        self.perform(
            "PutIntegration", **self.method, type="HTTP", integrationHttpMethod="GET", uri="https://localhost/"
        )
        self.perform("CreateDeployment", restApiId=self.api, stageName="prod")

    def perform(self, name: str, /, **members: Any) -> dict[str, Any]:
        """An operation of v1."""
        return self.plane.perform(name, **members)

    def resource(self, parent: str, part: str) -> str:
        """The id of a new resource."""
        name: str = self.perform("CreateResource", restApiId=self.api, parentId=parent, pathPart=part)["id"]
        return name

    def patch(self, name: str, *operations: tuple[str, str, str | None]) -> dict[str, Any]:
        """An Update operation with these (op, path, value)."""
        place: dict[str, str] = {"restApiId": self.api}
        if name in ("UpdateMethod", "UpdateIntegration"):
            place = self.method
        elif name == "UpdateStage":
            place["stageName"] = "prod"
        elif name == "UpdateResource":
            place["resourceId"] = self.pets
        patch = [{"op": op, "path": path, "value": value} for op, path, value in operations]
        return self.perform(name, **place, patchOperations=patch)

    def paths(self) -> set[str]:
        """The paths of all resources."""
        return {one.path for one in self.state.rest_apis[self.api].resources.values()}


@pytest.fixture
def api() -> Api:
    """A fresh one."""
    return Api()


CASES: list[tuple[str, str, str, str, Any]] = [
    ("UpdateRestApi", "replace", "/name", "other", {"name": "other"}),
    ("UpdateRestApi", "replace", "/description", "other", {"description": "other"}),
    ("UpdateRestApi", "replace", "/disableExecuteApiEndpoint", "True", {"disableExecuteApiEndpoint": True}),
    ("UpdateResource", "replace", "/pathPart", "cats", {"pathPart": "cats", "path": "/cats"}),
    ("UpdateMethod", "replace", "/authorizationType", "AWS_IAM", {"authorizationType": "AWS_IAM"}),
    ("UpdateMethod", "replace", "/apiKeyRequired", "TRUE", {"apiKeyRequired": True}),
    ("UpdateIntegration", "replace", "/uri", "https://localhost:8443/x", {"uri": "https://localhost:8443/x"}),
    ("UpdateIntegration", "replace", "/httpMethod", "POST", {"httpMethod": "POST"}),
    ("UpdateIntegration", "replace", "/timeoutInMillis", "50", {"timeoutInMillis": 50}),
    (
        "UpdateIntegration",
        "replace",
        "/tlsConfig/insecureSkipVerification",
        "true",
        {"tlsConfig": {"insecureSkipVerification": True}},
    ),
    (
        "UpdateIntegration",
        "add",
        "/requestParameters/integration.request.querystring.a~1b",
        "'x'",
        {"requestParameters": {"integration.request.querystring.a/b": "'x'"}},
    ),
    ("UpdateStage", "replace", "/description", "other", {"description": "other"}),
    ("UpdateStage", "replace", "/tracingEnabled", "true", {"tracingEnabled": True}),
    ("UpdateStage", "replace", "/variables/host", "localhost", {"variables": {"host": "localhost"}}),
    ("UpdateStage", "replace", "/cacheClusterEnabled", "true", {"cacheClusterEnabled": True}),
    (
        "UpdateStage",
        "replace",
        "/*/*/throttling/rateLimit",
        "2.5",
        {"methodSettings": {"*/*": {"throttlingRateLimit": 2.5}}},
    ),
    (
        "UpdateStage",
        "replace",
        "/pets~1{id}/GET/logging/loglevel",
        "INFO",
        {"methodSettings": {"pets/{id}/GET": {"loggingLevel": "INFO"}}},
    ),
    ("UpdateStage", "add", "/accessLogSettings/format", "x", {"accessLogSettings": {"format": "x"}}),
]


@pytest.mark.parametrize(
    ("name", "op", "path", "value", "members"), CASES, ids=[f"{case[0]}{case[2]}" for case in CASES]
)
def test_patch_shows_in_the_answer(name: str, op: str, path: str, value: str, members: Any, api: Api) -> None:
    """The answer of a PATCH is the whole object."""
    answer = api.patch(name, (op, path, value))

    assert {member: answer[member] for member in members} == members


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("UpdateRestApi", ("replace", "/name", "other"), ("replace", "/nonsense", "x")),
        ("UpdateRestApi", ("replace", "/name", "other"), ("replace", "/disableExecuteApiEndpoint", "maybe")),
        ("UpdateResource", ("replace", "/pathPart", "cats"), ("replace", "/parentId", "nobody")),
        ("UpdateMethod", ("replace", "/apiKeyRequired", "true"), ("replace", "/authorizationType", "NONSENSE")),
        ("UpdateIntegration", ("replace", "/httpMethod", "PUT"), ("replace", "/timeoutInMillis", "1")),
        ("UpdateIntegration", ("replace", "/httpMethod", "PUT"), ("add", "/uri", "https://localhost/")),
        ("UpdateIntegration", ("replace", "/httpMethod", "PUT"), ("remove", "/requestParameters/x", None)),
        ("UpdateStage", ("replace", "/description", "other"), ("replace", "/deploymentId", "nobody")),
        ("UpdateStage", ("replace", "/variables/a", "b"), ("replace", "/clientCertificateId", "nobody")),
        ("UpdateStage", ("replace", "/variables/a", "b"), ("replace", "/description", None)),
        ("UpdateStage", ("replace", "/variables/a", "b"), ("copy", "/description", "x")),
        ("UpdateStage", ("replace", "/variables/a", "b"), ("replace", "/*/*/throttling/burstLimit", "many")),
    ],
)
def test_patch_is_all_or_nothing(
    name: str, good: tuple[str, str, str | None], bad: tuple[str, str, str | None], api: Api
) -> None:
    """Whichever of the operations is wrong, none is carried out."""
    before = api.state.rest_apis[api.api]
    for operations in ((good, bad), (bad, good)):
        with pytest.raises(ApiError):
            api.patch(name, *operations)

    assert api.state.rest_apis[api.api] is before


def test_operations_work_in_their_order(api: Api) -> None:
    """The last one wins, and a remove takes away what was there."""
    answer = api.patch(
        "UpdateStage",
        ("replace", "/variables/a", "1"),
        ("replace", "/variables/a", "2"),
        ("replace", "/variables/b", "1"),
        ("remove", "/variables/b", None),
    )

    assert answer["variables"] == {"a": "2"}


def test_removed_parameter_is_gone(api: Api) -> None:
    """add, replace and remove all go here."""
    path = "/requestParameters/integration.request.header.x"
    api.patch("UpdateIntegration", ("add", path, "'1'"), ("replace", path, "'2'"))
    answer = api.patch("UpdateIntegration", ("remove", path, None))

    assert "requestParameters" not in answer


def test_method_settings_can_be_removed(api: Api) -> None:
    """By resource and verb."""
    api.patch("UpdateStage", ("replace", "/pets/GET/metrics/enabled", "true"))
    answer = api.patch("UpdateStage", ("remove", "/pets/GET", None))

    assert answer["methodSettings"] == {}


@pytest.mark.parametrize("path", ["/foo/bar", "/description/x", "/clientCertificateId/", "//", "//GET", "/pets/PUT"])
def test_method_setting_that_is_not_there_cannot_be_removed(path: str, api: Api) -> None:
    """A mistyped path is no success, and what is there stays."""
    api.patch("UpdateStage", ("replace", "/pets/GET/metrics/enabled", "true"))
    with pytest.raises(ApiError, match=rf"^Invalid method setting path: {path}\. Must be one of: ") as caught:
        api.patch("UpdateStage", ("remove", path, None))
    answer = api.perform("GetStage", restApiId=api.api, stageName="prod")

    assert caught.value.status == 400
    assert list(answer["methodSettings"]) == ["pets/GET"]


def test_star_of_a_path_stands_for_no_empty_segment(api: Api) -> None:
    """Neither a resource nor a variable has an empty name."""
    for path in ("///metrics/enabled", "/variables/"):
        with pytest.raises(ApiError, match=r"^Invalid method setting path: "):
            api.patch("UpdateStage", ("replace", path, "true"))


def test_stored_path_of_a_stage_leaves_what_it_stores_elsewhere(api: Api) -> None:
    """Neighbours in one object keep their values."""
    api.patch("UpdateStage", ("replace", "/*/*/metrics/enabled", "true"))
    answer = api.patch("UpdateStage", ("replace", "/*/*/logging/loglevel", "INFO"))

    assert answer["methodSettings"] == {"*/*": {"metricsEnabled": True, "loggingLevel": "INFO"}}


def test_patch_without_operations_changes_nothing(api: Api) -> None:
    """It is no mistake either."""
    before = api.state.rest_apis[api.api]
    answer = api.perform("UpdateRestApi", restApiId=api.api)

    assert (answer["name"], api.state.rest_apis[api.api]) == ("x", before)


@pytest.mark.parametrize("operations", [{}, "x", [5], [{"op": 5}], [{"op": "replace", "path": ["/name"]}]])
def test_ill_typed_operations_are_refused(operations: Any, api: Api) -> None:
    """Before anything else is looked at."""
    body = json.dumps({"patchOperations": operations}).encode()
    answer = api.plane.handle("PATCH", f"/restapis/{api.api}", "", {}, body)

    assert isinstance(answer, Answer)
    assert (answer.status, answer.error) == (400, "BadRequestException")


# --- the tree


def test_renamed_resource_takes_its_children_along(api: Api) -> None:
    """Their paths begin with its part."""
    api.resource(api.resource(api.pets, "{id}"), "toys")
    api.patch("UpdateResource", ("replace", "/pathPart", "cats"))

    assert api.paths() == {"/", "/cats", "/cats/{id}", "/cats/{id}/toys"}


def test_moved_resource_takes_its_children_along(api: Api) -> None:
    """To another parent."""
    api.resource(api.pets, "toys")
    shop = api.resource(api.root, "shop")
    api.patch("UpdateResource", ("replace", "/parentId", shop))

    assert api.paths() == {"/", "/shop", "/shop/pets", "/shop/pets/toys"}


def test_resource_cannot_be_moved_below_itself(api: Api) -> None:
    """It would hang nowhere."""
    toys = api.resource(api.pets, "toys")
    with pytest.raises(ApiError, match="below itself"):
        api.patch("UpdateResource", ("replace", "/parentId", toys))


def test_renamed_resource_must_not_meet_a_sibling(api: Api) -> None:
    """409, as at its making."""
    api.resource(api.root, "cats")
    with pytest.raises(ApiError, match="already has this name: cats") as caught:
        api.patch("UpdateResource", ("replace", "/pathPart", "cats"))

    assert caught.value.status == 409


def test_deleted_resource_takes_its_children_along(api: Api) -> None:
    """Those of the deployed snapshot stay."""
    api.resource(api.pets, "toys")
    api.perform("DeleteResource", restApiId=api.api, resourceId=api.pets)
    (deployment,) = api.state.rest_apis[api.api].deployments.values()

    assert api.paths() == {"/"}
    assert {one.path for one in deployment.resources} == {"/", "/pets"}


@pytest.mark.parametrize("part", ["", "a/b", "{", "{}", "{a+", "a{b}", "é", "{proxy++}"])
def test_path_part_is_refused(part: str, api: Api) -> None:
    """AWS's own rule and text."""
    with pytest.raises(ApiError, match="Resource's path part only allow"):
        api.resource(api.root, part)


# --- disableExecuteApiEndpoint and deployments


def test_disabled_endpoint_waits_for_a_deployment_or_stage_update(api: Api) -> None:
    """Shown at once."""
    api.patch("UpdateRestApi", ("replace", "/disableExecuteApiEndpoint", "true"))
    waiting = api.state.rest_apis[api.api].disabled_in_force
    api.patch("UpdateStage", ("replace", "/description", "x"))
    updated = api.state.rest_apis[api.api].disabled_in_force
    api.patch("UpdateRestApi", ("replace", "/disableExecuteApiEndpoint", "false"))
    api.perform("CreateDeployment", restApiId=api.api)

    assert (waiting, updated, api.state.rest_apis[api.api].disabled_in_force) == (False, True, False)


def test_disabled_endpoint_can_act_at_once(api: Api) -> None:
    """disable_needs_deployment off."""
    api.state.settings = api.state.settings.changed({"disable_needs_deployment": False})
    api.patch("UpdateRestApi", ("replace", "/disableExecuteApiEndpoint", "true"))

    assert api.state.rest_apis[api.api].disabled_in_force


def test_deployment_to_a_stage_keeps_the_stages_settings(api: Api) -> None:
    """It moves, and nothing else."""
    before = api.patch("UpdateStage", ("replace", "/variables/a", "1"), ("replace", "/description", "kept"))
    deployed = api.perform("CreateDeployment", restApiId=api.api, stageName="prod")
    after = api.perform("GetStage", restApiId=api.api, stageName="prod")

    assert after["deploymentId"] == deployed["id"] != before["deploymentId"]
    assert (after["variables"], after["description"]) == ({"a": "1"}, "kept")


def test_deployment_is_a_snapshot(api: Api) -> None:
    """What changes afterwards does not reach it."""
    api.patch("UpdateIntegration", ("replace", "/uri", "https://localhost:8443/other"))
    (deployment,) = api.state.rest_apis[api.api].deployments.values()
    method = next(one.methods["GET"] for one in deployment.resources if one.methods)

    assert method.integration is not None
    assert method.integration.uri == "https://localhost/"


def test_authorizer_is_changed_by_patch_and_kept_while_used(api: Api) -> None:
    """409 while a method asks it."""
    name = api.perform("CreateAuthorizer", restApiId=api.api, name="x", type="TOKEN", authorizerUri=FUNCTION)["id"]
    place = {"restApiId": api.api, "authorizerId": name}
    patch = [
        {"op": "replace", "path": "/type", "value": "REQUEST"},
        {"op": "replace", "path": "/authorizerResultTtlInSeconds", "value": "0"},
        {"op": "replace", "path": "/identitySource", "value": "method.request.header.A, context.path"},
    ]
    changed = api.perform("UpdateAuthorizer", **place, patchOperations=patch)
    api.patch("UpdateMethod", ("replace", "/authorizationType", "CUSTOM"), ("replace", "/authorizerId", name))
    with pytest.raises(ApiError, match="GET /pets") as caught:
        api.perform("DeleteAuthorizer", **place)

    assert caught.value.status == 409
    assert (changed["type"], changed["authorizerResultTtlInSeconds"]) == ("REQUEST", 0)
