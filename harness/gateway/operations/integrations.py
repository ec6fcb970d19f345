"""Integrations of REST APIs: what stands behind a method, and integration responses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import ApiError, bad_request, not_found
from ..model import Integration, IntegrationResponse, Method, Resource, RestApi
from ..patch import ALL, Rule, apply, integer, switch
from ..patterns import compiles
from ..state import State
from ..uris import check_uri
from .lookups import check_status_code, check_verb, integration_of, method_of, resource_of, with_method
from .table import PATCH_MEMBERS, Call, not_emulated, operation

__all__ = ["SHORTEST_MS", "check_mapped_headers", "check_timeout", "rendered"]

_PATH = "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration"
_RESPONSE = f"{_PATH}/responses/{{statusCode}}"
_STORED = (
    "connectionType connectionId credentials passthroughBehavior cacheNamespace cacheKeyParameters contentHandling "
    "tlsConfig responseTransferMode integrationTarget"
)
SHORTEST_MS = 50
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
"""RFC 9110 5.6.2; no other name of a header can go out."""
_PARAMETER = re.compile(
    rf"integration\.request\.(?:(?:multivalue)?header\.{_TOKEN}|(?:querystring|path|multivaluequerystring)\..+)"
)
_HTTP_HEADER = re.compile(
    r"(?:(?:overwrite|append|remove):|integration\.request\.(?:multivalue)?)header\.(.*)", re.DOTALL
)
_ANSWER_HEADER = re.compile(rf"method\.response\.header\.{_TOKEN}")
_SOURCE = re.compile(r"(method\.request|context|stageVariables)\..+|'.*'", re.DOTALL)


def rendered(one: Integration) -> dict[str, Any]:
    """The integration's members with AWS's defaults."""
    tls = {**one.stored.get("tlsConfig", {}), "insecureSkipVerification": one.insecure_skip_verification}
    return {
        "type": one.type,
        "httpMethod": one.http_method,
        "uri": one.uri,
        "requestParameters": dict(one.request_parameters) or None,
        "requestTemplates": dict(one.request_templates) or None,
        "timeoutInMillis": one.timeout_ms,
        **one.stored,
        "tlsConfig": tls if "tlsConfig" in one.stored or one.insecure_skip_verification else None,
        "integrationResponses": {code: _response(one) for code, one in one.responses.items()} or None,
    }


def _place(state: State, call: Call) -> tuple[RestApi, Resource, Method]:
    api = state.rest_api(call["restApiId"])
    resource = resource_of(api, call["resourceId"])
    return api, resource, method_of(resource, call["httpMethod"])


@operation(
    "apigateway",
    "PutIntegration",
    "PUT",
    _PATH,
    201,
    body="""type*:HTTP|MOCK|AWS_PROXY|HTTP_PROXY|AWS integrationHttpMethod=httpMethod uri connectionId credentials
        connectionType:INTERNET|VPC_LINK requestParameters:<string> requestTemplates:<string> passthroughBehavior
        cacheNamespace cacheKeyParameters:[string] contentHandling:CONVERT_TO_BINARY|CONVERT_TO_TEXT timeoutInMillis:int
        tlsConfig:{insecureSkipVerification:bool} responseTransferMode:BUFFERED|STREAM integrationTarget""",
)
def _put(state: State, call: Call) -> dict[str, Any]:
    api, resource, method = _place(state, call)
    if call.get("connectionType") == "VPC_LINK":
        raise not_emulated("connectionType VPC_LINK")
    defaults = {
        "cacheNamespace": resource.id,
        "cacheKeyParameters": [],
        "passthroughBehavior": "WHEN_NO_MATCH",
    }
    integration = Integration(
        type=call["type"],
        http_method=call.get("integrationHttpMethod"),
        uri=call.get("uri"),
        request_parameters=call.get("requestParameters", {}),
        request_templates=call.get("requestTemplates", {}),
        timeout_ms=call.get("timeoutInMillis", min(29_000, state.settings.max_timeout_ms)),
        insecure_skip_verification=call.get("tlsConfig", {}).get("insecureSkipVerification", False),
        stored={**defaults, **call.stored(_STORED)},
    )
    _keep(state, api, resource, method, integration)
    return rendered(integration)


def _keep(state: State, api: RestApi, resource: Resource, method: Method, one: Integration | None) -> None:
    if one is not None:
        _check(one, state.settings.max_timeout_ms)
    state.rest_apis[api.id] = with_method(api, resource, replace(method, integration=one))


def _check(one: Integration, longest_ms: int) -> None:
    """Raises BadRequestException for an integration that cannot be."""
    if one.type != "MOCK" and not one.http_method:
        raise bad_request("Enumeration value for HttpMethod must be non-empty")
    if one.http_method:
        check_verb(one.http_method)
    if one.type in ("HTTP", "HTTP_PROXY"):
        check_uri(one.uri)
    elif one.type != "MOCK" and not one.uri:
        raise bad_request("Invalid ARN specified in the request")
    check_timeout(one.timeout_ms, longest_ms)
    _check_parameters(one.request_parameters)


def check_timeout(milliseconds: int, longest: int) -> None:
    """Raises BadRequestException unless the time-out is one that an integration may have."""
    if not SHORTEST_MS <= milliseconds <= longest:
        raise bad_request(f"Timeout should be between {SHORTEST_MS} ms and {longest} ms")


def _check_parameters(parameters: Mapping[str, str]) -> None:
    for name, source in parameters.items():
        wrong = source if _PARAMETER.fullmatch(name) else name
        if wrong is name or not _SOURCE.fullmatch(source):
            raise _invalid_mapping(wrong)


def check_mapped_headers(parameters: Mapping[str, str]) -> None:
    """Raises BadRequestException when one of a v2 integration's parameters maps to what is no header's name."""
    for name in parameters:
        header = _HTTP_HEADER.fullmatch(name)
        if header is not None and not re.fullmatch(_TOKEN, header[1]):
            raise _invalid_mapping(name)


def _invalid_mapping(expression: str) -> ApiError:
    return bad_request(
        "Invalid mapping expression specified: Validation Result: warnings : [], errors : "
        f"[Invalid mapping expression specified: {expression}]"
    )


@operation("apigateway", "GetIntegration", "GET", _PATH, 200)
def _get(state: State, call: Call) -> dict[str, Any]:
    _, _, method = _place(state, call)
    return rendered(integration_of(method))


def _set_uri(one: Integration, _: Sequence[str], value: str | None) -> Integration:
    return replace(one, uri=value)


def _set_verb(one: Integration, _: Sequence[str], value: str | None) -> Integration:
    return replace(one, http_method=value)


def _set_timeout(one: Integration, _: Sequence[str], value: str | None) -> Integration:
    return replace(one, timeout_ms=integer(value, "/timeoutInMillis"))


def _set_skip(one: Integration, _: Sequence[str], value: str | None) -> Integration:
    skip = switch(value, "/tlsConfig/insecureSkipVerification")
    return replace(one, insecure_skip_verification=skip, stored={**one.stored, "tlsConfig": {}})


def _set_parameter(one: Integration, stars: Sequence[str], value: str | None) -> Integration:
    name, kept = stars[0], dict(one.request_parameters)
    if value is not None:
        kept[name] = value
    elif kept.pop(name, None) is None:
        raise not_found("Invalid parameter name specified")
    return replace(one, request_parameters=kept)


_RULES = (
    Rule("/uri", _set_uri),
    Rule("/httpMethod", _set_verb),
    Rule("/timeoutInMillis", _set_timeout),
    Rule("/tlsConfig/insecureSkipVerification", _set_skip),
    Rule("/requestParameters/*", _set_parameter, ALL),
)


@operation("apigateway", "UpdateIntegration", "PATCH", _PATH, 200, body=PATCH_MEMBERS)
def _update(state: State, call: Call) -> dict[str, Any]:
    api, resource, method = _place(state, call)
    changed = apply(integration_of(method), call.get("patchOperations", []), _RULES)
    _keep(state, api, resource, method, changed)
    return rendered(changed)


@operation("apigateway", "DeleteIntegration", "DELETE", _PATH, 204)
def _delete(state: State, call: Call) -> None:
    api, resource, method = _place(state, call)
    integration_of(method)
    _keep(state, api, resource, method, None)


# --- integration responses


def _response(one: IntegrationResponse) -> dict[str, Any]:
    return {
        "statusCode": one.status_code,
        "selectionPattern": one.selection_pattern,
        "responseParameters": dict(one.response_parameters) or None,
        "responseTemplates": dict(one.response_templates) or None,
        **one.stored,
    }


@operation(
    "apigateway",
    "PutIntegrationResponse",
    "PUT",
    _RESPONSE,
    201,
    body="""selectionPattern responseParameters:<string> responseTemplates:<string>
        contentHandling:CONVERT_TO_BINARY|CONVERT_TO_TEXT""",
)
def _put_response(state: State, call: Call) -> dict[str, Any]:
    api, resource, method = _place(state, call)
    integration, code = integration_of(method), call["statusCode"]
    check_status_code(code)
    _check_pattern(call.get("selectionPattern"))
    for name in call.get("responseParameters", {}):
        if not _ANSWER_HEADER.fullmatch(name):
            raise _invalid_mapping(name)
    response = IntegrationResponse(
        status_code=code,
        selection_pattern=call.get("selectionPattern"),
        response_parameters=call.get("responseParameters", {}),
        response_templates=call.get("responseTemplates", {}),
        stored=call.stored("contentHandling"),
    )
    changed = replace(integration, responses={**integration.responses, code: response})
    state.rest_apis[api.id] = with_method(api, resource, replace(method, integration=changed))
    return _response(response)


def _check_pattern(pattern: str | None) -> None:
    if not compiles(pattern or ""):
        raise bad_request(f"Invalid selection pattern specified: {pattern}")


@operation("apigateway", "GetIntegrationResponse", "GET", _RESPONSE, 200)
def _get_response(state: State, call: Call) -> dict[str, Any]:
    _, _, method = _place(state, call)
    try:
        return _response(integration_of(method).responses[call["statusCode"]])
    except KeyError:
        raise not_found("Invalid Response status code specified") from None
