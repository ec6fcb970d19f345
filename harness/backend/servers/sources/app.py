"""The application of the Python servers: hello, by ASGI and by WSGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

Message = dict[str, Any]


async def asgi(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Reads the request, then answers 200."""
    if scope["type"] != "http":
        raise RuntimeError(f"not HTTP: {scope['type']}")  # says to the server that there is no lifespan
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"6")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello\n"})


def wsgi(environ: Message, start_response: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """Reads the request, then answers 200."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
    return [b"hello\n"]
