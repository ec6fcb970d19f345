"""Base path mappings of custom domain names (v1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..domain_model import DomainMapping, DomainName
from ..errors import bad_request, not_found
from ..patch import Rule, apply
from ..state import State
from .domain_lookups import domain_of, mapping_id, with_mapping
from .table import PATCH_MEMBERS, Call, not_emulated, operation

__all__ = ["NONE"]

_ALL = "/domainnames/{domainName}/basepathmappings"
_PATH = f"{_ALL}/{{basePath}}"
NONE = "(none)"
"""How an empty base path is shown and addressed."""
_PART = re.compile(r"[A-Za-z0-9$_.+!*'()-]{1,300}")


def _rendered(one: DomainMapping) -> dict[str, Any]:
    return {"basePath": one.key or NONE, "restApiId": one.api_id, "stage": one.stage}


def _key(text: str | None) -> str:
    """The base path that is meant; one segment at most, since only v2's mappings have several."""
    key = "" if text in (None, NONE) else str(text).strip("/")
    if key and not _PART.fullmatch(key):
        raise bad_request(f"Invalid base path specified: {key[:300]}")
    return key


def _checked(state: State, one: DomainMapping) -> DomainMapping:
    """*one*, if its API and its stage are there; raises BadRequestException."""
    api = state.rest_apis.get(one.api_id)
    if api is None:
        raise bad_request(f"Invalid API identifier specified {state.account_id}:{one.api_id}")
    if one.stage is not None and one.stage not in api.stages:
        raise bad_request("Invalid stage identifier specified")
    return one


def _domain(state: State, call: Call) -> DomainName:
    if call.has("domainNameId"):
        raise not_emulated("domainNameId, which private domain names have,")
    return domain_of(state, call["domainName"])


def _found(state: State, call: Call) -> tuple[DomainName, DomainMapping]:
    domain = _domain(state, call)
    one = domain.mapped("" if call["basePath"] == NONE else call["basePath"])
    if one is None:
        raise not_found("Invalid base path mapping identifier specified")
    return domain, one


@operation(
    "apigateway", "CreateBasePathMapping", "POST", _ALL, 201, body="basePath restApiId* stage", query="domainNameId"
)
def _create(state: State, call: Call) -> dict[str, Any]:
    domain = _domain(state, call)
    one = DomainMapping(
        id=mapping_id(domain),
        key=_key(call.get("basePath")),
        api_id=call["restApiId"],
        stage=call.get("stage") or None,
    )
    state.domain_names[domain.name] = with_mapping(domain, _checked(state, one))
    return _rendered(one)


@operation("apigateway", "GetBasePathMapping", "GET", _PATH, 200, query="domainNameId")
def _get(state: State, call: Call) -> dict[str, Any]:
    return _rendered(_found(state, call)[1])


@operation("apigateway", "GetBasePathMappings", "GET", _ALL, 200, query="domainNameId position limit:int")
def _list(state: State, call: Call) -> dict[str, Any]:
    by_path = {one.key or NONE: one for one in _domain(state, call).mappings.values()}
    return call.page(by_path, _rendered)


@operation("apigateway", "DeleteBasePathMapping", "DELETE", _PATH, 202, query="domainNameId")
def _delete(state: State, call: Call) -> None:
    domain, gone = _found(state, call)
    kept = {name: one for name, one in domain.mappings.items() if name != gone.id}
    state.domain_names[domain.name] = replace(domain, mappings=kept)


# --- UpdateBasePathMapping


def _move(one: DomainMapping, _: Sequence[str], value: str | None) -> DomainMapping:
    return replace(one, key=_key(value))


def _api(one: DomainMapping, _: Sequence[str], value: str | None) -> DomainMapping:
    return replace(one, api_id=value or "")


def _stage(one: DomainMapping, _: Sequence[str], value: str | None) -> DomainMapping:
    return replace(one, stage=value or None)


_RULES = (Rule("/basePath", _move), Rule("/restapiId", _api), Rule("/stage", _stage))


@operation("apigateway", "UpdateBasePathMapping", "PATCH", _PATH, 200, body=PATCH_MEMBERS, query="domainNameId")
def _update(state: State, call: Call) -> dict[str, Any]:
    domain, before = _found(state, call)
    one = _checked(state, apply(before, call.get("patchOperations", []), _RULES))
    state.domain_names[domain.name] = with_mapping(domain, one)
    return _rendered(one)
