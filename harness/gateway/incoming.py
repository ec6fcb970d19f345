"""The body of a caller's request: limits, stalls, and callers that go away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import HttpVersion11, web

from . import answers
from .answers import Fixed, Refused

__all__ = ["LARGEST", "PATIENCE", "Body", "CallerGone", "open_body", "read"]

LARGEST = 10 * 1024 * 1024
"""Octets of a caller's body, API Gateway's limit."""
PATIENCE = 30.0
"""Seconds that a caller may take for the next piece of its body."""
_WHOLE = 65_536
"""Bodies of so many octets at most are read before the backend is asked, so that they can be sent twice."""

Body = bytes | AsyncIterator[bytes] | None


class CallerGone(Exception):
    """The caller closed the connection before its request was complete."""


async def open_body(
    request: web.BaseRequest, *, too_large: Fixed = answers.TOO_LARGE, patience: float = PATIENCE
) -> tuple[Body, int | None]:
    """The body, and its length if it is an iterator of a known one; None when none was sent.

    Octets if they are few or have all come, else an iterator. That one too raises Refused when the body stalls, is
    broken or gets longer than LARGEST, and CallerGone.
    """
    length = request.content_length
    if length is None and "Transfer-Encoding" not in request.headers:
        return None, None
    if length is not None and length > LARGEST:
        raise Refused(too_large)
    content = request.content
    if length is not None and length <= _WHOLE and content.is_eof():
        return await content.read(), None
    expects = request.version >= HttpVersion11 and request.headers.get("Expect", "").lower() == "100-continue"
    if expects and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # RFC 9110 10.1.1
    pieces = _pieces(request, too_large, patience)
    if length is not None and length <= _WHOLE:
        return b"".join([piece async for piece in pieces]), None
    first = await anext(pieces, b"")
    if content.at_eof():
        return first, None
    return _chained(first, pieces), length


async def read(request: web.BaseRequest) -> bytes:
    """The whole body, empty when none was sent. Raises Refused and CallerGone as ``open_body`` does."""
    body, _ = await open_body(request)
    if isinstance(body, bytes):
        return body
    return b"" if body is None else b"".join([piece async for piece in body])


async def _pieces(request: web.BaseRequest, too_large: Fixed, patience: float) -> AsyncIterator[bytes]:
    size = 0
    while True:
        try:
            async with asyncio.timeout(patience):
                piece = await request.content.readany()
        except TimeoutError:
            raise Refused(answers.STALLED) from None
        except ConnectionError:
            raise CallerGone from None
        except Exception:  # aiohttp's for a broken body; its class is not public
            if request.transport is None:
                raise CallerGone from None
            raise Refused(answers.BAD_REQUEST) from None
        if not piece:
            return
        size += len(piece)
        if size > LARGEST:
            raise Refused(too_large)
        yield piece


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece
