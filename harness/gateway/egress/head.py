"""The head of a request as octets of HTTP/1.1."""

from __future__ import annotations

from .model import Outgoing

__all__ = ["write_head"]

_FRAMING = frozenset({"content-length", "transfer-encoding"})
_LENGTHS = frozenset(map(len, _FRAMING))


def write_head(outgoing: Outgoing) -> bytes:
    """Request line, headers and the framing that the body asks for.

    Raises ValueError for what would not stay one head: blanks in the target, line ends anywhere.
    """
    lines = [f"{outgoing.method} {outgoing.target} HTTP/1.1"]
    lines += [
        f"{name}: {value}"
        for name, value in outgoing.headers
        if len(name) not in _LENGTHS or name.lower() not in _FRAMING
    ]
    body = outgoing.body
    if isinstance(body, bytes):
        lines.append(f"Content-Length: {len(body)}")
    elif body is not None:
        lines.append("Transfer-Encoding: chunked" if outgoing.length is None else f"Content-Length: {outgoing.length}")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or "\0" in head:
        raise ValueError(f"request ({lines[0]!r}): expected no line ends within the head, saw some. Encode them.")
    if lines[0].count(" ") != 2:
        raise ValueError(f"request ({lines[0]!r}): expected no blanks in method and target, saw some. Encode them.")
    return f"{head}\r\n\r\n".encode("utf-8", "surrogateescape")
