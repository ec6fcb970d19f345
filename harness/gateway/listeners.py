"""The two ports: HTTP of aiohttp's low-level server on both, and who answers what.

Plain: ``/_mtls/``, default endpoints by path or Host, and the control plane for the rest. TLS: default endpoints by name.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ..errors import StartError
from ..tls.transport import ServedPeer
from . import answers
from .answers import Reply, apigw_id
from .ids import new_request_id

__all__ = ["Handler", "Listeners", "Target", "bind", "server_name", "target_of"]

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_LOG = logging.getLogger("pytest_mtls.gateway")
_LOG.addHandler(logging.NullHandler())  # what a caller does wrong is nothing for standard error

_HEADERS_AT_MOST = 20_480
"""Octets of a header line: AWS's limit for all of them."""
_IDLE_SECONDS = 310.0
"""AWS's idle time-out; also how long a caller may take for the head of a request."""
_LINGER_SECONDS = 5.0
"""How long a body that nobody wants is still read, so that the caller gets to read the answer."""
_LAST_REQUESTS = 0.1
"""Seconds after the ports closed in which requests on open connections are still taken: they were on their way."""

_CLOSING_SECONDS = 0.2
"""For connections that do not close by themselves."""

Front = Callable[[Callable[[], asyncio.Protocol]], asyncio.Protocol]
Target = tuple[str, str]
"""Raw path and raw query."""


def target_of(request: web.BaseRequest) -> Target:
    """What is asked for, as it stood in the request line, also in absolute form (RFC 9112 3.2.2)."""
    target = request.raw_path
    if not target.startswith("/"):
        _, scheme, rest = target.partition("://")
        if scheme:
            authority_end = min(at for at in (rest.find("/"), rest.find("?"), len(rest)) if at >= 0)
            target = rest[authority_end:]
            target = target if target.startswith("/") else f"/{target}"
    path, _, query = target.partition("?")
    return path, query


class _HttpHandler(web.RequestHandler):
    """aiohttp's, but that what is no HTTP gets an answer of API Gateway's shape."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to a request that could not be read, or whose handler failed."""
        if request.transport is None or request.transport.is_closing() or isinstance(exc, ConnectionError):
            raise ConnectionResetError("the caller has gone")
        broken = isinstance(exc, HttpProcessingError)
        if not broken:
            _LOG.error("%s %s: unexpected failure", request.method, request.raw_path, exc_info=exc)
        answer = answers.BAD_REQUEST if broken else answers.INTERNAL
        identity = [("x-amzn-RequestId", new_request_id()), ("x-amz-apigw-id", apigw_id())]
        return Reply(answer.status, [*answer.headers, *identity], answer.body, close=True)


class Listeners:
    """Accepts on both ports, and knows which connections are busy, so that none is cut off at the end."""

    def __init__(self, plain: Handler, tls: Handler) -> None:
        self._loop = asyncio.get_running_loop()
        self._plain, self._tls = self._server(plain), self._server(tls)
        self._accepting: list[asyncio.Server] = []
        self._busy: dict[Any, None] = {}
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._stopping = False

    async def start(self, plain: socket.socket, tls: socket.socket, front: Front) -> None:
        """Serve on listening sockets; *front* wraps the protocol for HTTP in the one for TLS."""
        self._accepting = [
            await self._loop.create_server(lambda: self._handler(self._plain), sock=plain, backlog=1024),
            await self._loop.create_server(lambda: front(lambda: self._handler(self._tls)), sock=tls, backlog=1024),
        ]

    async def stop(self, grace: float) -> None:
        """Accept nothing more, let requests in flight finish for *grace* seconds at most, close all connections."""
        self._stopping = True
        for port in self._accepting:
            port.close()
        end = self._loop.time() + grace
        servers = (self._plain, self._tls)
        if any(server.connections for server in servers):
            await asyncio.sleep(min(grace, _LAST_REQUESTS))  # there is no event for what has not come yet
        for server in servers:
            for connection in server.connections:
                if connection not in self._busy:
                    connection.close()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                await self._at_rest.wait()
        for server in servers:
            await server.shutdown(timeout=_CLOSING_SECONDS)

    def _server(self, answer: Handler) -> web.Server:
        async def tracked(request: web.BaseRequest) -> web.StreamResponse:
            connection = request.protocol
            self._busy[connection] = None
            self._at_rest.clear()
            try:
                reply = await answer(request)
                if self._stopping:
                    reply.force_close()
                await reply.prepare(request)
                await reply.write_eof()
                if reply.status == HTTPStatus.REQUEST_TIMEOUT and not request.content.is_eof() and request.transport:
                    request.transport.close()  # aiohttp would wait for the rest of the body, which does not come
                return reply
            finally:
                self._busy.pop(connection, None)
                if not self._busy:
                    self._at_rest.set()

        return web.Server(tracked)

    def _handler(self, server: web.Server) -> _HttpHandler:
        return _HttpHandler(
            server,
            loop=self._loop,
            keepalive_timeout=_IDLE_SECONDS,
            max_line_size=_HEADERS_AT_MOST,
            max_field_size=_HEADERS_AT_MOST,
            lingering_time=_LINGER_SECONDS,
            auto_decompress=False,  # bodies are passed on octet for octet
            access_log=None,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # aiohttp's way to have none
            logger=_LOG,
        )


def server_name(request: web.BaseRequest) -> str | None:
    """The name that the caller gave in TLS (SNI), lower case."""
    peer: ServedPeer = request.get_extra_info("mtls")
    return None if peer.server_name is None else peer.server_name.lower()


def bind(host: str, port: int, option: str) -> socket.socket:
    """A listening socket; raises StartError, naming *option*, when there is none to be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        reason = str(error.strerror or error).partition(" (while")[0]
        raise StartError(
            f"{option} ({host}:{port}): expected an address to listen on, saw: {reason}. Choose another one, or 0."
        ) from error
