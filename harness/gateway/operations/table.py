"""The table of operations: one row says service, name, method, path, success status, members and the function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...pki.key_pool import KeyPool
from ..errors import ApiError, bad_request
from ..model import TestInvoke
from ..paging import page
from ..shapes import Misfit, Shape, declared
from ..state import State
from ..truststores import Fetched, Location, Needed
from ..wire import Service

__all__ = ["OPERATIONS", "PATCH_MEMBERS", "Call", "Operation", "Result", "Run", "operation"]

Result = Mapping[str, Any] | TestInvoke | None
"""Members of the answer; nothing; or what the data plane has to carry out first."""

PATCH_MEMBERS = "patchOperations:[{op path value from}]"
"""The body of every PATCH of v1. What the operations may be depends on the path, so ``op`` is no enumeration here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row of the table."""

    service: Service
    name: str
    method: str
    path: str
    """A template: ``{name}`` is one segment, ``{name+}`` the rest of the path."""
    status: int
    body: Shape
    query: Shape
    run: Run
    unless_query: tuple[str, str] | None = None
    """A value in the query that makes another operation, not emulated, of the same method and path."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the path's parameters, in their order."""
        return tuple(part[1:-1].rstrip("+") for part in self.path.split("/") if part.startswith("{"))

    def matches(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        """The path's parameters if *segments* fit the template; None if not."""
        wanted = self.path.strip("/").split("/")
        if wanted[-1].endswith("+}"):
            segments = (*segments[: len(wanted) - 1], "/".join(segments[len(wanted) - 1 :]))
        if len(wanted) != len(segments):
            return None
        found = {}
        for want, part in zip(wanted, segments, strict=True):
            if want.startswith("{") and part:
                found[want[1:-1].rstrip("+")] = part
            elif want != part:
                return None
        return found

    def members(
        self, path: Mapping[str, str], query: Mapping[str, list[str]], body: Mapping[str, Any]
    ) -> dict[str, Any]:
        """All members of a call by the SDK's names (v2: with a small first letter); raises BadRequestException."""
        try:
            asked = {
                name: member.shape.from_text(query[member.wire], name)
                for name, member in self.query.members.items()
                if member.wire in query
            }
            missing = [m.name for m in self.query.members.values() if m.required and m.name not in asked]
            if missing:
                raise Misfit(f"Missing required member: {missing[0]}")
            return {**self.body.check(body, ""), **asked, **path}
        except Misfit as misfit:
            raise bad_request(self._worded(str(misfit))) from None

    def _worded(self, text: str) -> str:
        if not text.startswith("Value '"):
            return text
        own = f"{self.name[0].lower()}{self.name[1:]}Input"
        return "1 validation error detected: " + text.replace("' at '", f"' at '{own}.", 1)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation: its members, checked."""

    operation: Operation
    members: Mapping[str, Any]
    keys: KeyPool
    fetched: Fetched | None = None
    """What was read for this call, which asked for it before."""

    def __getitem__(self, name: str) -> Any:
        """A member that is always there; KeyError otherwise."""
        return self.members[name]

    def get(self, name: str, default: Any = None) -> Any:
        """A member, or *default*."""
        return self.members.get(name, default)

    def has(self, name: str) -> bool:
        """Whether the caller gave this member."""
        return name in self.members

    def stored(self, names: str) -> dict[str, Any]:
        """Those of the members *names* (with blanks between them) that the caller gave, to be kept and shown."""
        return {name: self.members[name] for name in names.split() if name in self.members}

    def given(self, names: Mapping[str, str]) -> dict[str, Any]:
        """Fields of a model object by *names* (wire name to field) for the members that the caller gave."""
        return {field: self.members[name] for name, field in names.items() if name in self.members}

    def content(self, where: Location, limit: int) -> bytes:
        """The object at *where*. Raises Needed when it has yet to be read, and BadRequestException when it cannot be."""
        if self.fetched is None or self.fetched.location != where:
            raise Needed(where, limit)
        if isinstance(self.fetched.content, ApiError):
            raise self.fetched.content
        return self.fetched.content

    def page(self, objects: Mapping[str, Any], render: Callable[[Any], Mapping[str, Any]]) -> dict[str, Any]:
        """One page of *objects* as this service has its lists."""
        second = self.operation.service == "apigatewayv2"
        limit, token = (self._most_results(), "nextToken") if second else (self.get("limit"), "position")
        scope = "/".join([self.operation.name, *(self[name] for name in self.operation.parameters)])
        keys, following = page(objects, limit=limit, token=self.get(token), scope=scope)
        return {"items" if second else "item": [render(objects[key]) for key in keys], token: following}

    def _most_results(self) -> int | None:
        text = self.get("maxResults")  # a string in v2's model
        if text is None:
            return None
        if not (text.isascii() and text.isdecimal() and len(text) < 6):
            raise bad_request(f"Invalid maxResults specified: expected a whole number, saw '{text}'")
        return int(text)


Run = Callable[[State, Call], Result]

OPERATIONS: dict[tuple[Service, str], Operation] = {}
"""The table. The modules of this package fill it."""


def operation(
    service: Service,
    name: str,
    method: str,
    path: str,
    status: int,
    *,
    body: str = "",
    query: str = "",
    unless_query: tuple[str, str] | None = None,
) -> Callable[[Run], Run]:
    """Put a function into the table. *body* and *query* declare the members (see shapes.py)."""

    def register(run: Run) -> Run:
        OPERATIONS[service, name] = Operation(
            service=service,
            name=name,
            method=method,
            path=path,
            status=status,
            body=declared(body),
            query=declared(query),
            run=run,
            unless_query=unless_query,
        )
        return run

    return register


def not_emulated(what: str) -> ApiError:
    """501 NotImplementedException for a member or a value that the mock would otherwise have to ignore."""
    return ApiError("NotImplementedException", f"{what} is not emulated")
