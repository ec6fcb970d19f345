"""A distribution point for CRLs and an OCSP responder, for every authority of a hierarchy, on one port of 127.0.0.1.

What it speaks: GET for a CRL (RFC 5280 4.2.1.13, RFC 2585 4.2), GET and POST for OCSP (RFC 6960 A.1), HTTP/1.0 and 1.1. Who
answers, and what, is the business of the services it is given; here is the HTTP around that, in a thread of its own.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import socket
import threading
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import unquote_to_bytes

from aiohttp import web

__all__ = ["RevocationServer", "Service"]

_HOST = "127.0.0.1"
_SECONDS = 10
"""How long the thread may take to begin and to end; it takes milliseconds."""

_CRL_TYPE = "application/pkix-crl"
_REQUEST_TYPE, _RESPONSE_TYPE = "application/ocsp-request", "application/ocsp-response"


class Service(Protocol):
    """What an authority says; DER, or None: who asks is never answered. Called in the server's thread."""

    def give_crl(self) -> bytes | None:
        """The CRL."""
        ...

    def answer_ocsp(self, request: bytes) -> bytes | None:
        """The answer to an OCSP request."""
        ...


class RevocationServer:
    """Keeps one port from the first moment to ``close``; between ``start`` and ``stop`` it answers there.

    Before and after, connections are refused: a responder that is down. Both may be called any number of times.
    """

    def __init__(self) -> None:
        self.services: Sequence[Service] = ()
        """The authorities; the first one answers below ``/0/``, and so on."""
        self._listener = _bound(0)
        self.port: int = self._listener.getsockname()[1]
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None

    def crl_url(self, number: int) -> str:
        """Where the CRL of authority *number* is."""
        return f"http://{_HOST}:{self.port}/{number}/crl"

    def ocsp_url(self, number: int) -> str:
        """Where the responder of authority *number* is."""
        return f"http://{_HOST}:{self.port}/{number}/ocsp"

    def start(self) -> None:
        """Begin to answer; returns when connections are accepted."""
        if self._thread is not None:
            return
        ready = threading.Event()
        self._listener.listen()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="mtls-revocation", daemon=True)
        self._thread.start()
        ready.wait(_SECONDS)

    def stop(self) -> None:
        """Close all connections, also those that were never answered, and refuse new ones."""
        if self._thread is None or self._loop is None or self._end is None:
            return
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(_SECONDS)
        self._thread = None
        self._listener = _bound(self.port)  # bound, but not listening: the port stays ours, and refuses connections

    def close(self) -> None:
        """Stop, and give the port back."""
        self.stop()
        self._listener.close()

    def _run(self, ready: threading.Event) -> None:
        asyncio.run(self._serve(ready))

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        http = web.Server(self._answer, access_log=None)
        server = await self._loop.create_server(http, sock=self._listener)
        ready.set()
        try:
            await self._end.wait()
        finally:
            server.close()
            http.pre_shutdown()
            await http.shutdown(timeout=0.5)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Find out what is asked of whom. The path is read as it was sent: base64 has slashes, which may come escaped."""
        number, _, what = request.raw_path.removeprefix("/").partition("/")
        if number not in map(str, range(len(self.services))):
            return web.Response(status=404)
        service = self.services[int(number)]
        if what == "crl" and request.method == "GET":
            return await self._reply(request, service.give_crl(), _CRL_TYPE)
        if what == "ocsp" and request.method == "POST":
            if request.content_type != _REQUEST_TYPE:
                return web.Response(status=415, text=f"expected {_REQUEST_TYPE}\n")
            return await self._reply(request, service.answer_ocsp(await request.read()), _RESPONSE_TYPE)
        if what.startswith("ocsp/") and request.method == "GET":
            asked = _from_base64(what.removeprefix("ocsp/"))
            return await self._reply(request, service.answer_ocsp(asked), _RESPONSE_TYPE)
        return web.Response(status=405 if what in ("crl", "ocsp") else 404)

    async def _reply(self, request: web.BaseRequest, body: bytes | None, content_type: str) -> web.StreamResponse:
        if body is not None:
            return web.Response(body=body, content_type=content_type)
        assert self._end is not None  # set before the first request
        await self._end.wait()
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)  # to nobody


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((_HOST, port))
    return listener


def _from_base64(text: str) -> bytes:
    """The octets in a GET's path; what is none gives none, which is no OCSP request either."""
    try:
        return base64.b64decode(unquote_to_bytes(text), validate=True)
    except (ValueError, binascii.Error):
        return b""
