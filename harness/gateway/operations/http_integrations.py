"""Integrations of HTTP and WebSocket APIs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import bad_request, conflict
from ..ids import ROUTE, new_id
from ..model import HttpApi, HttpIntegration
from ..state import State
from ..uris import check_uri
from .http_lookups import part_of, redeployed
from .integrations import check_mapped_headers, check_timeout
from .lookups import check_verb
from .table import Call, not_emulated, operation

__all__ = ["add_integration", "rendered"]

_ALL = "/v2/apis/{apiId}/integrations"
_PATH = "/v2/apis/{apiId}/integrations/{integrationId}"
_STORED = (
    "connectionId connectionType contentHandlingStrategy credentialsArn description integrationSubtype passthroughBehavior "
    "payloadFormatVersion requestTemplates responseParameters templateSelectionExpression tlsConfig"
)
_FIELDS = {
    "integrationType": "type",
    "integrationMethod": "method",
    "integrationUri": "uri",
    "timeoutInMillis": "timeout_ms",
    "requestParameters": "request_parameters",
}
_TYPES = "AWS|HTTP|MOCK|HTTP_PROXY|AWS_PROXY"
_MEMBERS = """connectionId connectionType:INTERNET|VPC_LINK contentHandlingStrategy:CONVERT_TO_BINARY|CONVERT_TO_TEXT
    credentialsArn description integrationMethod integrationSubtype integrationUri
    passthroughBehavior:WHEN_NO_MATCH|NEVER|WHEN_NO_TEMPLATES payloadFormatVersion requestParameters:<string>
    requestTemplates:<string> responseParameters:<<string>> templateSelectionExpression timeoutInMillis:int
    tlsConfig:{serverNameToVerify}"""
_LONGEST_MS = {"HTTP": 30_000, "WEBSOCKET": 29_000}


def rendered(one: HttpIntegration) -> dict[str, Any]:
    """The integration's members with AWS's defaults."""
    return {
        "integrationId": one.id,
        "integrationType": one.type,
        "integrationMethod": one.method,
        "integrationUri": one.uri,
        "connectionType": "INTERNET",
        "payloadFormatVersion": "1.0",
        "requestParameters": dict(one.request_parameters) or None,
        "timeoutInMillis": one.timeout_ms,
        **one.stored,
    }


def add_integration(state: State, api: HttpApi, **fields: Any) -> tuple[HttpApi, HttpIntegration]:
    """*api* with a new integration of these model fields; raises BadRequestException for one that cannot be."""
    one = HttpIntegration(id=new_id(ROUTE, api.integrations), **{"timeout_ms": _LONGEST_MS[api.protocol], **fields})
    return _kept(api, one)


def _kept(api: HttpApi, one: HttpIntegration) -> tuple[HttpApi, HttpIntegration]:
    proxy = one.type in ("HTTP_PROXY", "AWS_PROXY")
    if api.protocol == "HTTP" and not proxy:
        raise bad_request(f"HTTP APIs support integrations of type HTTP_PROXY and AWS_PROXY, not {one.type}")
    if one.stored.get("connectionType") == "VPC_LINK":
        raise not_emulated("connectionType VPC_LINK")
    if one.method is None and one.type != "MOCK":
        one = replace(one, method="ANY" if one.type.startswith("HTTP") else "POST")
    if one.method is not None:
        check_verb(one.method)
    if one.type in ("HTTP", "HTTP_PROXY"):
        check_uri(one.uri)
    check_timeout(one.timeout_ms, _LONGEST_MS[api.protocol])
    check_mapped_headers(one.request_parameters)
    return replace(api, integrations={**api.integrations, one.id: one}), one


@operation("apigatewayv2", "CreateIntegration", "POST", _ALL, 201, body=f"{_MEMBERS} integrationType*:{_TYPES}")
def _create(state: State, call: Call) -> dict[str, Any]:
    api = state.http_api(call["apiId"])
    api, one = add_integration(state, api, **call.given(_FIELDS), stored=call.stored(_STORED))
    state.http_apis[api.id] = redeployed(state, api)
    return rendered(one)


@operation("apigatewayv2", "GetIntegration", "GET", _PATH, 200)
def _get(state: State, call: Call) -> dict[str, Any]:
    return rendered(part_of(state.http_api(call["apiId"]).integrations, call["integrationId"], "Integration"))


@operation("apigatewayv2", "GetIntegrations", "GET", _ALL, 200, query="maxResults nextToken")
def _list(state: State, call: Call) -> dict[str, Any]:
    return call.page(state.http_api(call["apiId"]).integrations, rendered)


@operation("apigatewayv2", "UpdateIntegration", "PATCH", _PATH, 200, body=f"{_MEMBERS} integrationType:{_TYPES}")
def _update(state: State, call: Call) -> dict[str, Any]:
    api = state.http_api(call["apiId"])
    before = part_of(api.integrations, call["integrationId"], "Integration")
    wanted = replace(before, **call.given(_FIELDS), stored={**before.stored, **call.stored(_STORED)})
    api, one = _kept(api, wanted)
    state.http_apis[api.id] = redeployed(state, api)
    return rendered(one)


@operation("apigatewayv2", "DeleteIntegration", "DELETE", _PATH, 204)
def _delete(state: State, call: Call) -> None:
    api = state.http_api(call["apiId"])
    gone = part_of(api.integrations, call["integrationId"], "Integration").id
    users = [route.key for route in api.routes.values() if route.target == f"integrations/{gone}"]
    if users:
        raise conflict(f"Cannot delete Integration '{gone}', is referenced in route: {', '.join(users)}")
    kept = {name: one for name, one in api.integrations.items() if name != gone}
    state.http_apis[api.id] = redeployed(state, replace(api, integrations=kept))
