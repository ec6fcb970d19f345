"""Authorizers of REST APIs: Lambda authorizers of the types TOKEN and REQUEST."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..errors import bad_request, conflict
from ..ids import SHORT, new_id
from ..model import Authorizer, RestApi
from ..patch import Rule, apply, integer
from ..patterns import compiles
from ..state import State
from .lookups import authorizer_of
from .table import PATCH_MEMBERS, Call, not_emulated, operation

__all__ = ["LONGEST_TTL", "check_lambda_uri", "rendered"]

_ALL = "/restapis/{restApiId}/authorizers"
_PATH = "/restapis/{restApiId}/authorizers/{authorizerId}"
_STORED = "providerARNs authType authorizerCredentials identityValidationExpression"
LONGEST_TTL = 3_600
"""Seconds that a verdict may be cached."""

_URI = re.compile(
    r"arn:aws[a-z-]*:apigateway:[a-z0-9-]+:lambda:path/\d{4}-\d{2}-\d{2}/functions/.+/invocations", re.ASCII
)
_SOURCE = re.compile(
    r"\s*(method\.request\.(header|querystring|multivalueheader|multivaluequerystring)|stageVariables|context)\.\S+\s*"
)
_TOKEN_SOURCE = "method.request.header.Authorization"


def rendered(one: Authorizer) -> dict[str, Any]:
    """The authorizer's members."""
    return {
        "id": one.id,
        "name": one.name,
        "type": one.type,
        "authType": "custom",
        "authorizerUri": one.uri,
        "identitySource": one.identity_source,
        "authorizerResultTtlInSeconds": one.ttl_seconds,
        **one.stored,
    }


def check_lambda_uri(uri: str | None) -> None:
    """Raises BadRequestException unless *uri* names a Lambda function's invocation the AWS way."""
    if uri is None or not _URI.fullmatch(uri):
        raise bad_request(
            f"Invalid Authorizer URI: {uri}. Authorizer URI should be a valid API Gateway ARN that represents a Lambda "
            "function invocation."
        )


def _keep(state: State, api: RestApi, one: Authorizer) -> None:
    """Put *one* among the API's authorizers; raises BadRequestException for one that cannot be."""
    if one.type not in ("TOKEN", "REQUEST"):
        raise not_emulated(f"The authorizer type {one.type}")
    if not one.name:
        raise bad_request("Authorizer name cannot be empty")
    if any(other.name == one.name and other.id != one.id for other in api.authorizers.values()):
        raise bad_request(f"Authorizer name must be unique. Authorizer {one.name} already exists in this RestApi.")
    check_lambda_uri(one.uri)
    if not 0 <= one.ttl_seconds <= LONGEST_TTL:
        raise bad_request(f"Authorizer result TTL must be from 0 to {LONGEST_TTL} seconds")
    sources = [source for source in (one.identity_source or "").split(",") if source]
    if not sources and one.ttl_seconds:
        raise bad_request("Identity source is required for an authorizer of type REQUEST unless its TTL is 0")
    if not all(_SOURCE.fullmatch(source) for source in sources):
        raise bad_request(f"Invalid identity source specified: {one.identity_source}")
    if not compiles(one.validation_expression):
        raise bad_request(f"Invalid identity validation expression specified: {one.validation_expression}")
    state.rest_apis[api.id] = replace(api, authorizers={**api.authorizers, one.id: one})


@operation(
    "apigateway",
    "CreateAuthorizer",
    "POST",
    _ALL,
    201,
    body="""name* type*:TOKEN|REQUEST|COGNITO_USER_POOLS|JWT providerARNs:[string] authType authorizerUri
        authorizerCredentials identitySource identityValidationExpression authorizerResultTtlInSeconds:int
        jwtConfiguration:{issuers*:[{}] defaultAlgorithms*:[RS256|RS384|RS512|ES256|ES384|ES512]}""",
)
def _create(state: State, call: Call) -> dict[str, Any]:
    api = state.rest_api(call["restApiId"])
    token = call["type"] == "TOKEN"
    one = Authorizer(
        id=new_id(SHORT, api.authorizers),
        name=call["name"],
        type=call["type"],
        uri=call.get("authorizerUri"),
        identity_source=call.get("identitySource", _TOKEN_SOURCE if token else None),
        ttl_seconds=call.get("authorizerResultTtlInSeconds", 300),
        stored=call.stored(_STORED),
    )
    _keep(state, api, one)
    return rendered(one)


@operation("apigateway", "GetAuthorizer", "GET", _PATH, 200)
def _get(state: State, call: Call) -> dict[str, Any]:
    return rendered(authorizer_of(state.rest_api(call["restApiId"]), call["authorizerId"]))


@operation("apigateway", "GetAuthorizers", "GET", _ALL, 200, query="position limit:int")
def _list(state: State, call: Call) -> dict[str, Any]:
    return call.page(state.rest_api(call["restApiId"]).authorizers, rendered)


def _rename(one: Authorizer, _: Sequence[str], value: str | None) -> Authorizer:
    return replace(one, name=value or "")


def _set_uri(one: Authorizer, _: Sequence[str], value: str | None) -> Authorizer:
    return replace(one, uri=value)


def _set_source(one: Authorizer, _: Sequence[str], value: str | None) -> Authorizer:
    return replace(one, identity_source=value or None)


def _set_ttl(one: Authorizer, _: Sequence[str], value: str | None) -> Authorizer:
    return replace(one, ttl_seconds=integer(value, "/authorizerResultTtlInSeconds"))


def _set_type(one: Authorizer, _: Sequence[str], value: str | None) -> Authorizer:
    return replace(one, type=value or "")


def _set_expression(one: Authorizer, _: Sequence[str], value: str | None) -> Authorizer:
    stored = {name: kept for name, kept in one.stored.items() if name != "identityValidationExpression"}
    return replace(one, stored={**stored, "identityValidationExpression": value} if value else stored)


_RULES = (
    Rule("/name", _rename),
    Rule("/authorizerUri", _set_uri),
    Rule("/identitySource", _set_source),
    Rule("/authorizerResultTtlInSeconds", _set_ttl),
    Rule("/type", _set_type),
    Rule("/identityValidationExpression", _set_expression),
)


@operation("apigateway", "UpdateAuthorizer", "PATCH", _PATH, 200, body=PATCH_MEMBERS)
def _update(state: State, call: Call) -> dict[str, Any]:
    api = state.rest_api(call["restApiId"])
    changed = apply(authorizer_of(api, call["authorizerId"]), call.get("patchOperations", []), _RULES)
    _keep(state, api, changed)
    return rendered(changed)


@operation("apigateway", "DeleteAuthorizer", "DELETE", _PATH, 202)
def _delete(state: State, call: Call) -> None:
    api = state.rest_api(call["restApiId"])
    gone = authorizer_of(api, call["authorizerId"])
    users = [
        f"{verb} {resource.path}"
        for resource in api.resources.values()
        for verb, method in resource.methods.items()
        if method.authorization_type == "CUSTOM" and method.authorizer_id == gone.id
    ]
    if users:
        raise conflict(f"Cannot delete authorizer '{gone.name}', is referenced in method: {', '.join(users)}")
    kept = {name: one for name, one in api.authorizers.items() if name != gone.id}
    state.rest_apis[api.id] = replace(api, authorizers=kept)
