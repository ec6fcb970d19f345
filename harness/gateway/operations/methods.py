"""Methods of REST APIs, and method responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..errors import bad_request, conflict, not_found
from ..model import Method, Resource, RestApi
from ..patch import Rule, apply, switch
from ..state import State
from .integrations import rendered as rendered_integration
from .lookups import check_custom, check_status_code, check_verb, method_of, resource_of, with_method, with_resource
from .table import PATCH_MEMBERS, Call, operation

__all__ = ["rendered"]

_PATH = "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}"
_RESPONSE = f"{_PATH}/responses/{{statusCode}}"
_STORED = "operationName requestParameters requestModels requestValidatorId authorizationScopes"


def rendered(one: Method) -> dict[str, Any]:
    """The method's members, its integration and responses among them."""
    return {
        "httpMethod": one.http_method,
        "authorizationType": one.authorization_type,
        "authorizerId": one.authorizer_id,
        "apiKeyRequired": one.api_key_required,
        **one.stored,
        "methodResponses": {code: dict(response) for code, response in one.responses.items()} or None,
        "methodIntegration": None if one.integration is None else rendered_integration(one.integration),
    }


def _place(state: State, call: Call) -> tuple[RestApi, Resource]:
    api = state.rest_api(call["restApiId"])
    return api, resource_of(api, call["resourceId"])


def _checked(api: RestApi, one: Method) -> Method:
    """*one*, if its authorization makes sense in *api*; raises BadRequestException."""
    if one.authorization_type not in ("NONE", "AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS"):
        raise bad_request(
            f"Invalid authorization type specified: {one.authorization_type}. "
            "Must be one of: [NONE, AWS_IAM, CUSTOM, COGNITO_USER_POOLS]"
        )
    if one.authorization_type in ("CUSTOM", "COGNITO_USER_POOLS"):
        authorizer = api.authorizers.get(one.authorizer_id or "")
        # Authorizers of Cognito's type cannot be made here, so none is ever the right one for COGNITO_USER_POOLS.
        check_custom(authorizer is not None and one.authorization_type == "CUSTOM")
    return one


@operation(
    "apigateway",
    "PutMethod",
    "PUT",
    _PATH,
    201,
    body="""authorizationType* authorizerId apiKeyRequired:bool operationName requestParameters:<bool>
        requestModels:<string> requestValidatorId authorizationScopes:[string]""",
)
def _put(state: State, call: Call) -> dict[str, Any]:
    api, resource = _place(state, call)
    verb = call["httpMethod"]
    check_verb(verb)
    if verb in resource.methods:
        raise conflict("Method already exists for this resource")
    method = Method(
        http_method=verb,
        authorization_type=call["authorizationType"],
        authorizer_id=call.get("authorizerId"),
        api_key_required=call.get("apiKeyRequired", False),
        stored=call.stored(_STORED),
    )
    state.rest_apis[api.id] = with_method(api, resource, _checked(api, method))
    return rendered(method)


@operation("apigateway", "GetMethod", "GET", _PATH, 200)
def _get(state: State, call: Call) -> dict[str, Any]:
    _, resource = _place(state, call)
    return rendered(method_of(resource, call["httpMethod"]))


def _authorize(one: Method, _: Sequence[str], value: str | None) -> Method:
    return replace(one, authorization_type=value or "")


def _set_authorizer(one: Method, _: Sequence[str], value: str | None) -> Method:
    return replace(one, authorizer_id=value or None)


def _set_key_required(one: Method, _: Sequence[str], value: str | None) -> Method:
    return replace(one, api_key_required=switch(value, "/apiKeyRequired"))


_RULES = (
    Rule("/authorizationType", _authorize),
    Rule("/authorizerId", _set_authorizer),
    Rule("/apiKeyRequired", _set_key_required),
)


@operation("apigateway", "UpdateMethod", "PATCH", _PATH, 200, body=PATCH_MEMBERS)
def _update(state: State, call: Call) -> dict[str, Any]:
    api, resource = _place(state, call)
    changed = apply(method_of(resource, call["httpMethod"]), call.get("patchOperations", []), _RULES)
    state.rest_apis[api.id] = with_method(api, resource, _checked(api, changed))
    return rendered(changed)


@operation("apigateway", "DeleteMethod", "DELETE", _PATH, 204)
def _delete(state: State, call: Call) -> None:
    api, resource = _place(state, call)
    gone = method_of(resource, call["httpMethod"]).http_method
    kept = {verb: method for verb, method in resource.methods.items() if verb != gone}
    state.rest_apis[api.id] = with_resource(api, replace(resource, methods=kept))


# --- method responses


@operation(
    "apigateway",
    "PutMethodResponse",
    "PUT",
    _RESPONSE,
    201,
    body="responseParameters:<bool> responseModels:<string>",
)
def _put_response(state: State, call: Call) -> dict[str, Any]:
    api, resource = _place(state, call)
    method = method_of(resource, call["httpMethod"])
    code = call["statusCode"]
    check_status_code(code)
    if code in method.responses:
        raise conflict("Response already exists for this resource")
    response = {"statusCode": code, **call.stored("responseParameters responseModels")}
    changed = replace(method, responses={**method.responses, code: response})
    state.rest_apis[api.id] = with_method(api, resource, changed)
    return response


@operation("apigateway", "GetMethodResponse", "GET", _RESPONSE, 200)
def _get_response(state: State, call: Call) -> dict[str, Any]:
    _, resource = _place(state, call)
    try:
        return dict(method_of(resource, call["httpMethod"]).responses[call["statusCode"]])
    except KeyError:
        raise not_found("Invalid Response status code specified") from None
