"""HTTP and WebSocket APIs (apigatewayv2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import bad_request
from ..ids import API, new_id
from ..model import HttpApi
from ..state import State
from .http_integrations import add_integration
from .http_lookups import redeployed, with_stage
from .http_routes import add_route
from .http_stages import new_stage
from .table import Call, not_emulated, operation

__all__ = ["rendered"]

_PATH = "/v2/apis/{apiId}"
_CORS = """corsConfiguration:{allowCredentials:bool allowHeaders:[string] allowMethods:[string] allowOrigins:[string]
    exposeHeaders:[string] maxAge:int}"""
_MEMBERS = f"""apiKeySelectionExpression {_CORS} credentialsArn description disableSchemaValidation:bool
    disableExecuteApiEndpoint:bool ipAddressType:ipv4|dualstack routeKey routeSelectionExpression target version"""
_STORED = (
    "apiKeySelectionExpression corsConfiguration disableSchemaValidation ipAddressType routeSelectionExpression version"
)
_SELECTION = {"HTTP": "$request.method $request.path", "WEBSOCKET": "$request.body.action"}
_SCHEME = {"HTTP": "https", "WEBSOCKET": "wss"}


def rendered(state: State, api: HttpApi) -> dict[str, Any]:
    """The API's members."""
    return {
        "apiId": api.id,
        "apiEndpoint": f"{_SCHEME[api.protocol]}://{api.id}.execute-api.{state.region}.amazonaws.com",
        "name": api.name,
        "protocolType": api.protocol,
        "description": api.description,
        "createdDate": api.created,
        "disableExecuteApiEndpoint": api.disabled,
        "apiKeySelectionExpression": "$request.header.x-api-key",
        "routeSelectionExpression": _SELECTION[api.protocol],
        "ipAddressType": "ipv4",
        "tags": dict(api.tags),
        **api.stored,
    }


@operation(
    "apigatewayv2",
    "CreateApi",
    "POST",
    "/v2/apis",
    201,
    body=f"{_MEMBERS} name* protocolType*:WEBSOCKET|HTTP tags:<string>",
)
def _create(state: State, call: Call) -> dict[str, Any]:
    api = HttpApi(
        id=new_id(API, {*state.rest_apis, *state.http_apis}),
        name=_named(call["name"]),
        protocol=call["protocolType"],
        created=state.now(),
        description=call.get("description"),
        disabled=call.get("disableExecuteApiEndpoint", False),
        tags=call.get("tags", {}),
        stored=call.stored(_STORED),
    )
    if call.has("target"):
        api = _quickly(state, api, call)
    elif call.has("routeKey") or call.has("credentialsArn"):
        raise bad_request("routeKey and credentialsArn need a target")
    state.http_apis[api.id] = api
    return rendered(state, api)


def _named(name: str) -> str:
    if not name:
        raise bad_request("API name cannot be empty")
    return name


def _quickly(state: State, api: HttpApi, call: Call) -> HttpApi:
    """*api* with what ``target`` asks for: an integration, a route to it, and an auto-deployed ``$default`` stage."""
    if api.protocol != "HTTP":
        raise bad_request("target is supported only for HTTP APIs")
    target: str = call["target"]
    kind = "AWS_PROXY" if target.startswith("arn:") else "HTTP_PROXY"
    stored = {
        "apiGatewayManaged": True,
        **({"credentialsArn": call["credentialsArn"]} if call.has("credentialsArn") else {}),
    }
    api, integration = add_integration(state, api, type=kind, uri=target, stored=stored)
    key = call.get("routeKey", "$default")
    api, _ = add_route(api, key=key, target=f"integrations/{integration.id}", stored={"apiGatewayManaged": True})
    stage = replace(new_stage(api, "$default", state.now()), auto_deploy=True, stored={"apiGatewayManaged": True})
    return redeployed(state, with_stage(api, stage))


@operation("apigatewayv2", "GetApi", "GET", _PATH, 200)
def _get(state: State, call: Call) -> dict[str, Any]:
    return rendered(state, state.http_api(call["apiId"]))


@operation("apigatewayv2", "GetApis", "GET", "/v2/apis", 200, query="maxResults nextToken")
def _list(state: State, call: Call) -> dict[str, Any]:
    return call.page(state.http_apis, lambda api: rendered(state, api))


@operation("apigatewayv2", "UpdateApi", "PATCH", _PATH, 200, body=f"{_MEMBERS} name")
def _update(state: State, call: Call) -> dict[str, Any]:
    api = state.http_api(call["apiId"])
    for name in ("target", "routeKey", "credentialsArn"):
        if call.has(name):
            raise not_emulated(f"{name} of UpdateApi")
    if call.has("name"):
        _named(call["name"])
    fields = {"name": "name", "description": "description", "disableExecuteApiEndpoint": "disabled"}
    changed = replace(api, **call.given(fields), stored={**api.stored, **call.stored(_STORED)})
    state.http_apis[api.id] = changed
    return rendered(state, changed)


@operation("apigatewayv2", "DeleteApi", "DELETE", _PATH, 204)
def _delete(state: State, call: Call) -> None:
    del state.http_apis[state.http_api(call["apiId"]).id]
    state.changed()
