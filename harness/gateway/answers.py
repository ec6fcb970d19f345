"""Answers to callers: the gateway's own fixed ones, and a response that goes out exactly as it is told.

aiohttp's own response adds Server and Content-Type, and takes header values as UTF-8; what a backend sent must come out
octet for octet, so ``Reply`` writes the head itself.
"""

from __future__ import annotations

import json
import os
import time
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import HttpVersion11, web

from .model import HttpApi, RestApi

__all__ = [
    "BAD_REQUEST",
    "DENIED",
    "DENIED_EXPLICITLY",
    "FORBIDDEN",
    "FORBIDDEN_BY_HTTP_API",
    "INTERNAL",
    "NETWORK_ERROR",
    "NOT_FOUND",
    "NO_AUTHORIZER",
    "NO_HTTP_AUTHORIZER",
    "NO_ROUTE",
    "NO_WEBSOCKETS",
    "STALLED",
    "TIMED_OUT",
    "TOO_LARGE",
    "TOO_LARGE_FOR_HTTP_API",
    "UNAUTHORIZED",
    "UNSUPPORTED_MEDIA",
    "Fixed",
    "Header",
    "Headers",
    "Refused",
    "Reply",
    "apigw_id",
    "http_api_failure",
    "json_reply",
]

Header = tuple[str, str]
"""A name and a value as they stand on the wire, UTF-8 with surrogateescape, so that any octet comes out as it came in."""
Headers = Iterable[Header]

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


@dataclass(frozen=True, slots=True)
class Fixed:
    """An answer of API Gateway's own: its body is JSON, byte for byte; *error_type* goes into ``x-amzn-ErrorType``."""

    status: int
    body: bytes
    error_type: str | None = None

    @property
    def headers(self) -> list[Header]:
        """Content-Type and the error's type."""
        headers = [("Content-Type", "application/json")]
        if self.error_type is not None:
            headers.append(("x-amzn-ErrorType", self.error_type))
        return headers


def _fixed(status: int, message: str, error_type: str | None = None, *, blank: str = "") -> Fixed:
    return Fixed(status, f'{{"message":{blank}{json.dumps(message)}}}'.encode(), error_type)


_OURS = "InternalServerErrorException"

FORBIDDEN = _fixed(403, "Forbidden", "ForbiddenException")
NO_ROUTE = _fixed(403, "Missing Authentication Token", "MissingAuthenticationTokenException")
NOT_FOUND = _fixed(404, "Not Found")
TOO_LARGE = _fixed(413, "HTTP content length exceeded 10485760 bytes.", "RequestTooLargeException")
TOO_LARGE_FOR_HTTP_API = _fixed(413, "Request Entity Too Large")
UNSUPPORTED_MEDIA = _fixed(415, "Unsupported Media Type", "UnsupportedMediaTypeException")
STALLED = _fixed(408, "Request Timeout", "RequestTimeoutException")
BAD_REQUEST = _fixed(400, "Bad Request", "BadRequestException")
NO_WEBSOCKETS = _fixed(501, "WebSocket traffic is not emulated", "NotImplementedException")
FORBIDDEN_BY_HTTP_API = _fixed(403, "Forbidden")
NO_AUTHORIZER = Fixed(500, b'{"message":null}', "AuthorizerConfigurationException")
UNAUTHORIZED = _fixed(401, "Unauthorized", "UnauthorizedException")
_DENIED = "User is not authorized to access this resource"
DENIED = Fixed(403, f'{{"Message":"{_DENIED}"}}'.encode(), "AccessDeniedException")
DENIED_EXPLICITLY = Fixed(403, f'{{"Message":"{_DENIED} with an explicit deny"}}'.encode(), "AccessDeniedException")
NO_HTTP_AUTHORIZER = _fixed(500, "Internal Server Error")

# With a blank after the colon, as captured (facts: 56 octets for the 504).
INTERNAL = _fixed(500, "Internal server error", _OURS, blank=" ")
NETWORK_ERROR = _fixed(504, "Network error communicating with endpoint", _OURS, blank=" ")
TIMED_OUT = _fixed(504, "Endpoint request timed out", _OURS, blank=" ")

_HTTP_API_FAILURES = {
    500: _fixed(500, "Internal Server Error"),
    503: _fixed(503, "Service Unavailable"),
    504: _fixed(504, "Gateway Timeout"),
}


def http_api_failure(status: int) -> Fixed:
    """What an HTTP API says when its integration failed, by the setting ``http_api_error_status``."""
    return _HTTP_API_FAILURES[status]


class Refused(Exception):
    """The gateway answers by itself; *api* is whose answer it is, as far as one was found."""

    def __init__(self, answer: Fixed, api: RestApi | HttpApi | None = None) -> None:
        super().__init__(answer.body.decode())
        self.answer, self.api = answer, api


def apigw_id() -> str:
    """A fresh ``x-amz-apigw-id``: sixteen characters of base64, the last of them padding."""
    return b64encode(os.urandom(11)).decode()


# --- the response


class _Clock:
    """The Date of this second."""

    second, text = 0, ""

    @classmethod
    def date(cls) -> str:
        now = int(time.time())
        if now != cls.second:
            cls.second, cls.text = now, formatdate(now, usegmt=True)
        return cls.text


class Reply(web.StreamResponse):
    """A status, headers and a body, sent as given, with Date, Connection and the body's framing added.

    With *body* it is whole. Without (None) the body is streamed: ``prepare``, ``write`` as often as there is something,
    then ``write_eof``; *length* is its length where known. *close* ends the connection behind it.
    """

    def __init__(
        self,
        status: int,
        headers: Headers,
        body: bytes | None = b"",
        *,
        reason: str | None = None,
        length: int | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(status=status)
        self._pairs, self._whole = headers, body
        self._words = _PHRASES.get(status, "") if reason is None else reason
        self._known = length if body is None else len(body)
        self._ends = close
        self._in_chunks = self._silent = self._begun = self._done = False
        self._to: web.BaseRequest | None = None

    @property
    def prepared(self) -> bool:
        """Whether the head has gone."""
        return self._begun

    @property
    def keep_alive(self) -> bool:
        """Whether the connection may carry another request."""
        return not self._ends

    def force_close(self) -> None:
        """End the connection behind this answer."""
        self._ends = True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send the head, unless the whole answer goes out in one piece later."""
        if self._to is not None:
            return
        self._to = request
        self._ends = self._ends or not request.keep_alive
        if self._whole is None:
            self._send(self._head(request))

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send a piece of the body, and wait while the caller reads slowly."""
        if self._silent or not data:
            return
        self._send(b"%x\r\n%b\r\n" % (len(data), bytes(data)) if self._in_chunks else bytes(data))
        await self._drain()

    async def write_eof(self, data: bytes = b"") -> None:
        """Send what is still to be sent."""
        if self._done:
            return
        self._done = True
        assert self._to is not None
        if self._whole is not None:
            head = self._head(self._to)
            self._send(head if self._silent else head + self._whole)
        elif self._in_chunks:
            self._send(b"0\r\n\r\n")
        await self._drain()

    def break_off(self) -> None:
        """The rest of the body cannot be had: close the connection, so that the caller sees it is not complete."""
        self._done = self._ends = True
        if self._to is not None and self._to.transport is not None:
            self._to.transport.abort()

    def _head(self, request: web.BaseRequest) -> bytes:
        self._begun = True
        status = self.status
        bodiless = status in _WITHOUT_BODY
        self._silent = bodiless or request.method == "HEAD"
        lines = [f"HTTP/1.1 {status} {self._words}\r\nDate: {_Clock.date()}\r\n"]
        lines += [f"{name}: {value}\r\n" for name, value in self._pairs]
        if self._known is not None and not bodiless:
            lines.append(f"Content-Length: {self._known}\r\n")
        elif not self._silent:
            self._in_chunks = request.version >= HttpVersion11
            self._ends = self._ends or not self._in_chunks  # HTTP/1.0 knows no chunks: the close ends the body
            if self._in_chunks:
                lines.append("Transfer-Encoding: chunked\r\n")
        if self._ends:
            lines.append("Connection: close\r\n")
        elif request.version < HttpVersion11:
            lines.append("Connection: keep-alive\r\n")
        lines.append("\r\n")
        return "".join(lines).encode("utf-8", "surrogateescape")

    def _send(self, data: bytes) -> None:
        transport = None if self._to is None else self._to.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the caller has gone")
        transport.write(data)

    async def _drain(self) -> None:
        """Wait for a slow caller, however slow it is: only its own answer waits."""
        assert self._to is not None
        transport = self._to.transport
        if transport is not None and transport.get_write_buffer_size():
            await self._to.writer.drain()


def json_reply(status: int, value: object, headers: Mapping[str, str] | None = None) -> Reply:
    """*value* as JSON."""
    pairs = [("Content-Type", "application/json"), *(headers or {}).items()]
    return Reply(status, pairs, json.dumps(value).encode())
