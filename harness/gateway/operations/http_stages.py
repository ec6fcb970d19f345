"""Stages of HTTP and WebSocket APIs; only a WebSocket API's can have a client certificate."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..certificates import check_attachable
from ..errors import bad_request, conflict
from ..model import HttpApi, HttpStage
from ..state import State
from .http_lookups import part_of, redeployed, with_stage
from .table import Call, operation

__all__ = ["new_stage", "rendered"]

_ALL = "/v2/apis/{apiId}/stages"
_PATH = "/v2/apis/{apiId}/stages/{stageName}"
_STORED = "accessLogSettings defaultRouteSettings routeSettings"
_FIELDS = {
    "autoDeploy": "auto_deploy",
    "deploymentId": "deployment_id",
    "description": "description",
    "stageVariables": "variables",
}
_ROUTE_SETTINGS = """{dataTraceEnabled:bool detailedMetricsEnabled:bool loggingLevel:ERROR|INFO|OFF
    throttlingBurstLimit:int throttlingRateLimit:number}"""
_MEMBERS = f"""accessLogSettings:{{destinationArn format}} autoDeploy:bool clientCertificateId
    defaultRouteSettings:{_ROUTE_SETTINGS} deploymentId description routeSettings:<{_ROUTE_SETTINGS}>
    stageVariables:<string>"""


def rendered(one: HttpStage) -> dict[str, Any]:
    """The stage's members."""
    return {
        "stageName": one.name,
        "deploymentId": one.deployment_id,
        "autoDeploy": one.auto_deploy,
        "clientCertificateId": one.client_certificate,
        "description": one.description,
        "stageVariables": dict(one.variables),
        "defaultRouteSettings": {"detailedMetricsEnabled": False},
        "routeSettings": {},
        "createdDate": one.created,
        "lastUpdatedDate": one.updated,
        "tags": dict(one.tags),
        **one.stored,
    }


def new_stage(api: HttpApi, name: str, now: datetime) -> HttpStage:
    """A stage without deployment; raises BadRequestException for a name that cannot be."""
    allowed = r"\$default|[A-Za-z0-9_-]{1,128}" if api.protocol == "HTTP" else r"[A-Za-z0-9_-]{1,128}"
    if not re.fullmatch(allowed, name):
        raise bad_request(f"Stage name only allows a-zA-Z0-9_- and 1 to 128 characters: {name}")
    return HttpStage(name=name, created=now, updated=now)


def _changed(state: State, api: HttpApi, before: HttpStage, call: Call) -> HttpApi:
    """*api* with the stage as the call wants it; raises BadRequestException for what cannot be."""
    stage = replace(
        before,
        **call.given(_FIELDS),
        client_certificate=_certificate(state, api, before, call),
        stored={**before.stored, **call.stored(_STORED)},
    )
    if call.has("deploymentId"):
        if stage.auto_deploy:
            raise bad_request("Deployment ID cannot be set on stage when AutoDeploy is enabled.")
        if stage.deployment_id not in api.deployments:
            raise bad_request("Deployment id does not exist")
    api = with_stage(api, stage)
    # A stage that begins to deploy by itself begins with what there is.
    return redeployed(state, api) if stage.auto_deploy and not before.auto_deploy else api


def _certificate(state: State, api: HttpApi, before: HttpStage, call: Call) -> str | None:
    if not call.has("clientCertificateId"):
        return before.client_certificate
    wanted: str = call["clientCertificateId"]
    if wanted and api.protocol != "WEBSOCKET":
        raise bad_request("Client certificates are supported only for stages of WebSocket APIs")
    if wanted and wanted != before.client_certificate:
        check_attachable(state, wanted)
    return wanted or None


@operation("apigatewayv2", "CreateStage", "POST", _ALL, 201, body=f"{_MEMBERS} stageName* tags:<string>")
def _create(state: State, call: Call) -> dict[str, Any]:
    api = state.http_api(call["apiId"])
    stage = replace(new_stage(api, call["stageName"], state.now()), tags=call.get("tags", {}))
    if stage.name in api.stages:
        raise conflict("Stage already exists")
    api = _changed(state, api, stage, call)
    state.http_apis[api.id] = api
    return rendered(api.stages[stage.name])


@operation("apigatewayv2", "GetStage", "GET", _PATH, 200)
def _get(state: State, call: Call) -> dict[str, Any]:
    return rendered(part_of(state.http_api(call["apiId"]).stages, call["stageName"], "Stage"))


@operation("apigatewayv2", "GetStages", "GET", _ALL, 200, query="maxResults nextToken")
def _list(state: State, call: Call) -> dict[str, Any]:
    return call.page(state.http_api(call["apiId"]).stages, rendered)


@operation("apigatewayv2", "UpdateStage", "PATCH", _PATH, 200, body=_MEMBERS)
def _update(state: State, call: Call) -> dict[str, Any]:
    api = state.http_api(call["apiId"])
    before = part_of(api.stages, call["stageName"], "Stage")
    api = _changed(state, api, replace(before, updated=state.now()), call)
    state.http_apis[api.id] = api
    state.changed()
    return rendered(api.stages[before.name])


@operation("apigatewayv2", "DeleteStage", "DELETE", _PATH, 204)
def _delete(state: State, call: Call) -> None:
    api = state.http_api(call["apiId"])
    gone = part_of(api.stages, call["stageName"], "Stage").name
    state.http_apis[api.id] = replace(api, stages={name: one for name, one in api.stages.items() if name != gone})
    state.changed()
