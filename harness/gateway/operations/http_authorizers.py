"""Authorizers of HTTP and WebSocket APIs, of the type REQUEST."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import bad_request, conflict
from ..ids import SHORT, new_id
from ..model import HttpApi, HttpAuthorizer
from ..state import State
from .authorizers import LONGEST_TTL, check_lambda_uri
from .http_lookups import part_of, redeployed
from .table import Call, not_emulated, operation

__all__ = ["rendered"]

_ALL = "/v2/apis/{apiId}/authorizers"
_PATH = "/v2/apis/{apiId}/authorizers/{authorizerId}"
_STORED = "authorizerCredentialsArn identityValidationExpression jwtConfiguration"
_FIELDS = {
    "name": "name",
    "authorizerType": "type",
    "authorizerUri": "uri",
    "identitySource": "identity_source",
    "authorizerPayloadFormatVersion": "payload_format",
    "enableSimpleResponses": "simple_responses",
    "authorizerResultTtlInSeconds": "ttl_seconds",
}
_MEMBERS = """authorizerCredentialsArn authorizerPayloadFormatVersion authorizerResultTtlInSeconds:int authorizerUri
    enableSimpleResponses:bool identityValidationExpression jwtConfiguration:{audience:[string] issuer}"""


def rendered(one: HttpAuthorizer) -> dict[str, Any]:
    """The authorizer's members."""
    return {
        "authorizerId": one.id,
        "name": one.name,
        "authorizerType": one.type,
        "authorizerUri": one.uri,
        "identitySource": list(one.identity_source),
        "authorizerPayloadFormatVersion": one.payload_format,
        "enableSimpleResponses": one.simple_responses,
        "authorizerResultTtlInSeconds": one.ttl_seconds,
        **one.stored,
    }


def _kept(api: HttpApi, one: HttpAuthorizer) -> HttpApi:
    """*api* with this authorizer; raises BadRequestException for one that cannot be."""
    if one.type != "REQUEST":
        raise not_emulated(f"The authorizer type {one.type}")
    if not one.name:
        raise bad_request("Authorizer name cannot be empty")
    check_lambda_uri(one.uri)
    if one.payload_format not in ("1.0", "2.0") and api.protocol == "HTTP":
        raise bad_request("AuthorizerPayloadFormatVersion must be 1.0 or 2.0 for a REQUEST authorizer of an HTTP API")
    if one.simple_responses and one.payload_format != "2.0":
        raise bad_request("EnableSimpleResponses needs AuthorizerPayloadFormatVersion 2.0")
    if not 0 <= one.ttl_seconds <= LONGEST_TTL:
        raise bad_request(f"Authorizer result TTL must be from 0 to {LONGEST_TTL} seconds")
    if one.ttl_seconds and not one.identity_source:
        raise bad_request("Identity source is required for an authorizer unless its TTL is 0")
    return replace(api, authorizers={**api.authorizers, one.id: one})


@operation(
    "apigatewayv2",
    "CreateAuthorizer",
    "POST",
    _ALL,
    201,
    body=f"{_MEMBERS} authorizerType*:REQUEST|JWT identitySource*:[string] name*",
)
def _create(state: State, call: Call) -> dict[str, Any]:
    api = state.http_api(call["apiId"])
    # AWS wants the payload format to be said for an HTTP API; the mock takes its current one.
    defaults = {"payload_format": "2.0" if api.protocol == "HTTP" else None}
    one = HttpAuthorizer(id=new_id(SHORT, api.authorizers), **{**defaults, **_given(call)}, stored=call.stored(_STORED))
    state.http_apis[api.id] = redeployed(state, _kept(api, one))
    return rendered(one)


def _given(call: Call) -> dict[str, Any]:
    fields = call.given(_FIELDS)
    if "identity_source" in fields:
        fields["identity_source"] = tuple(fields["identity_source"])
    return fields


@operation("apigatewayv2", "GetAuthorizer", "GET", _PATH, 200)
def _get(state: State, call: Call) -> dict[str, Any]:
    return rendered(part_of(state.http_api(call["apiId"]).authorizers, call["authorizerId"], "Authorizer"))


@operation("apigatewayv2", "GetAuthorizers", "GET", _ALL, 200, query="maxResults nextToken")
def _list(state: State, call: Call) -> dict[str, Any]:
    return call.page(state.http_api(call["apiId"]).authorizers, rendered)


@operation(
    "apigatewayv2",
    "UpdateAuthorizer",
    "PATCH",
    _PATH,
    200,
    body=f"{_MEMBERS} authorizerType:REQUEST|JWT identitySource:[string] name",
)
def _update(state: State, call: Call) -> dict[str, Any]:
    api = state.http_api(call["apiId"])
    before = part_of(api.authorizers, call["authorizerId"], "Authorizer")
    one = replace(before, **_given(call), stored={**before.stored, **call.stored(_STORED)})
    state.http_apis[api.id] = redeployed(state, _kept(api, one))
    return rendered(one)


@operation("apigatewayv2", "DeleteAuthorizer", "DELETE", _PATH, 204)
def _delete(state: State, call: Call) -> None:
    api = state.http_api(call["apiId"])
    gone = part_of(api.authorizers, call["authorizerId"], "Authorizer")
    users = [
        route.key
        for route in api.routes.values()
        if route.authorization_type == "CUSTOM" and route.authorizer_id == gone.id
    ]
    if users:
        raise conflict(f"Cannot delete authorizer '{gone.name}', is referenced in route: {', '.join(users)}")
    kept = {name: one for name, one in api.authorizers.items() if name != gone.id}
    state.http_apis[api.id] = redeployed(state, replace(api, authorizers=kept))
