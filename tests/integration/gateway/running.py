"""A gateway on real ports in a thread of the test process, clients for it, and backends that remember what they got."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pytest_mtls.harness.gateway.gateway import Gateway, Options

__all__ = ["OK", "Backend", "Got", "Running", "answer", "backend", "read_all", "running"]

_SECONDS = 10.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Got:
    """An answer as a client saw it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def __getitem__(self, name: str) -> str | None:
        """The one value of a header, None without it; raises AssertionError for several."""
        values = [value for one, value in self.headers if one.lower() == name.lower()]
        assert len(values) < 2, f"{name}: {values}"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


class Running:
    """A started gateway."""

    def __init__(self, gateway: Gateway, loop: asyncio.AbstractEventLoop) -> None:
        self.gateway, self.loop = gateway, loop
        self.address = ("127.0.0.1", urlsplit(gateway.endpoint).port or 0)

    def on_loop(self, work: Coroutine[Any, Any, _T]) -> _T:
        """The result of *work*, done on the gateway's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(_SECONDS)

    def perform(self, operation: str, **members: Any) -> dict[str, Any]:
        """An operation of apigateway."""
        return self._perform(operation, "apigateway", members)

    def perform_v2(self, operation: str, **members: Any) -> dict[str, Any]:
        """An operation of apigatewayv2."""
        return self._perform(operation, "apigatewayv2", members)

    def _perform(self, operation: str, service: Any, members: dict[str, Any]) -> dict[str, Any]:
        async def act() -> dict[str, Any]:
            return self.gateway.control_plane.perform(operation, service, **members)

        return self.on_loop(act())

    def api(self, uri: str, *, path: str = "/{proxy+}", verb: str = "ANY", **integration: Any) -> str:
        """A REST API with one method, deployed to the stage ``prod``; returns its id."""
        created = self.perform("CreateRestApi", name="test")
        self.method(created["id"], created["rootResourceId"], path, uri, verb=verb, **integration)
        self.perform("CreateDeployment", restApiId=created["id"], stageName="prod")
        return str(created["id"])

    def method(
        self, api: str, root: str, path: str, uri: str, *, verb: str = "ANY", auth: str = "NONE", **integration: Any
    ) -> dict[str, Any]:
        """A method with its integration at *path*, whose resources are made; returns what names it."""
        resource = root
        for part in path.strip("/").split("/") if path != "/" else ():
            resource = self.perform("CreateResource", restApiId=api, parentId=resource, pathPart=part)["id"]
        place = {"restApiId": api, "resourceId": resource, "httpMethod": verb}
        self.perform("PutMethod", **place, authorizationType=auth)
        members = {"type": "HTTP_PROXY", "uri": uri, **integration}
        if members["type"] != "MOCK":
            members.setdefault("integrationHttpMethod", "ANY")
        else:
            del members["uri"]
        self.perform("PutIntegration", **place, **members)
        return place

    def path(self, api: str, rest: str = "", stage: str = "prod") -> str:
        """The default endpoint by path."""
        return f"/_aws/execute-api/{api}/{stage}{rest}"

    def call(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
        *,
        chunked: bool = False,
    ) -> Got:
        """A request to the plain port, on a connection of its own."""
        connection = http.client.HTTPConnection(*self.address, timeout=_SECONDS)
        try:
            connection.request(method, path, body, headers or {}, encode_chunked=chunked)
            answer = connection.getresponse()
            return Got(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def manage(self, method: str, path: str, value: Any = None, **headers: str) -> Got:
        """A request to ``/_mtls/``."""
        return self.call(method, f"/_mtls/{path}", None if value is None else json.dumps(value).encode(), headers)

    def connect(self) -> socket.socket:
        """A TCP connection to the plain port."""
        return socket.create_connection(self.address, timeout=_SECONDS)

    def raw(self, data: bytes, *, end: bool = False) -> bytes:
        """Everything that the plain port says to *data* until it closes; *end*: after we closed our side."""
        with self.connect() as connection:
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

    def log(self, kind: str = "integration") -> list[dict[str, Any]]:
        """The entries of this kind, as the management interface tells them."""
        return list(self.manage("GET", f"log?kind={kind}").json["entries"])


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    data = b""
    while piece := connection.recv(65_536):
        data += piece
    return data


@contextmanager
def running(options: Options = Options(), **arguments: Any) -> Iterator[Running]:
    """A gateway, gone with the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="gateway under test")
    thread.start()
    gateway = Gateway(options, **arguments)
    one = Running(gateway, loop)
    try:
        one.on_loop(gateway.start())
        one.__init__(gateway, loop)  # type: ignore[misc]
        yield one
    finally:
        try:
            one.on_loop(gateway.stop(grace=1.0))
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_SECONDS)
            loop.close()


# --- plain backends


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"


def answer(status: int = 200, body: bytes = b"", *headers: str) -> bytes:
    """An answer with a Content-Length."""
    lines = [f"HTTP/1.1 {status} Made Up", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Backend:
    """A server on loopback that keeps each request as octets and answers by ``answer``."""

    answer: bytes | Callable[[bytes], bytes] = OK
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._start(self._accept)

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        data = b""
        with connection:
            try:
                while True:
                    request, data = _one_request(connection, data)
                    if request is None:
                        return
                    self.requests.append(request)
                    connection.sendall(self.answer(request) if callable(self.answer) else self.answer)
            except OSError:
                return

    def end(self) -> None:
        """Close everything."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads:
            thread.join(_SECONDS)

    @property
    def request(self) -> tuple[str, list[tuple[str, str]], bytes]:
        """The last request: its line, its headers, its body (chunks undone by ``body_of``)."""
        head, _, body = self.requests[-1].partition(b"\r\n\r\n")
        line, *rest = head.decode("utf-8", "surrogateescape").split("\r\n")
        pairs = [one.partition(": ") for one in rest]
        return line, [(name, value) for name, _, value in pairs], body

    def header(self, name: str) -> list[str]:
        """All values of a header of the last request."""
        return [value for one, value in self.request[1] if one.lower() == name.lower()]


def _one_request(connection: socket.socket, data: bytes) -> tuple[bytes | None, bytes]:
    """A request with its body, and what came behind it; None at the end of the connection."""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65_536)
        if not piece:
            return None, b""
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        while not rest.endswith(b"0\r\n\r\n"):
            piece = connection.recv(65_536)
            if not piece:
                return None, b""
            rest += piece
        return head + b"\r\n\r\n" + unchunked(rest), b""
    length = 0
    for line in lower.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    while len(rest) < length:
        piece = connection.recv(65_536)
        if not piece:
            return None, b""
        rest += piece
    return head + b"\r\n\r\n" + rest[:length], rest[length:]


def unchunked(data: bytes) -> bytes:
    """A body without its chunked coding."""
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        if not int(size, 16):
            return body
        body += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]


@contextmanager
def backend(answer: bytes | Callable[[bytes], bytes] = OK) -> Iterator[Backend]:
    """A plain backend, gone with the block."""
    one = Backend(answer)
    try:
        yield one
    finally:
        one.end()
