"""Stages of REST APIs: what a deployment runs under, with the client certificate that its integrations present."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..certificates import check_attachable
from ..errors import ApiError, bad_request, conflict, not_found
from ..model import RestApi, Stage
from ..patch import REPLACE, Rule, apply, switch
from ..state import State
from ..switching import attached
from .lookups import deployment_for_stage, stage_of, with_stage
from .stage_settings import SETTINGS_RULES
from .table import PATCH_MEMBERS, Call, operation

__all__ = ["CACHE_SIZE", "new_stage", "rendered"]

_ALL = "/restapis/{restApiId}/stages"
_PATH = "/restapis/{restApiId}/stages/{stageName}"
CACHE_SIZE = "cacheClusterSize:0.5|1.6|6.1|13.5|28.4|58.2|118|237"
"""A member of CreateStage and of CreateDeployment."""
_STORED = "cacheClusterEnabled cacheClusterSize documentationVersion canarySettings"


def rendered(one: Stage) -> dict[str, Any]:
    """The stage's members; ``clientCertificateId`` is what was attached, whether or not it is in force."""
    return {
        "stageName": one.name,
        "deploymentId": one.deployment_id,
        "clientCertificateId": one.client_certificate,
        "description": one.description,
        "variables": dict(one.variables) or None,
        "cacheClusterEnabled": False,
        "cacheClusterStatus": "NOT_AVAILABLE",
        "methodSettings": {},
        "tracingEnabled": one.tracing_enabled,
        "createdDate": one.created,
        "lastUpdatedDate": one.updated,
        "tags": dict(one.tags) or None,
        **one.stored,
    }


def new_stage(name: str, deployment_id: str, now: datetime) -> Stage:
    """A stage with AWS's defaults; raises BadRequestException for a name that cannot be."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", name):
        raise bad_request(f"Stage name only allows a-zA-Z0-9_- and 1 to 128 characters: {name}")
    return Stage(name=name, deployment_id=deployment_id, created=now, updated=now)


@operation(
    "apigateway",
    "CreateStage",
    "POST",
    _ALL,
    201,
    body=f"""stageName* deploymentId* description cacheClusterEnabled:bool {CACHE_SIZE} variables:<string>
        documentationVersion tracingEnabled:bool tags:<string>
        canarySettings:{{percentTraffic:number deploymentId stageVariableOverrides:<string> useStageCache:bool}}""",
)
def _create(state: State, call: Call) -> dict[str, Any]:
    api = state.rest_api(call["restApiId"])
    deployment = deployment_for_stage(api, call["deploymentId"])
    stage = new_stage(call["stageName"], deployment.id, state.now())
    if stage.name in api.stages:
        raise conflict("Stage already exists")
    stage = replace(
        stage,
        description=call.get("description"),
        variables=call.get("variables", {}),
        tracing_enabled=call.get("tracingEnabled", False),
        tags=call.get("tags", {}),
        stored=call.stored(_STORED),
    )
    state.rest_apis[api.id] = with_stage(api, stage)
    return rendered(stage)


@operation("apigateway", "GetStage", "GET", _PATH, 200)
def _get(state: State, call: Call) -> dict[str, Any]:
    return rendered(stage_of(state.rest_api(call["restApiId"]), call["stageName"]))


@operation("apigateway", "GetStages", "GET", _ALL, 200, query="deploymentId")
def _list(state: State, call: Call) -> dict[str, Any]:
    wanted = call.get("deploymentId")
    stages = state.rest_api(call["restApiId"]).stages.values()
    return {"item": [rendered(stage) for stage in stages if wanted in (None, stage.deployment_id)]}


@operation("apigateway", "DeleteStage", "DELETE", _PATH, 202)
def _delete(state: State, call: Call) -> None:
    api = state.rest_api(call["restApiId"])
    gone = stage_of(api, call["stageName"]).name
    kept = {name: stage for name, stage in api.stages.items() if name != gone}
    state.rest_apis[api.id] = replace(api, stages=kept)
    state.changed()


# --- UpdateStage


def _describe(one: Stage, _: Sequence[str], value: str | None) -> Stage:
    return replace(one, description=value)


def _move(one: Stage, _: Sequence[str], value: str | None) -> Stage:
    return replace(one, deployment_id=value or "")


def _trace(one: Stage, _: Sequence[str], value: str | None) -> Stage:
    return replace(one, tracing_enabled=switch(value, "/tracingEnabled"))


def _attach(one: Stage, _: Sequence[str], value: str | None) -> Stage:
    return replace(one, client_certificate=value or None)  # an empty value detaches


def _set_variable(one: Stage, stars: Sequence[str], value: str | None) -> Stage:
    name, kept = stars[0], dict(one.variables)
    if value is not None:
        kept[name] = value
    elif kept.pop(name, None) is None:
        raise not_found(f"Invalid stage variable name specified: {name}")
    return replace(one, variables=kept)


_RULES = (
    Rule("/deploymentId", _move),
    Rule("/description", _describe),
    Rule("/clientCertificateId", _attach),
    Rule("/tracingEnabled", _trace),
    Rule("/variables/*", _set_variable, (*REPLACE, "remove")),
    *SETTINGS_RULES,
)
_KNOWN = ", ".join(
    rule.pattern.replace("/*/*/", "/{resourcePath}/{httpMethod}/").replace("*", "{name}") for rule in _RULES
)


def _wrong_path(_: str, path: str) -> ApiError:
    return bad_request(f"Invalid method setting path: {path}. Must be one of: [{_KNOWN}]")


@operation("apigateway", "UpdateStage", "PATCH", _PATH, 200, body=PATCH_MEMBERS)
def _update(state: State, call: Call) -> dict[str, Any]:
    api = state.rest_api(call["restApiId"])
    before = stage_of(api, call["stageName"])
    wanted = apply(before, call.get("patchOperations", []), _RULES, wrong_path=_wrong_path)
    stage = _checked(state, api, before, wanted)
    state.rest_apis[api.id] = with_stage(api, replace(stage, updated=state.now()))
    state.changed()
    return rendered(state.rest_apis[api.id].stages[stage.name])


def _checked(state: State, api: RestApi, before: Stage, wanted: Stage) -> Stage:
    """*wanted*, if its deployment and certificate may be; the certificate switched by the book."""
    if wanted.deployment_id != before.deployment_id:
        deployment_for_stage(api, wanted.deployment_id)
    certificate = wanted.client_certificate
    if certificate is not None and certificate != before.client_certificate:
        check_attachable(state, certificate)
    return attached(state, replace(wanted, client_certificate=before.client_certificate), certificate)
