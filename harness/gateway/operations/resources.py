"""Resources: the path tree of a REST API."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import bad_request, conflict
from ..ids import RESOURCE, new_id
from ..model import Resource, RestApi
from ..patch import Rule, apply
from ..state import State
from .lookups import resource_of, with_resource
from .methods import rendered as rendered_method
from .table import PATCH_MEMBERS, Call, operation

__all__ = ["rendered"]

_ALL = "/restapis/{restApiId}/resources"
_PATH = "/restapis/{restApiId}/resources/{resourceId}"

# The text of AWS's own refusal says what a part may be.
_PART = re.compile(r"[\w.:-]+|\{[\w.:-]+\+?\}", re.ASCII)
_PART_TEXT = (
    "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning "
    "and the end."
)


def rendered(one: Resource, *, embed: Sequence[str] = ()) -> dict[str, Any]:
    """The resource's members; its methods in full when *embed* names them, else by their verbs alone."""
    whole = "methods" in embed
    methods = {verb: rendered_method(method) if whole else {} for verb, method in one.methods.items()}
    return {
        "id": one.id,
        "parentId": one.parent_id,
        "pathPart": one.path_part,
        "path": one.path,
        "resourceMethods": methods or None,
    }


@operation("apigateway", "CreateResource", "POST", f"{_ALL}/{{parentId}}", 201, body="pathPart*")
def _create(state: State, call: Call) -> dict[str, Any]:
    api = state.rest_api(call["restApiId"])
    name = new_id(RESOURCE, api.resources)
    one = Resource(id=name, path="", parent_id=call["parentId"], path_part=call["pathPart"])
    api = _settled(with_resource(api, one), one)
    state.rest_apis[api.id] = api
    return rendered(api.resources[name])


def _settled(api: RestApi, one: Resource) -> RestApi:
    """*api* with the paths of *one* and of what is below it worked out; raises what is wrong with its place."""
    parent, part = resource_of(api, one.parent_id or ""), one.path_part or ""
    if not _PART.fullmatch(part):
        raise bad_request(_PART_TEXT)
    if (parent.path_part or "").endswith("+}"):
        raise bad_request(f"Cannot create a child of a resource with a greedy path variable: {parent.path_part}")
    for sibling in api.resources.values():
        if sibling.parent_id == parent.id and sibling.id != one.id:
            _check_sibling(sibling.path_part or "", part)
    placed = replace(one, path=f"{parent.path.rstrip('/')}/{part}")
    api = with_resource(api, placed)
    for child in [child for child in api.resources.values() if child.parent_id == one.id]:
        api = _settled(api, child)
    return api


def _check_sibling(sibling: str, part: str) -> None:
    if sibling == part:
        raise conflict(f"Another resource with the same parent already has this name: {part}")
    if part.startswith("{") and sibling.startswith("{") and part.endswith("+}") == sibling.endswith("+}"):
        raise bad_request(
            f"A sibling ({sibling}) of this resource already has a variable path part -- only one is allowed"
        )


@operation("apigateway", "GetResource", "GET", _PATH, 200, query="embed:[string]")
def _get(state: State, call: Call) -> dict[str, Any]:
    one = resource_of(state.rest_api(call["restApiId"]), call["resourceId"])
    return rendered(one, embed=call.get("embed", ()))


@operation("apigateway", "GetResources", "GET", _ALL, 200, query="position limit:int embed:[string]")
def _list(state: State, call: Call) -> dict[str, Any]:
    resources = state.rest_api(call["restApiId"]).resources
    return call.page(resources, lambda one: rendered(one, embed=call.get("embed", ())))


def _rename(one: Resource, _: Sequence[str], value: str | None) -> Resource:
    return replace(one, path_part=value)


def _move(one: Resource, _: Sequence[str], value: str | None) -> Resource:
    return replace(one, parent_id=value)


_RULES = (Rule("/pathPart", _rename), Rule("/parentId", _move))


@operation("apigateway", "UpdateResource", "PATCH", _PATH, 200, body=PATCH_MEMBERS)
def _update(state: State, call: Call) -> dict[str, Any]:
    api = state.rest_api(call["restApiId"])
    before = resource_of(api, call["resourceId"])
    one = apply(before, call.get("patchOperations", []), _RULES)
    if one != before:
        if one.id == api.root_resource_id:
            raise bad_request("The root resource cannot be changed")
        if one.parent_id in _below(api.resources, one.id):
            raise bad_request("A resource cannot be moved below itself")
        api = _settled(with_resource(api, one), one)
        state.rest_apis[api.id] = api
    return rendered(api.resources[one.id])


def _below(resources: Mapping[str, Resource], top: str) -> Iterator[str | None]:
    """The ids of *top* and of all that hangs below it."""
    yield top
    for one in resources.values():
        if one.parent_id == top:
            yield from _below(resources, one.id)


@operation("apigateway", "DeleteResource", "DELETE", _PATH, 202)
def _delete(state: State, call: Call) -> None:
    api = state.rest_api(call["restApiId"])
    one = resource_of(api, call["resourceId"])
    if one.id == api.root_resource_id:
        raise bad_request("The root resource cannot be deleted")
    gone = set(_below(api.resources, one.id))
    kept = {name: resource for name, resource in api.resources.items() if name not in gone}
    state.rest_apis[api.id] = replace(api, resources=kept)
