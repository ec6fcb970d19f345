"""Deployments of HTTP and WebSocket APIs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import bad_request
from ..model import HttpDeployment
from ..state import State
from .http_lookups import deployed, part_of, with_stage
from .table import Call, operation

__all__ = ["rendered"]

_ALL = "/v2/apis/{apiId}/deployments"
_PATH = "/v2/apis/{apiId}/deployments/{deploymentId}"


def rendered(one: HttpDeployment) -> dict[str, Any]:
    """The deployment's members; the mock deploys at once."""
    return {
        "deploymentId": one.id,
        "autoDeployed": one.auto,
        "createdDate": one.created,
        "deploymentStatus": "DEPLOYED",
        "description": one.description,
    }


@operation("apigatewayv2", "CreateDeployment", "POST", _ALL, 201, body="description stageName")
def _create(state: State, call: Call) -> dict[str, Any]:
    api, one = deployed(state, state.http_api(call["apiId"]), description=call.get("description"))
    if call.has("stageName"):
        stage = part_of(api.stages, call["stageName"], "Stage")
        api = with_stage(api, replace(stage, deployment_id=one.id, updated=state.now()))
    state.http_apis[api.id] = api
    return rendered(one)


@operation("apigatewayv2", "GetDeployment", "GET", _PATH, 200)
def _get(state: State, call: Call) -> dict[str, Any]:
    return rendered(part_of(state.http_api(call["apiId"]).deployments, call["deploymentId"], "Deployment"))


@operation("apigatewayv2", "GetDeployments", "GET", _ALL, 200, query="maxResults nextToken")
def _list(state: State, call: Call) -> dict[str, Any]:
    return call.page(state.http_api(call["apiId"]).deployments, rendered)


@operation("apigatewayv2", "DeleteDeployment", "DELETE", _PATH, 204)
def _delete(state: State, call: Call) -> None:
    api = state.http_api(call["apiId"])
    gone = part_of(api.deployments, call["deploymentId"], "Deployment").id
    if any(stage.deployment_id == gone for stage in api.stages.values()):
        raise bad_request("Active stages pointing to this deployment must be moved or deleted")
    kept = {name: one for name, one in api.deployments.items() if name != gone}
    state.http_apis[api.id] = replace(api, deployments=kept)
