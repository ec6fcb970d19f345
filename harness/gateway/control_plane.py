"""The control plane: from a request to an operation of the table, and from its result or refusal to an answer.

Pure and synchronous: it changes the State and does no I/O, so it runs on the thread that owns the State.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..pki.key_pool import KeyPool
from .errors import ApiError
from .model import TestInvoke
from .operations import OPERATIONS, Call, Operation
from .operations.table import Result
from .state import State
from .truststores import Fetched, Location, Needed
from .wire import ACM_TARGET, Answer, Service, answer, error_answer, parse_body, parse_query, segments, shown

__all__ = ["ControlPlane", "Fetch", "refusal"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Fetch(Generic[_T]):
    """An operation needs the object at *location* first, *limit* octets at most; *again* goes on with what was read.

    The operation starts afresh then, since the state may have changed meanwhile.
    """

    location: Location
    limit: int
    again: Callable[[bytes | ApiError], _T | Fetch[_T]]


class ControlPlane:
    """API Gateway's control plane, v1 and v2, and as much of ACM's as its certificates need."""

    def __init__(self, state: State, keys: KeyPool | None = None) -> None:
        self._state = state
        self._keys = KeyPool() if keys is None else keys

    def find(self, method: str, raw_path: str, headers: Mapping[str, str], query_string: str = "") -> Operation | None:
        """The operation that a request means; None for one that is not emulated."""
        found = self._match(method, raw_path, query_string, headers)
        return None if found is None else found[0]

    def handle(
        self, method: str, raw_path: str, query_string: str, headers: Mapping[str, str], body: bytes
    ) -> Answer | TestInvoke | Fetch[Answer]:
        """Carry a request out. A TestInvoke is for the data plane to carry out and answer with what comes of it.

        *raw_path* as it stands in the request line, without the query; *headers* by any case.
        """
        service = _service(raw_path, headers)
        try:
            found = self._match(method, raw_path, query_string, headers)
            if found is None:
                raise ApiError("NotImplementedException", _not_emulated(method, raw_path, headers))
            operation, path = found
        except ApiError as error:
            return error_answer(error, service, None)
        try:
            members = operation.members(path, parse_query(query_string), parse_body(body))
        except ApiError as error:
            return refusal(error, operation)
        return self._answered(operation, members, None)

    def _answered(
        self, operation: Operation, members: Mapping[str, Any], fetched: Fetched | None
    ) -> Answer | TestInvoke | Fetch[Answer]:
        def again(where: Location, got: bytes | ApiError) -> Answer | Fetch[Answer]:
            given = self._answered(operation, members, Fetched(where, got))
            assert not isinstance(given, TestInvoke)
            return given

        try:
            result = self._run(operation, members, fetched)
        except Needed as needed:
            where = needed.location
            return Fetch(where, needed.limit, lambda got: again(where, got))
        except ApiError as error:
            return refusal(error, operation)
        if isinstance(result, TestInvoke):
            return result
        return answer(operation.status, result, operation.service, operation.name)

    def perform(self, name: str, service: Service = "apigateway", /, **members: Any) -> dict[str, Any]:
        """An operation without HTTP: members by the SDK's names (v2's with a small first letter), as the answer has them.

        Raises ApiError where the operation is refused, TypeError for a member or an operation that does not exist, and
        for what needs I/O: TestInvokeMethod, which ``prepare_test`` is for, and truststores, which ``begin`` is for.
        """
        result = self.begin(name, service, **members)
        if isinstance(result, Fetch):
            raise TypeError(f"{name} has to read {result.location}: begin() says so")
        return result

    def begin(
        self, name: str, service: Service = "apigateway", /, **members: Any
    ) -> dict[str, Any] | Fetch[dict[str, Any]]:
        """As ``perform``; a Fetch where an object has to be read first."""
        return self._shown(*self._prepared(name, service, members), None)

    def _shown(
        self, operation: Operation, members: Mapping[str, Any], fetched: Fetched | None
    ) -> dict[str, Any] | Fetch[dict[str, Any]]:
        try:
            result = self._run(operation, members, fetched)
        except Needed as needed:
            where = needed.location
            return Fetch(where, needed.limit, lambda got: self._shown(operation, members, Fetched(where, got)))
        if isinstance(result, TestInvoke):
            raise TypeError("TestInvokeMethod is carried out by the data plane: prepare_test() gives what it needs")
        return dict(shown(result or {}, operation.service))

    def prepare_test(self, **members: Any) -> TestInvoke:
        """What TestInvokeMethod with these members is to carry out; raises ApiError."""
        result = self._run(*self._prepared("TestInvokeMethod", "apigateway", members))
        assert isinstance(result, TestInvoke)
        return result

    def _prepared(self, name: str, service: Service, members: Mapping[str, Any]) -> tuple[Operation, dict[str, Any]]:
        operation = OPERATIONS.get((service, name))
        if operation is None:
            raise TypeError(f"{service} has no operation {name} here")
        known = {*operation.parameters, *operation.query.members, *operation.body.members}
        missing = set(operation.parameters) - members.keys()
        if missing or members.keys() - known:
            wrong = ", ".join(sorted(missing or members.keys() - known))
            raise TypeError(f"{name}: {'missing' if missing else 'unknown'} member {wrong}")
        path = {key: str(members[key]) for key in operation.parameters}
        query = {
            member.wire: [str(one) for one in (value if isinstance(value, list | tuple) else [value])]
            for key, member in operation.query.members.items()
            if (value := members.get(key)) is not None
        }
        body = {member.wire: members[key] for key, member in operation.body.members.items() if key in members}
        return operation, operation.members(path, query, body)

    def _run(self, operation: Operation, members: Mapping[str, Any], fetched: Fetched | None = None) -> Result:
        return operation.run(self._state, Call(operation, members, self._keys, fetched))

    def _match(
        self, method: str, raw_path: str, query_string: str, headers: Mapping[str, str]
    ) -> tuple[Operation, dict[str, str]] | None:
        target = _target(headers)
        if target is not None:
            operation = OPERATIONS.get(("acm", target)) if method == "POST" and raw_path in ("", "/") else None
            return None if operation is None else (operation, {})
        parts = segments(raw_path)
        for operation in OPERATIONS.values():
            if operation.service == "acm" or operation.method != method:
                continue
            path = operation.matches(parts)
            if path is not None:
                other = operation.unless_query
                if other is not None and other[1] in parse_query(query_string).get(other[0], ()):
                    return None
                return operation, path
        return None


def refusal(error: ApiError, operation: Operation) -> Answer:
    """The answer of *operation* to a refusal, also to one that is injected before the operation acts."""
    if operation.service == "acm" and error.code == "BadRequestException":
        error = ApiError("ValidationException", error.message)  # ACM has no BadRequestException
    return error_answer(error, operation.service, operation.name)


def _target(headers: Mapping[str, str]) -> str | None:
    value = next((value for name, value in headers.items() if name.lower() == "x-amz-target"), "")
    return value.removeprefix(ACM_TARGET) if value.startswith(ACM_TARGET) else None


def _service(raw_path: str, headers: Mapping[str, str]) -> Service:
    if _target(headers) is not None:
        return "acm"
    return "apigatewayv2" if segments(raw_path)[0] == "v2" else "apigateway"


def _not_emulated(method: str, raw_path: str, headers: Mapping[str, str]) -> str:
    target = _target(headers)
    what = f"{method} {raw_path}" + (f" ({ACM_TARGET}{target})" if target is not None else "")
    return f"Not emulated: {what}. See docs/gateway.md for the operations that are"
