"""Backends on the test's own event loop, and an Egress towards them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, TypeVar

from aiohttp import web
from OpenSSL import SSL

from pytest_mtls.harness.clock import Clock, system_clock
from pytest_mtls.harness.gateway.egress import Destination, Egress, Exchange, Outgoing, TlsRecord, Trust
from pytest_mtls.harness.gateway.settings import Settings
from pytest_mtls.harness.pki.authority import Hierarchy, new_hierarchy, server_credential
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.gateway_certificate import gateway_credential
from pytest_mtls.harness.tls.transport import ServedPeer, TlsServerProtocol

__all__ = [
    "NETWORK",
    "OK",
    "answer",
    "egress",
    "eventually",
    "gateway_certificate",
    "get",
    "hierarchy",
    "in_loop",
    "line",
    "one_attempt",
    "send_to",
    "serve_http",
    "serve_script",
    "server",
    "tls_of",
    "to",
    "whoami",
]

SECONDS = 30.0
NETWORK = "Execution failed due to a network error communicating with endpoint: Connection is closed"
"""What the execution log says of a connection that ended without a word."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

_T = TypeVar("_T")
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@lru_cache
def hierarchy() -> Hierarchy:
    """Whom the egress trusts."""
    return new_hierarchy(2)


@lru_cache
def server() -> Credential:
    """A good certificate for localhost and 127.0.0.1."""
    return server_credential(hierarchy=hierarchy())


def gateway_certificate(number: int = 1) -> Credential:
    """A gateway certificate, another one for each number."""
    return _gateway_certificate(number)


@lru_cache
def _gateway_certificate(number: int) -> Credential:
    return gateway_credential(name=f"gateway certificate {number}")


def in_loop(run: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run the test's coroutine, for no longer than it may take."""

    async def bounded() -> _T:
        async with asyncio.timeout(SECONDS):
            return await run()

    return asyncio.run(bounded())


@asynccontextmanager
async def egress(
    *,
    clock: Clock = system_clock,
    resolve: Mapping[str, tuple[str, int]] | None = None,
    trust: Trust | None = None,
    **settings: object,
) -> AsyncIterator[Egress]:
    """An Egress that trusts ``hierarchy``."""
    chosen = Settings().changed(settings)
    made = Egress(
        lambda: chosen, trust=trust or Trust([hierarchy().root], platform=False), resolve=resolve, clock=clock
    )
    try:
        yield made
    finally:
        await made.aclose()
        assert made.connections() == []


def to(
    port: int, host: str = "localhost", *, number: int | None = 1, scheme: Any = "https", **others: Any
) -> Destination:
    """A backend, asked with the gateway certificate of this number (None: with none)."""
    presented = None if number is None else gateway_certificate(number)
    name = None if number is None else f"cert{number}"
    return Destination(scheme, host, port, "abcdefghij", "prod", presented, name, **others)


def get(path: str = "/", *, method: str = "GET", body: Any = None, length: int | None = None) -> Outgoing:
    """A request."""
    return Outgoing(method, path, [("Host", "localhost"), ("Accept", "*/*")], body, length)


def send_to(port: int, host: str = "localhost", **settings: Any) -> Exchange:
    """One request; its answer is read."""
    ours = {name: settings.pop(name) for name in ("clock", "resolve", "trust") if name in settings}
    of_destination = {n: settings.pop(n) for n in ("number", "insecure_skip_verification") if n in settings}

    async def run() -> Exchange:
        async with egress(**ours, **settings) as sender:
            exchange = await sender.send(get(), to(port, host, **of_destination), timeout=10)
            if exchange.answer is not None:
                await exchange.answer.read()
            return exchange

    return in_loop(run)


def line(exchange: Exchange) -> str:
    """The line of the execution log."""
    assert exchange.failure is not None
    return exchange.failure.line


def one_attempt(exchange: Exchange) -> TlsRecord:
    """What the only attempt tells of TLS."""
    (attempt,) = exchange.attempts
    return tls_of(attempt.tls)


def tls_of(record: TlsRecord | None) -> TlsRecord:
    """The record, which must be there."""
    assert record is not None
    return record


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds; the test's deadline bounds it."""
    loop = asyncio.get_running_loop()
    while not condition():
        pause = loop.create_future()
        loop.call_later(0.01, pause.set_result, None)
        await pause


# --- backends


@asynccontextmanager
async def serve_http(
    handler: Handler, *, credential: Credential | None = None, ask: bool = True, names: tuple[Credential, ...] = ()
) -> AsyncIterator[int]:
    """aiohttp behind TLS 1.2 that lets every certificate in; gives the port."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    own = credential or server()
    context.use_certificate(own.leaf)
    for certificate in own.chain:
        context.add_extra_chain_cert(certificate)
    context.use_privatekey(own.key)
    context.set_session_id(b"egress")
    for known in names:
        context.add_client_ca(known.leaf)
    context.set_tlsext_servername_callback(TlsServerProtocol.choose_by_name)
    context.set_info_callback(TlsServerProtocol.note_step)
    http = web.Server(handler, access_log=None, keepalive_timeout=3600)

    def accept() -> TlsServerProtocol:
        return TlsServerProtocol(context, context, http, policy=(), ask=lambda _: ask, alerts=False)

    listener = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        await http.shutdown(timeout=0.5)


def presented_to(request: web.BaseRequest) -> str | None:
    """The fingerprint of the certificate that a request came with."""
    peer: ServedPeer = request.get_extra_info("mtls")
    return None if peer.certificate is None else Credential(peer.certificate, gateway_certificate().key).fingerprint


async def whoami(request: web.BaseRequest) -> web.Response:
    """Says which certificate came."""
    return web.Response(text=presented_to(request) or "nobody")


@asynccontextmanager
async def serve_script(*scripts: Script, tls: bool = True, credential: Credential | None = None) -> AsyncIterator[int]:
    """One script for each connection, the last one for all that follow; gives the port."""
    context = None
    if tls:
        context = (credential or server()).ssl_context(trust=gateway_certificate().leaf, server_side=True)
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    queue = list(scripts)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await (queue.pop(0) if len(queue) > 1 else queue[0])(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            tasks.discard(task)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answer(data: bytes, *, then: Script | None = None) -> Script:
    """Read a head, answer with *data*, then do what follows, or wait until the gateway has gone."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await writer.drain()
        await (then or hold)(reader, writer)

    return script


async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take what comes until the gateway has gone."""
    while await reader.read(65_536):
        pass


async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End the connection in order."""


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End it by RST."""
    writer.transport.abort()


async def keep_serving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """200 for every request without a body."""
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
