"""The execution log of a request, in AWS's words and order (real logs of TestInvokeMethod and CloudWatch)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from ..clock import Clock
from .answers import Header
from .context import MONTHS

__all__ = ["CUT_AT", "ExecutionLog", "shown"]

CUT_AT = 998
"""Characters of a line that are kept; what is longer ends in ``[TRUNCATED]``, as a CloudWatch event ends at 1,024 octets."""

_SECRET = frozenset({"authorization", "x-api-key", "x-amz-security-token"})
_OPEN_END = 6


class ExecutionLog:
    """The lines of one attempt. With *clock* each line keeps its moment, for ``text``."""

    __slots__ = ("_clock", "_moments", "lines")

    def __init__(self, clock: Clock | None = None, *, lines: Sequence[str] = ()) -> None:
        self.lines = list(lines)
        self._clock = clock
        self._moments: list[datetime] = []

    def say(self, *lines: str) -> None:
        """Add lines."""
        for line in lines:
            self.lines.append(line if len(line) <= CUT_AT else f"{line[:CUT_AT]} [TRUNCATED]")
            if self._clock is not None:
                self._moments.append(self._clock())

    def begin(
        self,
        request_id: str,
        method: str,
        resource_path: str,
        *,
        path: Mapping[str, str],
        query: Iterable[Header],
        headers: Iterable[Header],
        body: bytes | None,
    ) -> None:
        """What the caller asked."""
        self.say(
            f"Starting execution for request: {request_id}",
            f"HTTP Method: {method}, Resource Path: {resource_path}",
            f"Method request path: {shown(path.items())}",
            f"Method request query string: {shown(query)}",
            f"Method request headers: {shown(headers)}",
            f"Method request body before transformations: {_text(body)}",
        )

    def send(self, uri: str, headers: Iterable[Header], body: bytes | None) -> None:
        """What goes to the backend."""
        self.say(
            f"Endpoint request URI: {uri}",
            f"Endpoint request headers: {shown(headers)}",
            f"Endpoint request body after transformations: {_text(body)}",
            f"Sending request to {uri}",
        )

    def receive(self, status: int, latency_ms: float, headers: Iterable[Header], body: bytes | None) -> None:
        """What the backend answered."""
        self.say(
            f"Received response. Status: {status}, Integration latency: {round(latency_ms)} ms",
            f"Endpoint response headers: {shown(headers)}",
            f"Endpoint response body before transformations: {_text(body)}",
        )

    def complete(self, status: int, headers: Iterable[Header], body: bytes | None) -> None:
        """What the caller gets."""
        self.say(
            f"Method response body after transformations: {_text(body)}",
            f"Method response headers: {shown(headers)}",
            "Successfully completed execution",
            f"Method completed with status: {status}",
        )

    def fail(self, line: str, status: int | None) -> None:
        """Why there was no answer, and what the caller gets (None: the request is tried once more)."""
        self.say(line)
        if status is not None:
            self.say(f"Method completed with status: {status}")

    def text(self, request_id: str) -> str:
        """The log as TestInvokeMethod returns it: each line with its moment, a line end behind the last one too."""
        stamped = [f"{_stamp(moment)} : {line}" for moment, line in zip(self._moments, self.lines, strict=True)]
        return "\n".join([f"Execution log for request {request_id}", *stamped, ""])


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


def _text(body: bytes | None) -> str:
    # four octets of UTF-8 at most make a character; what is behind them is cut anyway
    return "" if body is None else body[: 4 * CUT_AT].decode("utf-8", "replace")


def _stamp(moment: datetime) -> str:
    """As java.util.Date writes it, whatever the locale of this process."""
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.weekday()]
    return f"{day} {MONTHS[moment.month - 1]} {moment:%d %H:%M:%S} UTC {moment.year}"
