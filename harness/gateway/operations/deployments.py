"""Deployments of REST APIs: snapshots that stages run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..errors import bad_request
from ..ids import SHORT, new_id
from ..model import Deployment, RestApi
from ..state import State
from ..switching import brought_into_force
from .lookups import deployment_of, with_stage
from .stages import CACHE_SIZE, new_stage
from .table import Call, not_emulated, operation

__all__ = ["rendered"]

_ALL = "/restapis/{restApiId}/deployments"
_PATH = "/restapis/{restApiId}/deployments/{deploymentId}"


def rendered(one: Deployment, *, embed: Sequence[str] = ()) -> dict[str, Any]:
    """The deployment's members; with *embed* ``apisummary`` also its methods by path and verb."""
    summary = {
        resource.path: {
            verb: {"authorizationType": method.authorization_type, "apiKeyRequired": method.api_key_required}
            for verb, method in resource.methods.items()
        }
        for resource in one.resources
        if resource.methods
    }
    return {
        "id": one.id,
        "description": one.description,
        "createdDate": one.created,
        "apiSummary": summary if "apisummary" in embed else None,
    }


@operation(
    "apigateway",
    "CreateDeployment",
    "POST",
    _ALL,
    201,
    body=f"""stageName stageDescription description cacheClusterEnabled:bool {CACHE_SIZE} variables:<string>
        canarySettings:{{percentTraffic:number stageVariableOverrides:<string> useStageCache:bool}}
        tracingEnabled:bool""",
)
def _create(state: State, call: Call) -> dict[str, Any]:
    api = state.rest_api(call["restApiId"])
    if call.has("canarySettings"):
        raise not_emulated("canarySettings of CreateDeployment")
    _check_complete(api)
    deployment = Deployment(
        id=new_id(SHORT, api.deployments),
        created=state.now(),
        resources=tuple(api.resources.values()),
        authorizers=dict(api.authorizers),
        description=call.get("description"),
    )
    api = replace(api, deployments={**api.deployments, deployment.id: deployment}, disabled_in_force=api.disabled)
    if call.get("stageName"):
        api = _staged(state, api, deployment, call)
    state.rest_apis[api.id] = api
    if call.get("stageName"):
        state.changed()
    return rendered(deployment)


def _check_complete(api: RestApi) -> None:
    methods = [method for resource in api.resources.values() for method in resource.methods.values()]
    if not methods:
        raise bad_request("The REST API doesn't contain any methods")
    if any(method.integration is None for method in methods):
        raise bad_request("No integration defined for method")


def _staged(state: State, api: RestApi, deployment: Deployment, call: Call) -> RestApi:
    """*api* with the stage of the call on *deployment*: a new one, or the one there is with its settings kept."""
    name = call["stageName"]
    now = state.now()
    stage = api.stages.get(name) or new_stage(name, deployment.id, now)
    given = call.given(
        {"stageDescription": "description", "variables": "variables", "tracingEnabled": "tracing_enabled"}
    )
    stored = {**stage.stored, **call.stored("cacheClusterEnabled cacheClusterSize")}
    stage = replace(stage, deployment_id=deployment.id, updated=now, stored=stored, **given)
    return with_stage(api, brought_into_force(state, stage))


@operation("apigateway", "GetDeployment", "GET", _PATH, 200, query="embed:[string]")
def _get(state: State, call: Call) -> dict[str, Any]:
    one = deployment_of(state.rest_api(call["restApiId"]), call["deploymentId"])
    return rendered(one, embed=call.get("embed", ()))


@operation("apigateway", "GetDeployments", "GET", _ALL, 200, query="position limit:int")
def _list(state: State, call: Call) -> dict[str, Any]:
    return call.page(state.rest_api(call["restApiId"]).deployments, rendered)


@operation("apigateway", "DeleteDeployment", "DELETE", _PATH, 202)
def _delete(state: State, call: Call) -> None:
    api = state.rest_api(call["restApiId"])
    gone = deployment_of(api, call["deploymentId"]).id
    if any(stage.deployment_id == gone for stage in api.stages.values()):
        raise bad_request("Active stages pointing to this deployment must be moved or deleted")
    kept = {name: deployment for name, deployment in api.deployments.items() if name != gone}
    state.rest_apis[api.id] = replace(api, deployments=kept)
