"""Routes of HTTP and WebSocket APIs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from ..errors import bad_request, conflict
from ..ids import ROUTE, new_id
from ..model import HttpApi, HttpRoute
from ..state import State
from .http_lookups import part_of, redeployed
from .lookups import VERBS, check_custom
from .table import Call, not_emulated, operation

__all__ = ["add_route", "rendered"]

_ALL = "/v2/apis/{apiId}/routes"
_PATH = "/v2/apis/{apiId}/routes/{routeId}"
_STORED = (
    "apiKeyRequired authorizationScopes modelSelectionExpression operationName requestModels requestParameters "
    "routeResponseSelectionExpression"
)
_FIELDS = {
    "routeKey": "key",
    "target": "target",
    "authorizationType": "authorization_type",
    "authorizerId": "authorizer_id",
}
_MEMBERS = """apiKeyRequired:bool authorizationScopes:[string] authorizationType:NONE|AWS_IAM|CUSTOM|JWT authorizerId
    modelSelectionExpression operationName requestModels:<string> requestParameters:<{required:bool}>
    routeResponseSelectionExpression target"""
_KEY = re.compile(rf"\$default|({'|'.join(VERBS)}) /\S*")


def rendered(one: HttpRoute) -> dict[str, Any]:
    """The route's members."""
    return {
        "routeId": one.id,
        "routeKey": one.key,
        "target": one.target,
        "authorizationType": one.authorization_type,
        "authorizerId": one.authorizer_id,
        "apiKeyRequired": False,
        **one.stored,
    }


def add_route(api: HttpApi, **fields: Any) -> tuple[HttpApi, HttpRoute]:
    """*api* with a new route of these model fields; raises what is wrong with it."""
    return _kept(api, HttpRoute(id=new_id(ROUTE, api.routes), **fields))


def _kept(api: HttpApi, one: HttpRoute) -> tuple[HttpApi, HttpRoute]:
    if not (_KEY.fullmatch(one.key) if api.protocol == "HTTP" else one.key):
        raise bad_request(f"Invalid route key specified: {one.key}. Must be $default, or a method and a path")
    if any(route.key == one.key and route.id != one.id for route in api.routes.values()):
        raise conflict(f"Route with key {one.key} already exists for this API")
    if one.target is not None:
        _check_target(api, one.target)
    if one.authorization_type == "JWT":
        raise not_emulated("The authorization type JWT")
    if one.authorization_type == "CUSTOM":
        check_custom(one.authorizer_id in api.authorizers)
    return replace(api, routes={**api.routes, one.id: one}), one


def _check_target(api: HttpApi, target: str) -> None:
    prefix, _, name = target.partition("/")
    if prefix != "integrations" or name not in api.integrations:
        raise bad_request(f"Invalid target specified: {target}. Must be integrations/ and the id of an integration")


@operation("apigatewayv2", "CreateRoute", "POST", _ALL, 201, body=f"{_MEMBERS} routeKey*")
def _create(state: State, call: Call) -> dict[str, Any]:
    api, one = add_route(state.http_api(call["apiId"]), **call.given(_FIELDS), stored=call.stored(_STORED))
    state.http_apis[api.id] = redeployed(state, api)
    return rendered(one)


@operation("apigatewayv2", "GetRoute", "GET", _PATH, 200)
def _get(state: State, call: Call) -> dict[str, Any]:
    return rendered(part_of(state.http_api(call["apiId"]).routes, call["routeId"], "Route"))


@operation("apigatewayv2", "GetRoutes", "GET", _ALL, 200, query="maxResults nextToken")
def _list(state: State, call: Call) -> dict[str, Any]:
    return call.page(state.http_api(call["apiId"]).routes, rendered)


@operation("apigatewayv2", "UpdateRoute", "PATCH", _PATH, 200, body=f"{_MEMBERS} routeKey")
def _update(state: State, call: Call) -> dict[str, Any]:
    api = state.http_api(call["apiId"])
    before = part_of(api.routes, call["routeId"], "Route")
    wanted = replace(before, **call.given(_FIELDS), stored={**before.stored, **call.stored(_STORED)})
    api, one = _kept(api, wanted)
    state.http_apis[api.id] = redeployed(state, api)
    return rendered(one)


@operation("apigatewayv2", "DeleteRoute", "DELETE", _PATH, 204)
def _delete(state: State, call: Call) -> None:
    api = state.http_api(call["apiId"])
    gone = part_of(api.routes, call["routeId"], "Route").id
    kept = {name: one for name, one in api.routes.items() if name != gone}
    state.http_apis[api.id] = redeployed(state, replace(api, routes=kept))
