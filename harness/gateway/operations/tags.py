"""Tags, by ARN, for both services."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import bad_request, not_found
from ..model import HttpApi, RestApi
from ..state import State
from .lookups import stage_of
from .table import Call, operation

__all__ = ["MOST_TAGS"]

_ARN = re.compile(r"arn:aws[a-z-]*:apigateway:(?P<region>[a-z0-9-]*):[0-9]*:/(?P<path>.+)")
MOST_TAGS = 50
"""Tags of one resource."""

Tags = Mapping[str, str]
Change = Callable[[Tags], Tags]


def _on(state: State, arn: str, change: Change) -> Tags:
    """Apply *change* to the tags of the resource that *arn* names, and return them."""
    found = _ARN.fullmatch(arn)
    if found is None:
        raise bad_request(f"Invalid ARN specified: {arn}")
    if found["region"] != state.region:
        raise not_found(f"Invalid resource specified: {arn}")
    match found["path"].split("/"):
        case ["clientcertificates", name] if name in state.client_certificates:
            certificate = state.client_certificates[name]
            state.client_certificates[name] = replace(certificate, tags=change(certificate.tags))
            return state.client_certificates[name].tags
        case ["restapis", name, *rest] if name in state.rest_apis:
            return _on_rest_api(state, state.rest_apis[name], rest, change)
        case ["apis", name, *rest] if name in state.http_apis:
            return _on_http_api(state, state.http_apis[name], rest, change)
        case ["domainnames", name] if name in state.domain_names:
            domain = state.domain_names[name]
            state.domain_names[name] = replace(domain, tags=change(domain.tags))
            return state.domain_names[name].tags
    raise not_found(f"Invalid resource specified: {arn}")


def _on_rest_api(state: State, api: RestApi, rest: list[str], change: Change) -> Tags:
    match rest:
        case []:
            state.rest_apis[api.id] = replace(api, tags=change(api.tags))
            return state.rest_apis[api.id].tags
        case ["stages", name]:
            stage = stage_of(api, name)
            changed = replace(stage, tags=change(stage.tags))
            state.rest_apis[api.id] = replace(api, stages={**api.stages, name: changed})
            return changed.tags
    raise not_found(f"Invalid resource specified: {'/'.join(rest)}")


def _on_http_api(state: State, api: HttpApi, rest: list[str], change: Change) -> Tags:
    match rest:
        case []:
            state.http_apis[api.id] = replace(api, tags=change(api.tags))
            return state.http_apis[api.id].tags
        case ["stages", name] if name in api.stages:
            changed = replace(api.stages[name], tags=change(api.stages[name].tags))
            state.http_apis[api.id] = replace(api, stages={**api.stages, name: changed})
            return changed.tags
    raise not_found(f"Invalid resource specified: {'/'.join(rest)}")


def _added(new: Tags) -> Change:
    def change(tags: Tags) -> Tags:
        together = {**tags, **new}
        if len(together) > MOST_TAGS:
            raise bad_request(f"A resource cannot have more than {MOST_TAGS} tags")
        return together

    return change


def _without(keys: list[str]) -> Change:
    return lambda tags: {key: value for key, value in tags.items() if key not in keys}


@operation("apigateway", "TagResource", "PUT", "/tags/{resourceArn+}", 204, body="tags*:<string>")
def _tag(state: State, call: Call) -> None:
    _on(state, call["resourceArn"], _added(call["tags"]))


@operation("apigateway", "UntagResource", "DELETE", "/tags/{resourceArn+}", 204, query="tagKeys*:[string]")
def _untag(state: State, call: Call) -> None:
    _on(state, call["resourceArn"], _without(call["tagKeys"]))


@operation("apigateway", "GetTags", "GET", "/tags/{resourceArn+}", 200, query="position limit:int")
def _get(state: State, call: Call) -> dict[str, Any]:
    return {"tags": dict(_on(state, call["resourceArn"], lambda tags: tags))}


@operation("apigatewayv2", "TagResource", "POST", "/v2/tags/{resourceArn+}", 201, body="tags:<string>")
def _tag_2(state: State, call: Call) -> dict[str, Any]:
    _on(state, call["resourceArn"], _added(call.get("tags", {})))
    return {}


@operation("apigatewayv2", "UntagResource", "DELETE", "/v2/tags/{resourceArn+}", 204, query="tagKeys*:[string]")
def _untag_2(state: State, call: Call) -> None:
    _on(state, call["resourceArn"], _without(call["tagKeys"]))


@operation("apigatewayv2", "GetTags", "GET", "/v2/tags/{resourceArn+}", 200)
def _get_2(state: State, call: Call) -> dict[str, Any]:
    return {"tags": dict(_on(state, call["resourceArn"], lambda tags: tags))}
