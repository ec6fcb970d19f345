"""The execution log of a request, in AWS's words and order (real logs of TestInvokeMethod and CloudWatch)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ..clock import Clock
from .answers import Header
from .context import MONTHS

__all__ = ["CUT_AT", "ExecutionLog", "shown"]

CUT_AT = 998
"""Characters of a line that are kept; what is longer ends in ``[TRUNCATED]``, as a CloudWatch event ends at 1,024 octets."""

_SECRET = frozenset({"authorization", "x-api-key", "x-amz-security-token"})
_OPEN_END = 6


class ExecutionLog:
    """The lines of one attempt, written when they are first read. With *clock* each keeps its moment, for ``text``.

    Most logs are never read, and writing one takes as long as a quarter of its request.
    """

    __slots__ = ("_clock", "_lines", "_moments", "_steps")

    def __init__(self, clock: Clock | None = None, *, lines: Sequence[str] = ()) -> None:
        self._lines = list(lines)
        self._clock = clock
        self._moments: list[datetime] = []
        self._steps: list[tuple[Callable[..., Iterable[str]], tuple[Any, ...]]] = []

    @property
    def lines(self) -> list[str]:
        """All lines; always the same list, which is brought up to date by reading this."""
        for write, facts in self._steps:
            for line in write(*facts):
                self._lines.append(line if len(line) <= CUT_AT else f"{line[:CUT_AT]} [TRUNCATED]")
                if self._clock is not None:
                    self._moments.append(self._clock())
        self._steps.clear()
        return self._lines

    def begin(
        self,
        request_id: str,
        method: str,
        resource_path: str,
        *,
        path: Mapping[str, str],
        query: str,
        headers: Sequence[Header],
        body: bytes | None,
    ) -> None:
        """What the caller asked; *query* as it stands in the URL."""
        self._note(_begun, request_id, method, resource_path, path, query, headers, _excerpt(body))

    def send(self, uri: str, headers: Sequence[Header], body: bytes | None) -> None:
        """What goes to the backend."""
        self._note(_sent, uri, headers, _excerpt(body))

    def receive(self, status: int, latency_ms: float, headers: Sequence[Header], body: bytes | None) -> None:
        """What the backend answered."""
        self._note(_received, status, latency_ms, headers, _excerpt(body))

    def complete(self, status: int, headers: Sequence[Header], body: bytes | None) -> None:
        """What the caller gets."""
        self._note(_completed, status, headers, _excerpt(body))

    def fail(self, line: str, status: int | None) -> None:
        """Why there was no answer, and what the caller gets (None: that is not for this attempt to say)."""
        self._note(_failed, line, status)

    def text(self, request_id: str) -> str:
        """The log as TestInvokeMethod returns it: each line with its moment, a line end behind the last one too."""
        stamped = [f"{_stamp(moment)} : {line}" for line, moment in zip(self.lines, self._moments, strict=True)]
        return "\n".join([f"Execution log for request {request_id}", *stamped, ""])

    def _note(self, write: Callable[..., Iterable[str]], *facts: Any) -> None:
        self._steps.append((write, facts))
        if self._clock is not None:
            _ = self.lines  # now is their moment


def _begun(
    request_id: str,
    method: str,
    resource_path: str,
    path: Mapping[str, str],
    query: str,
    headers: Sequence[Header],
    body: bytes,
) -> Iterable[str]:
    pairs = [(name, value) for name, _, value in (pair.partition("=") for pair in query.split("&") if pair)]
    yield f"Starting execution for request: {request_id}"
    yield f"HTTP Method: {method}, Resource Path: {resource_path}"
    yield f"Method request path: {shown(path.items())}"
    yield f"Method request query string: {shown(pairs)}"
    yield f"Method request headers: {shown(headers)}"
    yield f"Method request body before transformations: {_text(body)}"


def _sent(uri: str, headers: Sequence[Header], body: bytes) -> Iterable[str]:
    yield f"Endpoint request URI: {uri}"
    yield f"Endpoint request headers: {shown(headers)}"
    yield f"Endpoint request body after transformations: {_text(body)}"
    yield f"Sending request to {uri}"


def _received(status: int, latency_ms: float, headers: Sequence[Header], body: bytes) -> Iterable[str]:
    yield f"Received response. Status: {status}, Integration latency: {round(latency_ms)} ms"
    yield f"Endpoint response headers: {shown(headers)}"
    yield f"Endpoint response body before transformations: {_text(body)}"


def _completed(status: int, headers: Sequence[Header], body: bytes) -> Iterable[str]:
    yield f"Method response body after transformations: {_text(body)}"
    yield f"Method response headers: {shown(headers)}"
    yield "Successfully completed execution"
    yield f"Method completed with status: {status}"


def _failed(line: str, status: int | None) -> Iterable[str]:
    yield line
    if status is not None:
        yield f"Method completed with status: {status}"


def shown(pairs: Iterable[Header]) -> str:
    """``{name=value, …}``, secrets hidden but for their last characters, repeated names once with all values."""
    values: dict[str, str] = {}
    for name, value in pairs:
        if name.lower() in _SECRET:
            value = (
                "*" * max(len(value) - _OPEN_END, 10) + value[-_OPEN_END:] if len(value) > 2 * _OPEN_END else "*" * 10
            )
        values[name] = f"{values[name]},{value}" if name in values else value
    return "{" + ", ".join(f"{name}={value}" for name, value in values.items()) + "}"


def _excerpt(body: bytes | None) -> bytes:
    """As much of a body as can be seen: a character has four octets of UTF-8 at most."""
    return b"" if body is None else body[: 4 * CUT_AT]


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _stamp(moment: datetime) -> str:
    """As java.util.Date writes it, whatever the locale of this process."""
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.weekday()]
    return f"{day} {MONTHS[moment.month - 1]} {moment:%d %H:%M:%S} UTC {moment.year}"
