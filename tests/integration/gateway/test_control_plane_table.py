"""Every operation of the contract through boto3, held against botocore's own model of the service."""

from __future__ import annotations

from typing import Any

import botocore
import pytest
from botocore.model import ListShape, MapShape, OperationModel, StructureShape
from botocore.model import Shape as Modelled

from pytest_mtls.harness.gateway.operations import OPERATIONS
from pytest_mtls.harness.gateway.shapes import Shape
from pytest_mtls.harness.pki.authority import new_hierarchy
from pytest_mtls.harness.pki.truststore import Truststore

from .sdk import Account
from .walk import CONTRACT, Walk


@pytest.fixture(scope="module")
def walk() -> Walk:
    """Every operation, called once in an order in which each finds what it needs."""
    walk = Walk(Account(objects=Truststore.of([new_hierarchy().root]).pem))
    walk.all()
    return walk


def _model(service: str, name: str) -> OperationModel:
    return _ACCOUNT.clients[service].meta.service_model.operation_model(name)


_ACCOUNT = Account()
_EVERY = [(service, name) for service, names in CONTRACT.items() for name in names]


def test_table_has_the_operations_of_the_contract_and_no_others() -> None:
    """None is missing, and none is there that nobody promised."""

    assert sorted(OPERATIONS) == sorted(_EVERY)


@pytest.mark.parametrize(("service", "name"), _EVERY)
def test_operation_is_at_the_models_method_and_path(service: str, name: str) -> None:
    """The templates differ in nothing but the names of the parameters."""
    own, modelled = OPERATIONS[service, name], _model(service, name)  # type: ignore[index]

    def form(path: str) -> list[str]:
        return ["*" if part.startswith("{") else part for part in path.strip("/").split("/")]

    assert (own.method, form(own.path)) == (modelled.http["method"], form(modelled.http["requestUri"]))


@pytest.mark.parametrize(("service", "name"), _EVERY)
def test_operation_succeeds_with_the_models_status(service: str, name: str, walk: Walk) -> None:
    """The model says nothing where it is 200."""

    assert walk.statuses[service, name] == _model(service, name).http.get("responseCode", 200)


@pytest.mark.parametrize(("service", "name"), _EVERY)
def test_answer_has_only_members_of_the_models_shape(service: str, name: str, walk: Walk) -> None:
    """A member that the SDK does not know would be dropped in silence."""
    modelled = _model(service, name).output_shape

    assert modelled is not None or walk.answers[service, name] == {}
    if modelled is not None:
        assert _strangers(walk.answers[service, name], modelled) == []


def _strangers(value: Any, shape: Modelled, where: str = "") -> list[str]:
    """The places of *value*, as on the wire, that *shape* does not have, or has of another type."""
    if isinstance(shape, StructureShape):
        if not isinstance(value, dict):
            return [f"{where} is no object"]
        known = {one.serialization.get("name", name): one for name, one in shape.members.items()}
        return [
            one
            for name, item in value.items()
            for one in (_strangers(item, known[name], f"{where}.{name}") if name in known else [f"{where}.{name}"])
        ]
    if isinstance(shape, ListShape):
        if not isinstance(value, list):
            return [f"{where} is no list"]
        return [one for item in value for one in _strangers(item, shape.member, f"{where}[]")]
    if isinstance(shape, MapShape):
        if not isinstance(value, dict):
            return [f"{where} is no object"]
        return [one for name, item in value.items() for one in _strangers(item, shape.value, f"{where}.{name}")]
    return [] if isinstance(value, _TYPES[shape.type_name]) else [f"{where} is {value!r}, not {shape.type_name}"]


_TYPES: dict[str, Any] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "double": (int, float),
    "timestamp": (int, str),
}


def test_v1_dates_are_whole_seconds_and_v2_dates_end_in_z(walk: Walk) -> None:
    """The two services write them differently."""
    first, second = walk.answers["apigateway", "GetStage"], walk.answers["apigatewayv2", "GetStage"]

    assert [type(first[name]) for name in ("createdDate", "lastUpdatedDate")] == [int, int]
    assert [second[name][-1] for name in ("createdDate", "lastUpdatedDate")] == ["Z", "Z"]


def test_no_answer_holds_a_private_key(walk: Walk) -> None:
    """Neither of generated certificates nor of imported ones."""

    assert set(walk.answers) == set(_EVERY)
    assert [body for body in walk.bodies if b"PRIVATE KEY" in body] == []


# --- the declared members beside the model's

_PATCH_OP = "patchOperations[].op"
"""Checked against what the path allows instead, so that the refusal can say it."""
_NEWER = tuple(int(part) for part in botocore.__version__.split(".")[:2]) > (1, 44)
"""A model newer than the one that the table was written by may have more optional members and words."""
_FREE = {
    ("acm", "ListCertificates"): ("Includes",),  # filters that are answered 501 whatever they say
    ("apigateway", "CreateAuthorizer"): ("jwtConfiguration",),  # likewise
    # read-only in truth, and not looked at
    ("apigatewayv2", "CreateDomainName"): ("domainNameConfigurations[].certificateUploadDate",),
    ("apigatewayv2", "UpdateDomainName"): ("domainNameConfigurations[].certificateUploadDate",),
}


@pytest.mark.parametrize(("service", "name"), _EVERY)
def test_declared_members_are_the_models(service: str, name: str) -> None:
    """Names, wire names, required members, types and enumerations."""
    own, modelled = OPERATIONS[service, name], _model(service, name).input_shape  # type: ignore[index]
    places: dict[str, dict[str, Modelled]] = {"uri": {}, "querystring": {}, "body": {}}
    for member, shape in ({} if modelled is None else modelled.members).items():
        places[shape.serialization.get("location", "body")][member] = shape
    required = [] if modelled is None else modelled.required_members

    free = _FREE.get((service, name), ())
    assert sorted(own.parameters) == sorted(_name(service, member) for member in places["uri"])
    for declared, place in ((own.query, "querystring"), (own.body, "body")):
        assert _in_structure(service, declared, places[place], required, "", free) == []


def _name(service: str, member: str) -> str:
    return member[0].lower() + member[1:] if service == "apigatewayv2" else member


def _differences(service: str, own: Shape, modelled: Modelled, where: str, free: tuple[str, ...]) -> list[str]:
    if where in free or where == _PATCH_OP:
        return []
    if _KINDS[modelled.type_name] != own.kind:
        return [f"{where}: {own.kind} is {modelled.type_name}"]
    if isinstance(modelled, StructureShape):
        return _in_structure(service, own, modelled.members, modelled.required_members, where, free)
    if isinstance(modelled, ListShape | MapShape):
        assert own.of is not None
        inner = modelled.member if isinstance(modelled, ListShape) else modelled.value
        return _differences(service, own.of, inner, f"{where}[]", free)
    words = set(getattr(modelled, "enum", ()))
    if words != set(own.values) and not (_NEWER and words > set(own.values)):
        return [f"{where}: {own.values} is {getattr(modelled, 'enum', ())}"]
    return []


def _in_structure(
    service: str, own: Shape, members: dict[str, Modelled], required: list[str], where: str, free: tuple[str, ...]
) -> list[str]:
    wanted = {_name(service, name): (name, shape) for name, shape in members.items()}
    if set(wanted) != set(own.members) and not (_NEWER and set(wanted) > set(own.members)):
        return [f"{where}: {sorted(set(wanted) ^ set(own.members))}"]
    found = []
    for short, (name, shape) in wanted.items():
        place = f"{where}.{short}".lstrip(".")
        if short not in own.members:
            assert name not in required, f"{place} is required"
            continue
        member = own.members[short]
        if (member.wire, member.required) != (shape.serialization.get("name", name), name in required):
            found.append(f"{place}: wire {member.wire}, required {member.required}")
        found += _differences(service, member.shape, shape, place, free)
    return found


_KINDS = {
    "string": "string",
    "boolean": "bool",
    "integer": "int",
    "double": "number",
    "blob": "blob",
    "list": "list",
    "map": "map",
    "structure": "structure",
}
