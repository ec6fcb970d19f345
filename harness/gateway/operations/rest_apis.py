"""REST APIs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..errors import bad_request
from ..ids import API, new_id
from ..model import Resource, RestApi
from ..patch import Rule, apply, switch
from ..state import State
from .table import PATCH_MEMBERS, Call, not_emulated, operation

__all__ = ["POLICIES", "rendered"]

_PATH = "/restapis/{restApiId}"
_STORED = (
    "version binaryMediaTypes minimumCompressionSize apiKeySource endpointConfiguration policy securityPolicy "
    "endpointAccessMode"
)
POLICIES = (
    "TLS_1_0|TLS_1_2|SecurityPolicy_TLS13_1_3_2025_09|SecurityPolicy_TLS13_1_3_FIPS_2025_09"
    "|SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09|SecurityPolicy_TLS13_1_2_FIPS_PQ_2025_09"
    "|SecurityPolicy_TLS13_1_2_FIPS_PFS_PQ_2025_09|SecurityPolicy_TLS13_1_2_Ext2_PQ_2025_09"
    "|SecurityPolicy_TLS13_1_2_Ext2_FIPS_PQ_2025_09|SecurityPolicy_TLS13_1_2_PQ_2025_09"
    "|SecurityPolicy_TLS13_1_2_2021_06|SecurityPolicy_TLS13_2025_EDGE|SecurityPolicy_TLS12_PFS_2025_EDGE"
    "|SecurityPolicy_TLS12_2018_EDGE"
)
"""The security policies of v1, for an enumeration."""
_ENDPOINT = {"types": ["EDGE"], "ipAddressType": "ipv4"}


def rendered(api: RestApi) -> dict[str, Any]:
    """The API's members."""
    return {
        "id": api.id,
        "name": api.name,
        "description": api.description,
        "createdDate": api.created,
        "apiKeySource": "HEADER",
        "disableExecuteApiEndpoint": api.disabled,
        "rootResourceId": api.root_resource_id,
        "tags": dict(api.tags) or None,
        **api.stored,
        "endpointConfiguration": {**_ENDPOINT, **api.stored.get("endpointConfiguration", {})},
    }


@operation(
    "apigateway",
    "CreateRestApi",
    "POST",
    "/restapis",
    201,
    body=f"""name* description version cloneFrom binaryMediaTypes:[string] minimumCompressionSize:int
        apiKeySource:HEADER|AUTHORIZER policy tags:<string> disableExecuteApiEndpoint:bool
        endpointConfiguration:{{types:[EDGE|REGIONAL|PRIVATE] ipAddressType:ipv4|dualstack vpcEndpointIds:[string]}}
        endpointAccessMode:BASIC|STRICT securityPolicy:{POLICIES}""",
    unless_query=("mode", "import"),
)
def _create(state: State, call: Call) -> dict[str, Any]:
    if call.has("cloneFrom"):
        raise not_emulated("cloneFrom of CreateRestApi")
    name = new_id(API, {*state.rest_apis, *state.http_apis})
    root = Resource(id=new_id(API), path="/")
    disabled = call.get("disableExecuteApiEndpoint", False)
    api = RestApi(
        id=name,
        name=_named(call["name"]),
        created=state.now(),
        root_resource_id=root.id,
        resources={root.id: root},
        description=call.get("description"),
        disabled=disabled,
        disabled_in_force=disabled,
        tags=call.get("tags", {}),
        stored=call.stored(_STORED),
    )
    state.rest_apis[name] = api
    return rendered(api)


def _named(name: str | None) -> str:
    if not name:
        raise bad_request("API name cannot be empty")
    return name


@operation("apigateway", "GetRestApi", "GET", _PATH, 200)
def _get(state: State, call: Call) -> dict[str, Any]:
    return rendered(state.rest_api(call["restApiId"]))


@operation("apigateway", "GetRestApis", "GET", "/restapis", 200, query="position limit:int")
def _list(state: State, call: Call) -> dict[str, Any]:
    return call.page(state.rest_apis, rendered)


def _rename(api: RestApi, _: Sequence[str], value: str | None) -> RestApi:
    return replace(api, name=_named(value))


def _describe(api: RestApi, _: Sequence[str], value: str | None) -> RestApi:
    return replace(api, description=value)


def _disable(api: RestApi, _: Sequence[str], value: str | None) -> RestApi:
    return replace(api, disabled=switch(value, "/disableExecuteApiEndpoint"))


_RULES = (
    Rule("/name", _rename),
    Rule("/description", _describe),
    Rule("/disableExecuteApiEndpoint", _disable),
)


@operation("apigateway", "UpdateRestApi", "PATCH", _PATH, 200, body=PATCH_MEMBERS)
def _update(state: State, call: Call) -> dict[str, Any]:
    api = apply(state.rest_api(call["restApiId"]), call.get("patchOperations", []), _RULES)
    if not state.settings.disable_needs_deployment:
        api = replace(api, disabled_in_force=api.disabled)
    state.rest_apis[api.id] = api
    return rendered(api)


@operation("apigateway", "DeleteRestApi", "DELETE", _PATH, 202)
def _delete(state: State, call: Call) -> None:
    del state.rest_apis[state.rest_api(call["restApiId"]).id]
    state.changed()
